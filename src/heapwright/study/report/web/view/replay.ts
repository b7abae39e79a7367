// The same events through other allocators and settings: their measurements side by side and their memory over the run.
import { h, type Child } from "../core/dom.ts";
import { bytes, by_kind, count, exact_by_kind, percent, share_of, signed, type Kind } from "../core/format.ts";
import type { Page } from "../core/page.ts";
import { term, type Term } from "../core/terms.ts";
import { METRICS, type Comparison, type Metric, type Trial } from "../schema.ts";
import { chart_in } from "./chart.ts";
import { section, swatch } from "./controls.ts";
import { Table, type Column } from "./table.ts";

const WORDS: Record<Metric, { label: string; kind: Kind; term?: Term }> = {
  peak_rss_bytes: { label: "peak RSS", kind: "bytes" },
  mean_rss_bytes: { label: "mean RSS", kind: "bytes" },
  end_rss_bytes: { label: "RSS at end", kind: "bytes" },
  retained_bytes: { label: "retained", kind: "bytes", term: "after the end" },
  floor_bytes: { label: "floor", kind: "bytes", term: "floor" },
  wall_ns: { label: "time", kind: "time" },
  cpu_ns: { label: "CPU", kind: "time" },
  allocator_ns: { label: "in allocator", kind: "time" },
  minor_faults: { label: "minor faults", kind: "count" },
  major_faults: { label: "major faults", kind: "count" },
  voluntary_switches: { label: "waits", kind: "count" },
  involuntary_switches: { label: "preemptions", kind: "count" },
  syscalls: { label: "system calls", kind: "count" },
};

const CURVES = ["curve-1", "curve-2", "curve-3", "curve-4", "curve-5", "curve-6", "curve-7", "curve-8"] as const;
const CURVE_POINTS = 400;

function metric_cell(trial: Trial, metric: Metric, baseline: Trial): Child {
  const measured = trial.metrics[metric];
  if (!measured) {
    return h("span", { class: "zero" }, "\u2013");
  }
  const { kind } = WORDS[metric];
  const format = by_kind(kind);
  const exactly = exact_by_kind(kind);
  const before = baseline.metrics[metric]?.median ?? 0;
  const title = `median ${exactly(measured.median)}, from ${exactly(measured.min)} to ${exactly(measured.max)} in ${trial.runs} runs`;
  const change = trial === baseline ? "baseline" : measured.real ? signed(share_of(measured.difference, before), percent) : "\u2248 noise";
  const name = trial === baseline || !measured.real ? "" : measured.difference < 0 ? "better" : "worse";
  return h("span", { title, class: name }, format(measured.median), h("small", null, change));
}

function trial_cell(trial: Trial, at: number): Child {
  const settings = Object.entries(trial.environment ?? {}).map(([name, value]) => `${name}=${value}`);
  return h(
    "span",
    { class: "site" },
    h("span", null, trial.curve && swatch(CURVES[at % CURVES.length] as string), h("b", null, trial.label)),
    (trial.failure || trial.experiment || settings.length > 0) &&
      h("small", { class: trial.failure ? "worse" : "" }, trial.failure ?? [trial.experiment && `experiment ${trial.experiment}`, settings.join(" ")].filter(Boolean).join(" \u00b7 ")),
  );
}

function trials_table(comparison: Comparison): HTMLElement {
  const baseline = comparison.trials[comparison.baseline] as Trial;
  const shown = METRICS.filter((metric) => comparison.trials.some((trial) => trial.metrics[metric]));
  return new Table<Trial>({
    caption: "Trials",
    noun: "trial",
    rows: comparison.trials,
    sort: "label",
    columns: [
      { key: "label", label: "trial", kind: "text", term: "trial", value: (trial) => (trial === baseline ? "" : trial.label), cell: (trial) => trial_cell(trial, comparison.trials.indexOf(trial)) },
      ...shown.map((metric): Column<Trial> => ({
        key: metric,
        ...WORDS[metric],
        value: (trial) => trial.metrics[metric]?.median ?? Number.POSITIVE_INFINITY,
        cell: (trial) => metric_cell(trial, metric, baseline),
      })),
    ],
  }).element;
}

/// All curves on one axis of progress, by taking each where it stood last.
function aligned(trials: readonly Trial[]): { x: number[]; values: number[][] } {
  const x = Array.from({ length: CURVE_POINTS + 1 }, (_, at) => at / CURVE_POINTS);
  const values = trials.map(({ curve }) => {
    let at = 0;
    return x.map((progress) => {
      while (curve && at + 1 < curve.progress.length && (curve.progress[at + 1] as number) <= progress) {
        at += 1;
      }
      return curve?.rss_bytes[at] ?? 0;
    });
  });
  return { x, values };
}

export function replay_section(page: Page): { element: HTMLElement; start: () => void } | undefined {
  const { comparison } = page.report;
  if (!comparison || comparison.trials.length === 0) {
    return undefined;
  }
  const curved = comparison.trials.filter((trial) => trial.curve && trial.curve.progress.length > 1);
  const place = h("div", { class: "charts", role: "img", "aria-label": "RSS of each trial over the events; the table has the figures" });
  const legend = h("div", { class: "legend", role: "group", "aria-label": "Lines" });
  const element = section(
    "replay",
    "Replay",
    ["The recorded events through other allocators and settings, each in a fresh process. Differences smaller than ", term("noise"), " are said to be noise. ", h("b", { class: "better" }, "Green is less"), ", ", h("b", { class: "worse" }, "red is more"), "."],
    comparison.note && h("p", { class: "hint" }, comparison.note),
    trials_table(comparison),
    curved.length > 0 && [h("h3", { class: "spaced" }, "RSS over the recorded events"), legend, place],
  );
  const start = (): void => {
    if (curved.length === 0) {
      return;
    }
    const { x, values } = aligned(curved);
    const texts = curved.map(() => h("b"));
    const lines = curved.map((trial, at) => ({
      label: trial.label,
      color: CURVES[comparison.trials.indexOf(trial) % CURVES.length] as string,
      values: values[at] as number[],
      width: comparison.trials.indexOf(trial) === comparison.baseline ? 2.5 : 1.5,
    }));
    const chart = chart_in(place, {
      x, lines, height: 240, binary: true,
      x_format: (value) => percent(value),
      y_format: bytes,
      moved: (at) => texts.forEach((text, line) => (text.textContent = at === null ? "" : bytes(values[line]?.[at] ?? 0))),
    });
    lines.forEach((line, at) => {
      const item = h("button", { type: "button", class: "quiet", "aria-pressed": "true", title: "Show or hide this line" }, swatch(line.color), line.label, " ", texts[at]);
      item.addEventListener("click", () => {
        const show = item.getAttribute("aria-pressed") !== "true";
        item.setAttribute("aria-pressed", String(show));
        chart.setSeries(at + 1, { show });
      });
      legend.append(item);
    });
    chart.over.appendChild(h("span", { class: "chart-name" }, `${count(page.report.totals.events)} events, left to right`));
  };
  return { element, start };
}
