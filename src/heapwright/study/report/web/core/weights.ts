// What a call stack can be weighed by: its words, unit and colour, the same in flame graph and tables.
import type { Weight } from "../schema.ts";
import { bytes, count, exact, exact_bytes } from "./format.ts";

export interface WeightInfo {
  label: string;
  title: string;
  color: string; // a variable of the style sheet
  unit: "bytes" | "blocks";
  format: (value: number) => string;
  exact: (value: number) => string;
}

const in_bytes = { unit: "bytes", format: bytes, exact: exact_bytes } as const;
const in_blocks = { unit: "blocks", format: count, exact: (value: number) => `${exact(value)} blocks` } as const;

export const WEIGHT_INFO: Record<Weight, WeightInfo> = {
  peak: { label: "Peak", title: "Requested bytes live at the peak of the whole program", color: "live", ...in_bytes },
  leaked: { label: "Leaked", title: "Requested bytes that were never freed", color: "leaked", ...in_bytes },
  allocated: { label: "Allocated", title: "Requested bytes over the whole run", color: "traffic", ...in_bytes },
  allocations: { label: "Allocations", title: "Number of blocks over the whole run", color: "traffic", ...in_blocks },
  temporary: { label: "Temporary", title: "Blocks freed before the same thread's next allocation", color: "temporary", ...in_blocks },
  pinned_free_peak: {
    label: "Pinned free, peak",
    title: "Free bytes on OS pages that this call path alone keeps resident, at the peak",
    color: "external",
    ...in_bytes,
  },
  pinned_free_end: {
    label: "Pinned free, end",
    title: "Free bytes on OS pages that this call path alone keeps resident, at the end of the recording",
    color: "external",
    ...in_bytes,
  },
};
