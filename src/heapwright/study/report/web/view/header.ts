// The head of the page: what was recorded, and in a few sentences and numbers what its memory is.
import { h, type Child } from "../core/dom.ts";
import { bytes, count, counted, exact, exact_bytes, percent, share_of, signed, time } from "../core/format.ts";
import type { Page } from "../core/page.ts";
import { term } from "../core/terms.ts";
import type { Report } from "../schema.ts";
import { composition } from "./composition.ts";

interface Stat {
  label: Child;
  value: number;
  format: (value: number) => string;
  exact: (value: number) => string;
  note?: string;
  before: number | undefined;
}

function stats(report: Report): Stat[] {
  const { totals, at_peak, before } = report;
  const old = before?.totals;
  const in_bytes = { format: bytes, exact: exact_bytes };
  const plain = { format: count, exact };
  const in_percent = { format: percent, exact: (value: number) => `${(100 * value).toFixed(3)} %` };
  return [
    { label: term("requested", "peak requested"), value: totals.peak_requested, ...in_bytes, note: `at ${time(totals.peak_time_ns)}`, before: old?.peak_requested },
    { label: term("RSS", "peak RSS"), value: totals.peak_resident, ...in_bytes, note: `${share_of(totals.peak_resident, totals.peak_requested).toFixed(2)} \u00d7 requested`, before: old?.peak_resident },
    { label: term("external fragmentation"), value: at_peak.external_ratio, ...in_percent, note: `${bytes(at_peak.external_bytes)} at the peak`, before: before?.at_peak.external_ratio },
    { label: term("internal fragmentation"), value: at_peak.internal_ratio, ...in_percent, note: `${bytes(at_peak.internal_bytes)} at the peak`, before: before?.at_peak.internal_ratio },
    { label: term("leaked"), value: totals.leaked.requested_bytes, ...in_bytes, note: counted(totals.leaked.blocks, "block"), before: old?.leaked.requested_bytes },
    { label: "allocations", value: totals.allocations, ...plain, note: bytes(totals.allocated_bytes), before: old?.allocations },
    { label: term("temporary"), value: share_of(totals.temporary, totals.allocations), ...in_percent, note: counted(totals.temporary, "block"), before: old && share_of(old.temporary, old.allocations) },
    { label: "run time", value: totals.duration_ns, format: time, exact: (value) => `${exact(value)} ns`, note: `${time(totals.cpu_ns)} CPU`, before: old?.duration_ns },
  ];
}

function stat(entry: Stat): HTMLElement {
  const { value, before } = entry;
  const change = before === undefined ? 0 : value - before;
  return h(
    "div",
    { class: "stat" },
    h("dt", null, entry.label),
    h("dd", { title: entry.exact(value) }, entry.format(value)),
    before === undefined
      ? h("dd", { class: "note" }, entry.note)
      : h("dd", { class: `note ${change > 0 ? "worse" : change < 0 ? "better" : ""}`, title: `before: ${entry.exact(before)}` }, signed(change, entry.format)),
  );
}

/// The largest part of what is resident but not live, in words.
function blame(report: Report): Child[] {
  const { at_peak } = report;
  const gap = at_peak.resident_bytes - at_peak.live_requested;
  const parts: [number, Child, string][] = [
    [at_peak.external_bytes, term("external fragmentation", "free space between live blocks"), " on pages the kernel cannot take back"],
    [at_peak.retained_bytes, term("retained", "empty pages that the allocator keeps"), ""],
    [at_peak.internal_bytes, term("internal fragmentation", "rounding inside blocks"), ""],
    [at_peak.non_heap_bytes, term("other memory", "code, files and stacks"), " and no heap at all"],
  ];
  const [size, name, more] = parts.reduce((most, part) => (part[0] > most[0] ? part : most));
  if (at_peak.resident_bytes === 0 || gap <= 0 || size === 0) {
    return [];
  }
  return [" Of the ", h("b", null, bytes(gap)), " between them, the largest part is ", h("b", null, bytes(size)), " of ", name, `${more}.`];
}

function verdict(report: Report): Child[] {
  const { totals, at_peak, before } = report;
  if (before) {
    const change = totals.peak_requested - before.totals.peak_requested;
    const resident = totals.peak_resident - before.totals.peak_resident;
    return [
      "From ", h("b", null, before.title), " to this trace, peak requested memory went from ", h("b", null, bytes(before.totals.peak_requested)), " to ", h("b", null, bytes(totals.peak_requested)),
      ` (${signed(change, bytes)}), peak RSS from `, h("b", null, bytes(before.totals.peak_resident)), " to ", h("b", null, bytes(totals.peak_resident)), ` (${signed(resident, bytes)}), and leaks by ${signed(totals.leaked.requested_bytes - before.totals.leaked.requested_bytes, bytes)}.`,
    ];
  }
  return [
    "At its peak, ", h("b", null, time(totals.peak_time_ns)), " into the run, the program held ", h("b", null, bytes(at_peak.live_requested)), ` in ${counted(at_peak.live_blocks, "block")}`,
    at_peak.resident_bytes > 0 && ["; the kernel had given it ", h("b", null, bytes(at_peak.resident_bytes))],
    ".",
    blame(report),
  ];
}

function warning(report: Report): Child {
  const { health, totals } = report;
  const notes = [
    health.note,
    !health.complete && !health.note && "The recording was cut off before the program ended; the figures reach to the last whole chunk",
    health.dropped_events > 0 && `${counted(health.dropped_events, "event")} could not be recorded`,
    totals.mismatched > 0 && `${counted(totals.mismatched, "block")} freed by the wrong function (new[] by delete, malloc by delete): undefined behaviour`,
    Boolean(totals.overlaps) && `${counted(totals.overlaps ?? 0, "block")} handed out on top of a live one: the trace is not to be trusted there`,
    totals.failed > 0 && `${counted(totals.failed, "request")} refused by the allocator`,
  ].filter((note): note is string => Boolean(note));
  return notes.length > 0 && h("ul", { class: "warning", role: "note" }, notes.map((note) => h("li", null, note)));
}

/// One line of where the figures come from; the section at the end of the page has all.
function origin(report: Report): string {
  const { provenance, totals, health } = report;
  const words: [string, (value: string) => string][] = [
    ["allocator", (value) => value],
    ["kernel", (value) => `Linux ${value}`],
    ["cores_online", (value) => counted(Number(value), "core")],
    ["thp", (value) => `huge pages: ${value}`],
  ];
  const known = words.flatMap(([name, text]) => (provenance[name] ? [text(provenance[name])] : []));
  const sampled = health.sample_interval_bytes > 0 ? `sampled, one in ${bytes(health.sample_interval_bytes)}` : "every event kept";
  return [...known, `${counted(totals.events, "event")}, ${sampled}`].join(" \u00b7 ");
}

export function header(page: Page): HTMLElement {
  const { report } = page;
  const command = report.provenance["arguments"] ?? report.provenance["program"];
  return h(
    "header",
    { id: "overview" },
    h("p", { class: "brand" }, page.diff ? "heapwright comparison" : "heapwright report"),
    h("h1", null, report.title),
    command && command !== report.title && h("p", { class: "command code", title: command }, command),
    h("p", { class: "origin" }, origin(report)),
    warning(report),
    h("p", { class: "verdict" }, verdict(report)),
    h("dl", { class: "stats" }, stats(report).map(stat)),
    composition(report),
  );
}
