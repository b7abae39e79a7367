// The section of the heap map: choose a moment, see how full every piece of the heap's addresses is.
import { h, replace, styled } from "../core/dom.ts";
import { address, by_kind, bytes, exact_by_kind, percent, share_of, time, type Kind } from "../core/format.ts";
import type { Page } from "../core/page.ts";
import { term, type Term } from "../core/terms.ts";
import { repaint, css } from "../core/theme.ts";
import { MapCanvas, scale_colors } from "../map/canvas.ts";
import { grid_of, occupancy_on, summary_of, type Grid, type Region } from "../map/grid.ts";
import type { Fragmentation, HeapMap } from "../schema.ts";
import { button, folded, key_hint, section, swatch } from "./controls.ts";
import { Table } from "./table.ts";

const HEIGHT = 540;
const PLAY_MS = 350;

function color_key(): HTMLElement {
  const strip = h("span", { class: "ramp", "aria-hidden": "true" });
  const paint = (): void => {
    const colors = scale_colors();
    const stops = [1, 64, 128, 192, 255].map((value) => css(colors[value] ?? [0, 0, 0]));
    strip.style.background = `linear-gradient(to right, ${stops.join(",")})`;
  };
  paint();
  repaint.watch(paint);
  return h("span", { class: "key" }, swatch("empty"), "empty", h("span", null, "sparse"), strip, h("span", null, "full"));
}

/// Horizontal bars: how much memory stands on pages of each occupancy.
function tenths(values: readonly number[]): HTMLElement {
  const most = Math.max(1, ...values);
  const whole = values.reduce((sum, value) => sum + value, 0);
  const colors = scale_colors();
  return h(
    "dl",
    { class: "tenths" },
    values
      .map((value, at) => {
        const label = at === 10 ? "full" : `${at * 10} to ${at * 10 + 10} %`;
        const fill = styled(h("span"), { width: `${(100 * value) / most}%`, background: css(colors[at === 10 ? 255 : Math.round((at + 0.5) * 25.5)] ?? [0, 0, 0]) });
        return h("div", { title: percent(share_of(value, whole)) }, h("dt", null, label), h("dd", null, fill, h("b", null, value > 0 ? bytes(value) : "0")));
      })
      .reverse(),
  );
}

function regions_table(grid: Grid, occupancy: Uint8Array): HTMLElement {
  const rows = grid.regions.map((region) => ({ region, sum: summary_of(grid, occupancy, [region]) }));
  const size = (region: Region): number => region.cells * region.cell_bytes;
  return new Table({
    caption: "Regions of the heap",
    noun: "region",
    rows,
    sort: "size",
    columns: [
      { key: "begin", label: "address", kind: "count", value: (row) => row.region.begin, cell: (row) => h("span", { class: "code" }, address(row.region.begin)) },
      { key: "size", label: "size", kind: "bytes", value: (row) => size(row.region), bar: "other" },
      { key: "occupied", label: "occupied", kind: "bytes", value: (row) => row.sum.bytes, bar: "external" },
      { key: "live", label: "live", kind: "bytes", value: (row) => row.sum.live_bytes, bar: "live" },
      { key: "full", label: "live of occupied", kind: "percent", value: (row) => share_of(row.sum.live_bytes, row.sum.bytes) },
    ],
  }).element;
}

const FACTS: readonly { name: string; term?: Term; of: (at: Fragmentation) => number; kind?: Kind }[] = [
  { name: "requested", term: "requested", of: (at) => at.live_requested },
  { name: "usable", term: "usable", of: (at) => at.live_usable },
  { name: "live blocks", of: (at) => at.live_blocks, kind: "count" },
  { name: "occupied OS pages", term: "occupied", of: (at) => at.occupied_pages * 4096 },
  { name: "rounding", term: "internal fragmentation", of: (at) => at.internal_bytes },
  { name: "of usable", of: (at) => at.internal_ratio, kind: "percent" },
  { name: "free on occupied", term: "external fragmentation", of: (at) => at.external_bytes },
  { name: "of occupied", of: (at) => at.external_ratio, kind: "percent" },
  { name: "largest free run", term: "largest free run", of: (at) => at.largest_free_run },
  { name: "empty pages kept", term: "retained", of: (at) => at.retained_bytes },
  { name: "other memory", term: "other memory", of: (at) => at.non_heap_bytes },
  { name: "RSS", term: "RSS", of: (at) => at.resident_bytes },
];

function fact_cell(value: number, kind: Kind): HTMLElement {
  return h("td", { class: value === 0 ? "number zero" : "number", title: exact_by_kind(kind)(value) }, by_kind(kind)(value));
}

