// Memory over time: what was asked for, what it occupies, what the kernel gave; below it fragmentation and traffic.
import uPlot from "uplot";

import { h, replace, type Child } from "../core/dom.ts";
import { bytes, count, percent, share_of, time } from "../core/format.ts";
import type { Page } from "../core/page.ts";
import { explained, type Term } from "../core/terms.ts";
import { color } from "../core/theme.ts";
import type { Timeline } from "../schema.ts";
import { chart_in, type Line } from "./chart.ts";
import { announce, button, folded, key_hint, section, swatch } from "./controls.ts";
import { Table, type Column } from "./table.ts";

type ColumnName = Exclude<keyof Timeline, "time_ns">;

interface Track {
  column: ColumnName;
  color: string;
  label: string;
  term?: Term;
  fill?: string; // the area down to the track before it
}

/// From the bottom up: each area between two of them is one kind of overhead.
const TRACKS: readonly Track[] = [
  { column: "live_requested", color: "live", label: "requested", term: "requested" },
  { column: "live_usable", color: "rounding", label: "usable", term: "usable", fill: "rounding-soft" },
  { column: "occupied_page_bytes", color: "external", label: "occupied OS pages", term: "occupied", fill: "external-soft" },
  { column: "resident_bytes", color: "ink-soft", label: "RSS", term: "RSS", fill: "other-soft" },
];

const zero_is_unknown = (values: readonly number[]): (number | null)[] => values.map((value) => (value > 0 ? value : null));

/// The rate in each interval, in calls a second.
function rates(timeline: Timeline, column: "allocations" | "frees"): number[] {
  return timeline[column].map((value, at) => {
    const from = at === 0 ? 0 : (timeline.time_ns[at - 1] as number);
    return share_of(value * 1e9, (timeline.time_ns[at] as number) - from);
  });
}

function lines_of(page: Page): { x: number[]; lines: Line[] } {
  const { timeline, before } = page.report;
  const now = TRACKS.map((track, at): Line => {
    const values = track.column === "resident_bytes" ? zero_is_unknown(timeline[track.column]) : timeline[track.column];
    return { label: track.label, color: track.color, values, ...(track.fill && !before ? { below: at - 1, fill: track.fill } : {}) };
  });
  if (!before) {
    return { x: timeline.time_ns, lines: now };
  }
  // Two traces have two clocks: uPlot joins them into one axis, dashed is what was.
  const old = [before.timeline.live_requested, zero_is_unknown(before.timeline.resident_bytes)];
  const joined = uPlot.join([
    [timeline.time_ns, ...now.map((line) => line.values)] as uPlot.AlignedData,
    [before.timeline.time_ns, ...old] as uPlot.AlignedData,
  ]);
  const [x, ...values] = joined as unknown as [number[], ...(number | null)[][]];
  const dashed = [
    { label: "requested, before", color: "live", dash: [5, 4], values: [] },
    { label: "RSS, before", color: "ink-soft", dash: [5, 4], values: [] },
  ];
  return { x, lines: [...now, ...dashed].map((line, at) => ({ ...line, values: values[at] as (number | null)[] })) };
}

/// The value at `index`, or where nothing was sampled the last one before it.
function nearest(values: readonly (number | null)[], index: number): number | null {
  let at = index;
  while (at > 0 && values[at] === null) {
    at -= 1;
  }
  return values[at] ?? null;
}

/// The lines of the legend: a button each that hides its line, with the value under the cursor.
class Legend {
  readonly element = h("div", { class: "legend", role: "group", "aria-label": "Lines" });
  private readonly values_: HTMLElement[] = [];

  constructor(lines: readonly Line[], shown: (at: number, show: boolean) => void) {
    lines.forEach((line, at) => {
      const value = h("b");
      const known = TRACKS[at];
      const item = h("button", { type: "button", class: "quiet", "aria-pressed": "true" }, swatch(line.color), h("span", { class: known?.term ? "term" : "" }, line.label), " ", value);
      item.addEventListener("click", () => {
        const show = item.getAttribute("aria-pressed") !== "true";
        item.setAttribute("aria-pressed", String(show));
        shown(at, show);
      });
      this.values_.push(value);
      this.element.append(known?.term ? explained(item, known.term) : item);
    });
  }

  show(values: readonly (number | null | undefined)[]): void {
    this.values_.forEach((element, at) => {
      const value = values[at];
      element.textContent = typeof value === "number" ? bytes(value) : "";
    });
  }
}

