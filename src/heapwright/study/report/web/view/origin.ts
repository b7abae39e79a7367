// Where the report comes from and how far it can be trusted; and what its words mean.
import { h } from "../core/dom.ts";
import { bytes, count, exact, exact_bytes, percent, share_of, time } from "../core/format.ts";
import type { Page } from "../core/page.ts";
import { glossary, term, type Term } from "../core/terms.ts";
import type { Report, Totals, TraceHealth } from "../schema.ts";
import { section } from "./controls.ts";

type Side = { provenance: Record<string, string>; health: TraceHealth; totals: Totals };

const NUMBERS: readonly { name: string; term?: Term; of: (side: Side) => number; format?: (value: number) => string; title?: (value: number) => string }[] = [
  { name: "events", of: (side) => side.totals.events },
  { name: "frees", of: (side) => side.totals.frees },
  { name: "resizes", of: (side) => side.totals.reallocs },
  { name: "cross-thread frees", term: "cross-thread free", of: (side) => side.totals.cross_thread_frees },
  { name: "over-aligned", term: "over-aligned", of: (side) => side.totals.over_aligned },
  { name: "refused requests", of: (side) => side.totals.failed },
  { name: "mismatched frees", term: "mismatched", of: (side) => side.totals.mismatched },
  { name: "unknown frees", term: "unknown frees", of: (side) => side.totals.unknown_frees },
  { name: "frees of the parent\u2019s blocks", of: (side) => side.totals.inherited_frees },
  { name: "minor page faults", of: (side) => side.totals.minor_faults },
  { name: "major page faults", of: (side) => side.totals.major_faults },
  { name: "run time", of: (side) => side.totals.duration_ns, format: time },
  { name: "CPU time", of: (side) => side.totals.cpu_ns, format: time },
  { name: "trace file", of: (side) => side.health.file_bytes, format: bytes, title: exact_bytes },
];

function health_text({ health }: Side): string {
  const parts = [
    health.complete ? "complete" : "the program did not end in an orderly way",
    health.used_bytes < health.file_bytes && `${percent(share_of(health.used_bytes, health.file_bytes))} of the file could be used`,
    health.dropped_events > 0 && `${count(health.dropped_events)} events lost`,
    health.sample_interval_bytes > 0 ? `sampled, one in ${bytes(health.sample_interval_bytes)} on average` : "every event kept",
    health.note,
  ];
  return parts.filter(Boolean).join("; ");
}

/// The trace's own lines are text; names that end in a unit are numbers of that unit.
function provenance_text(name: string, value: string): string {
  const number = Number(value);
  if (!/^\d+$/.test(value)) {
    return value;
  }
  if (name === "started_unix_ns") {
    return new Date(number / 1e6).toISOString().replace("T", " ").replace(/\.\d+Z/, " UTC");
  }
  return name.endsWith("_bytes") || name === "cgroup_memory_limit" ? bytes(number) : name.endsWith("_ns") ? time(number) : value;
}

function sides(report: Report): [string, Side][] {
  return report.before ? [["before", report.before], ["after", report]] : [["value", report]];
}

export function origin_section(page: Page): HTMLElement {
  const { report } = page;
  const columns = sides(report);
  const keys = [...new Set(columns.flatMap(([, side]) => Object.keys(side.provenance)))].sort();
  const row = (name: string | HTMLElement, cells: { text: string; title?: string }[]): HTMLElement =>
    h("tr", null, h("th", { scope: "row" }, name), cells.map((cell) => h("td", { title: cell.title }, cell.text)));
  return section(
    "origin",
    "Recording",
    "Where these figures come from.",
    h(
      "div",
      { class: "columns" },
      h(
        "table",
        { class: "plain" },
        h("caption", { class: "unseen" }, "Provenance"),
        report.before && h("thead", null, h("tr", null, h("td"), columns.map(([name]) => h("th", { scope: "col" }, name)))),
        h("tbody", null, row("trace", columns.map(([, side]) => ({ text: health_text(side) }))), keys.map((key) => row(key.replace(/_(bytes|ns)$/, "").replaceAll("_", " "), columns.map(([, side]) => ({ text: provenance_text(key, side.provenance[key] ?? ""), title: side.provenance[key] ?? "" }))))),
      ),
      h(
        "table",
        { class: "plain" },
        h("caption", { class: "unseen" }, "Totals"),
        h(
          "tbody",
          null,
          NUMBERS.map(({ name, term: word, of, format = count, title = exact }) =>
            row(word ? term(word, name) : name, columns.map(([, side]) => ({ text: format(of(side)), title: title(of(side)) }))),
          ),
        ),
      ),
    ),
    h("details", { class: "folded" }, h("summary", null, "What the words mean"), glossary()),
    h("p", { class: "hint" }, `Made by ${report.generator}. This file works without a network and sends nothing anywhere.`),
  );
}
