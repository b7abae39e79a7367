// The tables of sizes and threads.
import { h } from "../core/dom.ts";
import { share_of } from "../core/format.ts";
import type { Page } from "../core/page.ts";
import { term } from "../core/terms.ts";
import type { SizeRow, ThreadRow } from "../schema.ts";
import { section } from "./controls.ts";
import { Table, type Column } from "./table.ts";

export function sizes_section(page: Page): HTMLElement {
  const { report } = page;
  const compared = (of: (row: { allocations: number; live_at_peak: { requested_bytes: number; blocks: number }; leaked: { requested_bytes: number } }) => number): Pick<Column<SizeRow>, "value" | "before"> => ({
    value: of,
    ...(page.diff ? { before: (row: SizeRow) => (row.before ? of(row.before) : 0) } : {}),
  });
  const table = new Table<SizeRow>({
    caption: "Requested sizes",
    noun: "size",
    rows: report.sizes,
    sort: "allocations",
    text: (row) => String(row.size),
    placeholder: "filter: size>=1KiB leaked>0",
    columns: [
      { key: "size", label: "size", kind: "bytes", value: (row) => row.size },
      { key: "usable", label: "usable", kind: "bytes", term: "usable", value: (row) => row.usable },
      { key: "rounding", label: "rounding", kind: "percent", term: "internal fragmentation", value: (row) => share_of(row.usable - row.size, row.usable) },
      { key: "allocations", label: "allocations", kind: "count", bar: "traffic", ...compared((row) => row.allocations) },
      { key: "peak_blocks", label: "blocks at peak", kind: "count", ...compared((row) => row.live_at_peak.blocks) },
      { key: "peak", label: "live at peak", kind: "bytes", bar: "live", ...compared((row) => row.live_at_peak.requested_bytes) },
      { key: "leaked", label: "leaked", kind: "bytes", bar: "leaked", ...compared((row) => row.leaked.requested_bytes) },
    ],
  });
  return section(
    "sizes",
    "Sizes",
    ["What sizes the program asks for, and what ", term("internal fragmentation", "rounding"), " adds to each."],
    table.element,
    report.sizes_omitted > 0 && h("p", { class: "hint" }, `${report.sizes_omitted.toLocaleString("en")} rarer sizes are not listed.`),
  );
}

export function threads_section(page: Page): HTMLElement {
  const { threads } = page.report;
  const table = new Table<ThreadRow>({
    caption: "Threads",
    noun: "thread",
    rows: threads,
    sort: "allocations",
    text: (row) => `${row.name} ${row.tid}`,
    columns: [
      { key: "thread", label: "thread", kind: "text", value: (row) => row.name || `thread ${row.index}` },
      { key: "tid", label: "id", kind: "count", value: (row) => row.tid, cell: (row) => String(row.tid) },
      { key: "allocations", label: "allocations", kind: "count", value: (row) => row.allocations, bar: "traffic" },
      { key: "allocated", label: "allocated", kind: "bytes", value: (row) => row.allocated_bytes, bar: "traffic", term: "allocated" },
      { key: "frees", label: "frees", kind: "count", value: (row) => row.frees },
      { key: "cross_thread", label: "of other threads", kind: "count", value: (row) => row.cross_thread_frees, bar: "external", term: "cross-thread free" },
      { key: "peak", label: "live at peak", kind: "bytes", value: (row) => row.live_bytes_at_peak, bar: "live", term: "peak" },
    ],
  });
  return section("threads", "Threads", "", table.element);
}
