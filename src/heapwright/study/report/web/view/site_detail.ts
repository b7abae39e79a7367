// What an open row of the site table shows: the whole stack, all numbers, sizes and lifetimes.
import { BUCKETS, dense, sum_of } from "../core/buckets.ts";
import { h, type Child } from "../core/dom.ts";
import { bytes, count, counted, exact_bytes, percent, share_of, time } from "../core/format.ts";
import type { Page } from "../core/page.ts";
import { term, type Term } from "../core/terms.ts";
import type { Amount, Site } from "../schema.ts";
import { button } from "./controls.ts";
import { histogram } from "./histogram.ts";

type Row = readonly [Child, string, string?] | false;

function amount(of: Amount): string {
  return of.blocks === 0 ? "nothing" : `${bytes(of.requested_bytes)} in ${counted(of.blocks, "block")}`;
}

function numbers(site: Site): Row[] {
  const freed = sum_of(site.lifetimes);
  const word = (name: Term, label?: string): Child => term(name, label ?? name);
  const part = (value: number): string => `${count(value)} (${percent(share_of(value, site.allocations))})`;
  return [
    [word("peak", "live at peak"), amount(site.live_at_peak), exact_bytes(site.live_at_peak.requested_bytes)],
    ["own peak", bytes(site.peak_bytes), exact_bytes(site.peak_bytes)],
    [word("leaked"), amount(site.leaked), exact_bytes(site.leaked.requested_bytes)],
    [word("allocated"), `${bytes(site.allocated_bytes)} in ${counted(site.allocations, "block")}`, exact_bytes(site.allocated_bytes)],
    [word("internal fragmentation", "rounding"), `${bytes(site.allocated_usable_bytes - site.allocated_bytes)} (${percent(share_of(site.allocated_usable_bytes - site.allocated_bytes, site.allocated_usable_bytes))} of usable)`],
    ["sizes", site.min_size === site.max_size ? bytes(site.min_size) : `${bytes(site.min_size)} to ${bytes(site.max_size)}`],
    [word("lifetime", "mean lifetime"), freed > 0 ? `${time(share_of(site.lifetime_ns_total, freed))}, longest ${time(site.lifetime_ns_max)}` : "never freed"],
    ["active", `${time(site.first_ns)} to ${time(site.last_ns)}, ${counted(site.threads, "thread")}`],
    site.temporary > 0 && [word("temporary"), part(site.temporary)],
    site.short_lived > 0 && [word("short-lived"), part(site.short_lived)],
    site.same_frame > 0 && [word("same frame"), part(site.same_frame)],
    site.cross_thread_frees > 0 && [word("cross-thread free", "cross-thread frees"), part(site.cross_thread_frees)],
    site.reallocs > 0 && ["resizes", `${count(site.reallocs)}, ${bytes(site.realloc_copied_bytes)} copied`],
    site.realloc_chains > 0 && [word("realloc chain", "realloc chains"), `${count(site.realloc_chains)}, longest ${count(site.realloc_chain_max)}`],
    site.over_aligned > 0 && [word("over-aligned"), part(site.over_aligned)],
    site.pinned_bytes_at_peak > 0 && [word("pinned", "pinned at peak"), `${bytes(site.pinned_bytes_at_peak)}, ${bytes(site.pinned_free_bytes_at_peak)} of it free`],
    site.pinned_bytes_at_end > 0 && [word("pinned", "pinned at end"), `${bytes(site.pinned_bytes_at_end)}, ${bytes(site.pinned_free_bytes_at_end)} of it free`],
    Boolean(site.drains) && ["all gone", `${counted(site.drains ?? 0, "time")}: no block of this site was left`],
    Boolean(site.touched_blocks) && ["touched", `${percent(share_of(site.touched_bytes ?? 0, site.touched_requested_bytes ?? 0))} of ${counted(site.touched_blocks ?? 0, "large block")}`],
    ["calls", Object.entries(site.calls).map(([name, times]) => `${name} ${count(times)}`).join(", ") || "none"],
  ];
}

function stack(page: Page, site: Site): HTMLElement {
  const { names } = page;
  return h(
    "ol",
    { class: "stack", "aria-label": "Call stack, innermost first" },
    site.frames.map((frame) =>
      h(
        "li",
        { class: names.is_runtime(frame) ? "runtime" : "" },
        h("span", { class: "code" }, names.full(frame)),
        h("small", null, [names.full_place(frame), names.module(frame), names.frame(frame)?.inlined ? "inlined" : ""].filter(Boolean).join(" \u00b7 ")),
      ),
    ),
  );
}

async function copy(text: string, from: HTMLElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    from.textContent = "Copied";
  } catch {
    from.textContent = "Copying is not allowed here";
  }
}

export function site_detail(page: Page, site: Site): HTMLElement {
  const { names, report } = page;
  const advice = report.suggestions?.filter((suggestion) => suggestion.site === site.id || suggestion.experiment.sites.includes(site.id)) ?? [];
  const text = site.frames.map((frame) => `${names.full(frame)} ${names.full_place(frame) || names.module(frame)}`).join("\n");
  const copy_button = button("Copy stack", () => void copy(text, copy_button));
  return h(
    "div",
    { class: "site-detail" },
    h(
      "div",
      null,
      h(
        "dl",
        { class: "facts" },
        numbers(site).map((row) => row && [h("dt", null, row[0]), h("dd", { title: row[2] }, row[1])]),
      ),
      h(
        "div",
        { class: "histograms" },
        histogram({ title: "blocks by size", values: dense(site.sizes, BUCKETS), bucket_format: bytes, whole: true, value_format: (n) => counted(n, "block"), color: "live" }),
        histogram({ title: "blocks by lifetime", values: dense(site.lifetimes, BUCKETS), bucket_format: time, whole: false, value_format: (n) => counted(n, "block"), color: "traffic" }),
      ),
      advice.length > 0 && h("p", null, "Advice: ", advice.map((suggestion, at) => [at > 0 && "; ", h("a", { href: "#advice" }, suggestion.title)])),
      h("p", { class: "toolbar" }, button("Show in flame graph", () => page.wanted_stack.set({ frames: site.frames })), copy_button),
    ),
    stack(page, site),
  );
}