function fragmentation_table(page: Page): HTMLElement {
  const { at_peak, at_end, before } = page.report;
  const moments: [string, Fragmentation][] = before
    ? [["peak before", before.at_peak], ["after", at_peak], ["end before", before.at_end], ["after", at_end]]
    : [["peak", at_peak], ["end", at_end]];
  return h(
    "table",
    { class: "plain facts-table" },
    h("caption", { class: "unseen" }, "Fragmentation in numbers"),
    h("thead", null, h("tr", null, h("th", { scope: "col" }, "in numbers"), moments.map(([name]) => h("th", { scope: "col", class: "number" }, name)))),
    h(
      "tbody",
      null,
      FACTS.map((fact) => h("tr", null, h("th", { scope: "row" }, fact.term ? term(fact.term, fact.name) : fact.name), moments.map(([, at]) => fact_cell(fact.of(at), fact.kind ?? "bytes")))),
    ),
  );
}

/// The control that goes through the moments: slider, steps, and a button that plays them.
function moment_control(page: Page): HTMLElement {
  const last = page.maps.length - 1;
  const slider = h("input", { type: "range", min: 0, max: last, step: 1, value: page.moment.value, "aria-label": "Moment of the heap map", class: "moments" });
  const name = h("output", { class: "moment-name" });
  const show = (): void => {
    const map = page.maps[page.moment.value] as HeapMap;
    const text = /^\d/.test(map.label) ? map.label : `${map.label}, ${time(map.time_ns)}`;
    slider.value = String(page.moment.value);
    slider.setAttribute("aria-valuetext", text);
    name.textContent = text;
  };
  let timer: ReturnType<typeof setInterval> | undefined;
  const stop = (): void => {
    clearInterval(timer);
    timer = undefined;
    play.textContent = "\u25b6 Play";
  };
  const play = button("\u25b6 Play", () => {
    if (timer !== undefined) {
      stop();
      return;
    }
    page.moment.set(page.moment.value === last ? 0 : page.moment.value);
    play.textContent = "\u25a0 Stop";
    timer = setInterval(() => (page.moment.value === last ? stop() : page.moment.set(page.moment.value + 1)), PLAY_MS);
  });
  play.disabled = last < 1;
  slider.addEventListener("input", () => {
    stop();
    page.moment.set(Number(slider.value));
  });
  page.moment.watch(show);
  show();
  return h("div", { class: "toolbar" }, h("label", { class: "grow" }, "moment ", slider), name, play);
}

export function heap_map_section(page: Page): { element: HTMLElement; start: () => void } {
  const lead = ["Every cell is a piece of the heap\u2019s address space, coloured by how much of it is live. ", h("b", { class: "external" }, "Amber"), " cells cost a whole page for a few live bytes."];
  if (page.maps.length === 0) {
    const element = section("map", "Heap map", "", h("p", { class: "nothing" }, "This report has no heap map."), fragmentation_table(page));
    return { element, start: () => undefined };
  }
  const picture = h("div", { class: "map-place" });
  const side = h("div", { class: "map-side" });
  const tables = h("div");
  const tools = h("div", { class: "toolbar" });
  const element = section("map", "Heap map", lead, moment_control(page), tools, h("div", { class: "map-layout" }, picture, side), page.diff && fragmentation_table(page), tables);
  const start = (): void => {
    const grid = grid_of(page.maps);
    const known = new Map<number, Uint8Array>();
    const occupancy = (): Uint8Array => {
      const at = page.moment.value;
      let values = known.get(at);
      if (!values) {
        values = occupancy_on(grid, page.maps[at] as HeapMap);
        known.set(at, values);
      }
      return values;
    };
    const canvas = new MapCanvas(grid, occupancy(), HEIGHT);
    const sizes = [...new Set(grid.regions.map((region) => region.cell_bytes))].sort((a, b) => a - b);
    const cell = sizes.length === 1 ? bytes(sizes[0] as number) : `${bytes(sizes[0] as number)} to ${bytes(sizes[sizes.length - 1] as number)}`;
    replace(tools, color_key(), h("span", { class: "found" }, `one cell is ${cell}`), h("span", { class: "grow" }), button("\u2212", () => canvas.zoom(-1), "Smaller cells"), button("+", () => canvas.zoom(1), "Larger cells"), button("Fit", () => canvas.zoom(0)));
    const update = (): void => {
      const values = occupancy();
      canvas.show(values);
      const sum = summary_of(grid, values);
      replace(
        side,
        h("h3", null, "Memory by how full its pages are"),
        tenths(sum.tenths),
        h("p", { class: "hint" }, `${bytes(sum.bytes)} occupied, ${percent(share_of(sum.live_bytes, sum.bytes))} of it live`),
        !page.diff && fragmentation_table(page),
      );
      replace(tables, folded("Heap regions as a table", () => regions_table(grid, values)));
    };
    replace(picture, canvas.element, key_hint("arrow keys move between cells, plus and minus zoom, 0 fits"));
    page.moment.watch(update);
    repaint.watch(update);
    update();
  };
  return { element, start };
}
