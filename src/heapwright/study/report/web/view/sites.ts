// The table of call sites: one look a question, each with the columns that answer it.
import { sum_of } from "../core/buckets.ts";
import { h } from "../core/dom.ts";
import { share_of } from "../core/format.ts";
import { go_to, type Page } from "../core/page.ts";
import type { Site, SiteNumbers } from "../schema.ts";
import { choices, choose, section } from "./controls.ts";
import { site_detail } from "./site_detail.ts";
import { Table, type Column } from "./table.ts";

type Look = "peak" | "leaked" | "traffic" | "pinned" | "resized" | "threads";

/// Every numeric column that some look shows.
const NUMBERS = {
  peak: { label: "live at peak", kind: "bytes", bar: "live", term: "peak", of: (s) => s.live_at_peak.requested_bytes },
  peak_blocks: { label: "blocks at peak", kind: "count", of: (s) => s.live_at_peak.blocks },
  rounding: { label: "rounding at peak", kind: "bytes", bar: "rounding", term: "internal fragmentation", of: (s) => s.live_at_peak.usable_bytes - s.live_at_peak.requested_bytes },
  own_peak: { label: "own peak", kind: "bytes", of: (s) => s.peak_bytes },
  leaked: { label: "leaked", kind: "bytes", bar: "leaked", term: "leaked", of: (s) => s.leaked.requested_bytes },
  leaked_blocks: { label: "leaked blocks", kind: "count", of: (s) => s.leaked.blocks },
  allocated: { label: "allocated", kind: "bytes", bar: "traffic", term: "allocated", of: (s) => s.allocated_bytes },
  allocations: { label: "allocations", kind: "count", bar: "traffic", of: (s) => s.allocations },
  mean_size: { label: "mean size", kind: "bytes", of: (s) => share_of(s.allocated_bytes, s.allocations) },
  temporary: { label: "temporary", kind: "count", bar: "temporary", term: "temporary", of: (s) => s.temporary },
  short_lived: { label: "short-lived", kind: "count", term: "short-lived", of: (s) => s.short_lived },
  same_frame: { label: "same frame", kind: "count", term: "same frame", of: (s) => s.same_frame },
  lifetime: { label: "mean lifetime", kind: "time", term: "lifetime", of: (s) => share_of(s.lifetime_ns_total, sum_of(s.lifetimes)) },
  pinned_free_peak: { label: "pinned free, peak", kind: "bytes", bar: "external", term: "pinned free", of: (s) => s.pinned_free_bytes_at_peak },
  pinned_free_end: { label: "pinned free, end", kind: "bytes", bar: "external", of: (s) => s.pinned_free_bytes_at_end },
  pinned_peak: { label: "pinned, peak", kind: "bytes", term: "pinned", of: (s) => s.pinned_bytes_at_peak },
  pinned_end: { label: "pinned, end", kind: "bytes", of: (s) => s.pinned_bytes_at_end },
  reallocs: { label: "resizes", kind: "count", bar: "traffic", of: (s) => s.reallocs },
  copied: { label: "copied", kind: "bytes", bar: "traffic", term: "copied", of: (s) => s.realloc_copied_bytes },
  chains: { label: "chains", kind: "count", term: "realloc chain", of: (s) => s.realloc_chains },
  chain_max: { label: "longest chain", kind: "count", of: (s) => s.realloc_chain_max },
  over_aligned: { label: "over-aligned", kind: "count", term: "over-aligned", of: (s) => s.over_aligned },
  threads: { label: "threads", kind: "count", of: (s) => s.threads },
  cross_thread: { label: "cross-thread frees", kind: "count", bar: "external", term: "cross-thread free", of: (s) => s.cross_thread_frees },
} satisfies Record<string, Omit<Column<Site>, "key" | "value" | "before"> & { of: (site: SiteNumbers) => number }>;

type Key = keyof typeof NUMBERS;