/// Vertical marks at the moments that have a heap map; the chosen one is strong and named.
function draw_moments(chart: uPlot, page: Page, named: boolean): void {
  const { ctx, bbox } = chart;
  const scale = devicePixelRatio || 1;
  ctx.save();
  page.maps.forEach((map, at) => {
    const x = Math.round(chart.valToPos(map.time_ns, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) {
      return;
    }
    const chosen = at === page.moment.value;
    ctx.strokeStyle = color(chosen ? "accent" : "line");
    ctx.lineWidth = (chosen ? 2 : 1) * scale;
    ctx.setLineDash(chosen ? [] : [2 * scale, 3 * scale]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (chosen && named) {
      const right = x > bbox.left + bbox.width / 2;
      ctx.fillStyle = color("accent");
      ctx.font = `${11 * scale}px system-ui, sans-serif`;
      ctx.textAlign = right ? "right" : "left";
      ctx.textBaseline = "top";
      ctx.fillText(`map: ${map.label}`, x + (right ? -5 : 5) * scale, bbox.top + 2 * scale);
    }
  });
  ctx.restore();
}

function describe(timeline: Timeline, at: number): string {
  const resident = timeline.resident_bytes[at] as number;
  return [
    time(timeline.time_ns[at] as number),
    `requested ${bytes(timeline.live_requested[at] as number)}`,
    `usable ${bytes(timeline.live_usable[at] as number)}`,
    `occupied OS pages ${bytes(timeline.occupied_page_bytes[at] as number)}`,
    resident > 0 && `RSS ${bytes(resident)}`,
    `external fragmentation ${percent(timeline.fragmentation[at] as number)}`,
  ]
    .filter(Boolean)
    .join(", ");
}

function moments_table(timeline: Timeline): HTMLElement {
  const names: [ColumnName, string, Column<number>["kind"]][] = [
    ["live_requested", "requested", "bytes"],
    ["live_usable", "usable", "bytes"],
    ["occupied_page_bytes", "occupied OS pages", "bytes"],
    ["resident_bytes", "RSS", "bytes"],
    ["live_blocks", "live blocks", "count"],
    ["fragmentation", "external fragmentation", "percent"],
    ["allocations", "allocations", "count"],
    ["frees", "frees", "count"],
  ];
  return new Table<number>({
    caption: "Timeline",
    noun: "moment",
    rows: timeline.time_ns.map((_, at) => at),
    sort: "requested",
    columns: [
      { key: "time", label: "time", kind: "time", value: (at) => timeline.time_ns[at] as number },
      ...names.map(([column, label, kind]): Column<number> => ({ key: label.replaceAll(" ", "_").toLowerCase(), label, kind, value: (at) => timeline[column][at] as number })),
    ],
  }).element;
}

class TimelineView {
  readonly place = h("div", { class: "charts", tabindex: 0, role: "slider", "aria-label": "Moment", "aria-orientation": "horizontal" });
  readonly readout = h("output", { class: "found" });
  readonly legend: Legend;
  readonly reset: HTMLButtonElement;
  private readonly charts_: uPlot[] = [];
  private readonly x_: number[];
  private readonly lines_: Line[];
  private at_ = 0;
  private zooming_ = false;

  constructor(private readonly page_: Page) {
    const { x, lines } = lines_of(page_);
    this.x_ = x;
    this.lines_ = lines;
    this.legend = new Legend(lines, (at, show) => this.charts_[0]?.setSeries(at + 1, { show }));
    this.reset = button("Whole run", () => this.zoom_(x[0] ?? 0, x[x.length - 1] ?? 1));
    this.reset.disabled = true;
    this.place.addEventListener("keydown", (event) => this.key_(event));
    page_.moment.watch(() => {
      this.charts_.forEach((chart) => chart.redraw(false));
      this.show_(null);
    });
  }

  /// Makes the charts: their container must have its width by now.
  start(): void {
    const { page_ } = this;
    const { timeline } = page_.report;
    const common = {
      x_format: time,
      sync: "timeline",
      drawn: (chart: uPlot) => draw_moments(chart, page_, false),
      zoomed: (low: number, high: number) => this.zoom_(low, high),
      clicked: (x: number) => page_.choose_nearest_map(x),
    };
    this.charts_.push(
      chart_in(this.place, { ...common, x: this.x_, lines: this.lines_, height: 270, y_format: bytes, drawn: (chart) => draw_moments(chart, page_, true), binary: true, hide_x: true, moved: (at) => this.show_(at) }),
      chart_in(this.place, {
        ...common, x: timeline.time_ns, height: 84, y_max: 1, y_format: percent, hide_x: true,
        lines: [{ label: "external fragmentation", color: "external", values: timeline.fragmentation }],
      }),
      chart_in(this.place, {
        ...common, x: timeline.time_ns, height: 100, y_format: (value) => `${count(value)}/s`,
        lines: [
          { label: "allocations a second", color: "traffic", values: rates(timeline, "allocations") },
          { label: "frees a second", color: "temporary", values: rates(timeline, "frees"), width: 1 },
        ],
      }),
    );
    const names: Child[][] = [[], ["external fragmentation"], [swatch("traffic"), "allocations ", swatch("temporary"), "frees, a second"]];
    this.charts_.forEach((chart, at) => names[at]?.length && chart.over.appendChild(h("span", { class: "chart-name" }, names[at])));
    this.place.setAttribute("aria-valuemin", "0");
    this.place.setAttribute("aria-valuemax", String(Math.max(0, timeline.time_ns.length - 1)));
    this.at_ = Math.max(0, timeline.time_ns.findIndex((value) => value >= page_.report.totals.peak_time_ns));
    this.show_(null);
  }

  /// Tells what stands under the cursor, or without one at the moment of the heap map.
  private show_(under_cursor: number | null): void {
    const { timeline, totals } = this.page_.report;
    const chosen = this.page_.maps[this.page_.moment.value]?.time_ns ?? totals.peak_time_ns;
    const index = under_cursor ?? Math.max(0, this.x_.findIndex((x) => x >= chosen));
    this.legend.show(this.lines_.map((line) => nearest(line.values, index)));
    this.readout.textContent = `at ${time(this.x_[index] ?? 0)}`;
    const moment = Math.min(index, timeline.time_ns.length - 1);
    this.place.setAttribute("aria-valuenow", String(moment));
    this.place.setAttribute("aria-valuetext", describe(timeline, moment));
  }

  private zoom_(low: number, high: number): void {
    if (this.zooming_) {
      return;
    }
    this.zooming_ = true;
    for (const chart of this.charts_) {
      chart.setScale("x", { min: low, max: high });
    }
    this.zooming_ = false;
    this.reset.disabled = low <= (this.x_[0] ?? 0) && high >= (this.x_[this.x_.length - 1] ?? 1);
  }

  private move_(to: number): void {
    const [chart] = this.charts_;
    this.at_ = Math.min(this.x_.length - 1, Math.max(0, to));
    const x = this.x_[this.at_];
    if (chart && x !== undefined) {
      chart.setCursor({ left: chart.valToPos(x, "x"), top: 10 });
    }
  }

  private zoom_by_(factor: number): void {
    const { min = 0, max = 1 } = (this.charts_[0]?.scales["x"] ?? {}) as { min?: number; max?: number };
    const middle = this.x_[this.at_] ?? (min + max) / 2;
    const first = this.x_[0] ?? 0;
    const last = this.x_[this.x_.length - 1] ?? 1;
    this.zoom_(Math.max(first, middle - (middle - min) * factor), Math.min(last, middle + (max - middle) * factor));
  }

  private key_(event: KeyboardEvent): void {
    const step = event.shiftKey ? 10 : 1;
    const acts: Record<string, () => void> = {
      ArrowLeft: () => this.move_(this.at_ - step),
      ArrowRight: () => this.move_(this.at_ + step),
      Home: () => this.move_(0),
      End: () => this.move_(this.x_.length - 1),
      "+": () => this.zoom_by_(0.6),
      "=": () => this.zoom_by_(0.6),
      "-": () => this.zoom_by_(1 / 0.6),
      Escape: () => this.reset.click(),
      Enter: () => {
        this.page_.choose_nearest_map(this.x_[this.at_] ?? 0);
        announce(`Heap map: ${this.page_.maps[this.page_.moment.value]?.label ?? "none"}`);
      },
    };
    const act = acts[event.key];
    if (act && !event.ctrlKey && !event.metaKey && !event.altKey) {
      act();
      event.preventDefault();
    }
  }
}

export function timeline_section(page: Page): { element: HTMLElement; start: () => void } {
  const { timeline } = page.report;
  if (timeline.time_ns.length < 2) {
    const element = section("timeline", "Timeline", "", h("p", { class: "nothing" }, "The recording is too short for a timeline."));
    return { element, start: () => undefined };
  }
  const view = new TimelineView(page);
  const tables = h("div");
  replace(tables, folded("Timeline as a table", () => moments_table(timeline)));
  const element = section(
    "timeline",
    "Timeline",
    [
      "What the program asked for, and how much more it took. ",
      page.diff
        ? "Solid lines are this trace, dashed ones the trace before."
        : [swatch("rounding-soft"), "rounding, ", swatch("external-soft"), "free space on occupied pages, ", swatch("other-soft"), "empty pages kept and other memory."],
      " Drag to zoom; click to see the heap map of that moment.",
    ],
    h("div", { class: "toolbar" }, view.legend.element, view.readout, view.reset),
    view.place,
    key_hint("arrow keys move (with Shift by ten), plus and minus zoom, Escape shows the whole run, Enter shows that moment's heap map"),
    tables,
  );
  return { element, start: () => view.start() };
}
