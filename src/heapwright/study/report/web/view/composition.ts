// Where the resident memory goes: one bar a moment, from what the program asked for to what the kernel gave.
import { h, styled, type Child } from "../core/dom.ts";
import { bytes, exact_bytes, percent, share_of, time } from "../core/format.ts";
import { term, type Term } from "../core/terms.ts";
import type { Fragmentation, Report } from "../schema.ts";
import { swatch } from "./controls.ts";

interface Part {
  color: string;
  strong?: true; // dark enough for light text
  label: string;
  term: Term;
  of: (at: Fragmentation) => number;
}

const PARTS: readonly Part[] = [
  { color: "live", strong: true, label: "requested", term: "requested", of: (at) => at.live_requested },
  { color: "rounding", label: "rounding", term: "internal fragmentation", of: (at) => at.internal_bytes },
  { color: "external", label: "free on occupied pages", term: "external fragmentation", of: (at) => at.external_bytes },
  { color: "retained", strong: true, label: "empty pages kept", term: "retained", of: (at) => at.retained_bytes },
  { color: "other", label: "other memory", term: "other memory", of: (at) => at.non_heap_bytes },
];

const parts_sum = (at: Fragmentation): number => PARTS.reduce((sum, part) => sum + part.of(at), 0);

/// Parts can be more than what is resident: memory that was asked for and never touched. A line marks where RSS ends.
function resident_mark(at: Fragmentation, longest: number): HTMLElement | false {
  const beyond = parts_sum(at) - at.resident_bytes;
  return (
    at.resident_bytes > 0 &&
    beyond > 0.02 * at.resident_bytes &&
    styled(h("i", { class: "mark", title: `RSS ends here; ${bytes(beyond)} beyond it was never touched, or is swapped out` }), { left: `${(100 * at.resident_bytes) / longest}%` })
  );
}

function bar(label: Child, at: Fragmentation, longest: number): HTMLElement {
  const whole = parts_sum(at);
  const text = PARTS.map((part) => `${part.label} ${bytes(part.of(at))}`).join(", ");
  return h(
    "div",
    { class: "composition" },
    h("span", { class: "which" }, label),
    h(
      "div",
      { class: "strip", role: "img", "aria-label": text },
      PARTS.map((part) => {
        const value = part.of(at);
        return (
          value > 0 &&
          styled(
            h("span", { class: part.strong ? "strong" : "", title: `${part.label}: ${exact_bytes(value)}, ${percent(share_of(value, whole))} of this bar` }, h("span", null, bytes(value))),
            { width: `${100 * share_of(value, longest)}%`, background: `var(--${part.color})` },
          )
        );
      }),
      resident_mark(at, longest),
    ),
    h("span", { class: "sum", title: exact_bytes(at.resident_bytes) }, at.resident_bytes > 0 ? `${bytes(at.resident_bytes)} RSS` : bytes(whole)),
  );
}

export function composition(report: Report): HTMLElement {
  const { before } = report;
  const moments: [string, Fragmentation | undefined][] = before
    ? [["peak before", before.at_peak], ["peak after", report.at_peak], ["end before", before.at_end], ["end after", report.at_end]]
    : [[`peak, ${time(report.at_peak.time_ns)}`, report.at_peak], [`end, ${time(report.at_end.time_ns)}`, report.at_end]];
  const known = moments.filter((moment): moment is [string, Fragmentation] => moment[1] !== undefined);
  const longest = Math.max(1, ...known.map(([, at]) => Math.max(at.resident_bytes, parts_sum(at))));
  return h(
    "div",
    { class: "compositions" },
    h("ul", { class: "legend" }, PARTS.map((part) => h("li", null, swatch(part.color), term(part.term, part.label)))),
    known.map(([label, at]) => bar(label, at, longest)),
  );
}