const LOOKS: Record<Look, { label: string; columns: Key[] }> = {
  peak: { label: "At the peak", columns: ["peak", "peak_blocks", "rounding", "pinned_free_peak", "own_peak", "leaked", "allocated"] },
  leaked: { label: "Leaked", columns: ["leaked", "leaked_blocks", "pinned_free_end", "allocations", "mean_size", "peak"] },
  traffic: { label: "Traffic", columns: ["allocations", "allocated", "mean_size", "temporary", "short_lived", "same_frame", "lifetime"] },
  pinned: { label: "Pinned pages", columns: ["pinned_free_peak", "pinned_peak", "pinned_free_end", "pinned_end", "peak", "peak_blocks"] },
  resized: { label: "Resized", columns: ["copied", "reallocs", "chains", "chain_max", "allocations", "allocated"] },
  threads: { label: "Threads", columns: ["cross_thread", "threads", "allocations", "allocated", "over_aligned"] },
};

/// Function, place and the nearest callers: enough to know a site without opening it.
function site_cell(page: Page, site: Site): HTMLElement {
  const { names } = page;
  const own = names.first_own(site.frames);
  const callers = site.frames.slice(site.frames.indexOf(own) + 1).filter((frame) => !names.is_runtime(frame));
  const via = callers.slice(0, 3).map((frame) => names.short(frame));
  return h(
    "span",
    { class: "site" },
    h("span", { class: "code", title: names.full(own) }, names.short(own)),
    h("small", { title: names.full_place(own) }, names.place(own) || names.module(own), via.length > 0 && ` \u2190 ${via.join(" \u2190 ")}`),
  );
}

function columns_of(page: Page, look: Look): Column<Site>[] {
  const { names } = page;
  const first: Column<Site> = {
    key: "site",
    label: "site",
    kind: "text",
    term: "site",
    value: (site) => names.short(names.first_own(site.frames)),
    cell: (site) => site_cell(page, site),
  };
  const shown = LOOKS[look].columns.filter((key) => !page.diff || (key !== "own_peak" && key !== "rounding")); // signed columns are wide
  const numbers = shown.map((key): Column<Site> => {
    const { of, ...rest } = NUMBERS[key];
    const before = (site: Site): number => (site.before ? of(site.before) : 0);
    return { ...(rest as Omit<Column<Site>, "key" | "value">), key, value: of, ...(page.diff ? { before } : {}) };
  });
  return [first, ...numbers];
}

export function sites_section(page: Page): HTMLElement {
  const { report, names } = page;
  const looks = choices(
    "Look at",
    (Object.keys(LOOKS) as Look[]).map((look) => ({ value: look, label: LOOKS[look].label })),
    "peak" as Look,
    (look) => show(look),
  );
  const table = new Table<Site>({
    caption: "Call sites",
    noun: "site",
    rows: report.sites,
    columns: columns_of(page, "peak"),
    sort: "peak",
    text: (site) => site.frames.map((frame) => `${names.full(frame)} ${names.full_place(frame)} ${names.module(frame)}`).join(" "),
    detail: (site) => site_detail(page, site),
    placeholder: "filter: function file leaked>1MiB -word",
    tools: looks,
    conditions: Object.entries(NUMBERS).map(([key, { of }]) => ({ key, value: of })),
  });
  const show = (look: Look): void => table.show_columns(columns_of(page, look), LOOKS[look].columns[0] as Key);
  page.wanted_site.watch(({ id }) => {
    const site = page.site(id);
    if (site) {
      choose(looks, "peak");
      show("peak");
      go_to("sites");
      table.reveal(site);
    }
  });
  return section(
    "sites",
    "Call sites",
    ["Every stack that allocates, one row each. Open a row for its whole stack, sizes and lifetimes."],
    table.element,
    report.sites_omitted > 0 && h("p", { class: "hint" }, `${report.sites_omitted.toLocaleString("en")} smaller sites are not listed; they are part of all totals and of the flame graph.`),
  );
}
