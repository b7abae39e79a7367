// The contract between the C++ side, which writes the report's JSON, and this page, which shows it.
//
// Names and units follow study/analysis/findings.hpp; what findings.hpp says about a field holds here too.
// - Every `*_bytes` is bytes, every `*_ns` nanoseconds since the first event. Counts are exact, not estimates.
// - All numbers are JSON numbers. What does not exist is left out (optional fields), never null or NaN.
// - Enumerators travel as their C++ names ("not_tried", "arena_at_site").
// - In a comparison of two traces (`kind: "diff"`) every plain field describes the second trace (B, "after"); the
//   same fields of the first trace (A, "before") stand in `before`. Differences are always after - before.
// - A reader of schema n accepts every document of schema n; new optional fields do not raise n.

export const SCHEMA = 1;

export interface Report {
  schema: number; // SCHEMA
  kind: "report" | "diff";
  title: string; // what was recorded, for headings: "sqlite3", or "sqlite3 A against sqlite3 B"
  generator: string; // "heapwright 0.1.0"
  provenance: Record<string, string>; // Findings::provenance, as is
  health: TraceHealth;
  totals: Totals;
  frames: Frame[];
  modules: string[]; // names that Frame.module points into
  sites: Site[]; // the sites worth a row (at most about 2000), any order
  sites_omitted: number; // how many more sites the trace has
  tree: Tree;
  sizes: SizeRow[]; // at most about 1000 rows
  sizes_omitted: number;
  threads: ThreadRow[];
  timeline: Timeline;
  maps: HeapMap[]; // peak, end, then key moments in time order; may be empty
  at_peak: Fragmentation;
  at_end: Fragmentation;
  lifetimes: number[]; // blocks by lifetime bucket: [2^b, 2^(b+1)) ns
  lifetime_bytes: number[];
  lifetime_by_size: number[][]; // [lifetime bucket][size bucket] = blocks
  suggestions?: Suggestion[]; // absent: advice was not asked for; []: there is none
  comparison?: Comparison; // absent: nothing was replayed
  before?: Before; // present exactly when kind is "diff"
}

/// The first trace of a comparison, as far as the page shows both sides.
export interface Before {
  title: string;
  provenance: Record<string, string>;
  health: TraceHealth;
  totals: Totals;
  timeline: Timeline;
  at_peak: Fragmentation;
  at_end: Fragmentation;
  lifetimes: number[];
  lifetime_bytes: number[];
}

export interface TraceHealth {
  complete: boolean;
  file_bytes: number;
  used_bytes: number;
  dropped_events: number;
  sample_interval_bytes: number; // 0: every event was kept
  note: string;
}

export interface Amount {
  blocks: number;
  requested_bytes: number;
  usable_bytes: number;
}

export interface Totals {
  events: number;
  allocations: number;
  frees: number;
  reallocs: number;
  failed: number;
  allocated_bytes: number;
  temporary: number;
  cross_thread_frees: number;
  over_aligned: number;
  unknown_frees: number;
  inherited_frees: number;
  mismatched: number;
  overlaps?: number;
  duration_ns: number;
  cpu_ns: number;
  peak_requested: number;
  peak_usable: number;
  peak_time_ns: number;
  peak_resident: number;
  minor_faults: number;
  major_faults: number;
  leaked: Amount;
}

export interface Frame {
  function: string;
  file?: string; // left out without debug info
  line?: number;
  offset?: number; // bytes from the function's start to the call, where no line is known
  module: number; // index into Report.modules
  inlined?: true;
  runtime?: true;
}

/// The numbers of a site that exist on both sides of a comparison.
export interface SiteNumbers {
  calls: Record<string, number>; // by trace::Call name, only those that happened: {"malloc": 12}
  allocations: number;
  allocated_bytes: number;
  allocated_usable_bytes: number;
  frees?: number;
  live_at_peak: Amount;
  leaked: Amount;
  peak_bytes: number;
  temporary: number;
  short_lived: number;
  same_frame: number;
  cross_thread_frees: number;
  reallocs: number;
  realloc_copied_bytes: number;
  realloc_chain_max: number;
  realloc_chains: number;
  over_aligned: number;
  min_size: number;
  max_size: number;
  drains?: number; // shown where present, as the next three
  touched_blocks?: number;
  touched_requested_bytes?: number;
  touched_bytes?: number;
  lifetime_ns_total: number;
  lifetime_ns_max: number;
  first_ns: number;
  last_ns: number;
  threads: number;
  pinned_bytes_at_peak: number;
  pinned_bytes_at_end: number;
  pinned_free_bytes_at_peak: number;
  pinned_free_bytes_at_end: number;
  lifetimes: number[]; // sparse: bucket, count, bucket, count ... in bucket order
  sizes: number[]; // sparse, the same way
}

export interface Site extends SiteNumbers {
  id: number; // Findings' SiteId: what suggestions and experiments name
  frames: number[]; // indices into Report.frames, innermost first
  before?: SiteNumbers; // diff only; a site that only A has carries zeros outside and its numbers here
}

/// What a node of the call tree can be weighed by. The order is the order of the page's switch.
export const WEIGHTS = [
  "peak", // live_at_peak.requested_bytes
  "leaked", // leaked.requested_bytes
  "allocated", // allocated_bytes
  "allocations", // allocations
  "temporary", // temporary
  "pinned_free_peak", // pinned_free_bytes_at_peak
  "pinned_free_end", // pinned_free_bytes_at_end
] as const;
export type Weight = (typeof WEIGHTS)[number];

/// All sites' stacks merged into one tree, outermost frame first; at most about 20 000 nodes.
/// Columns of equal length. Node 0 is the root (all of the program); parents come before their children.
/// Siblings that are the same function of the same module are one node, whatever their lines.
export interface Tree {
  parent: number[]; // -1 for the root
  frame: number[]; // index into Report.frames; -1: the root; -2: "(smaller stacks)", what was cut off below the parent
  values: Record<Weight, number[]>; // the whole subtree's value, so a parent is at least the sum of its children
  values_before?: Record<Weight, number[]>; // diff only
  nodes_omitted: number;
}

export interface SizeRow {
  size: number; // bytes requested
  usable: number; // bytes the allocator gave
  allocations: number;
  live_at_peak: Amount;
  leaked: Amount;
  before?: { allocations: number; live_at_peak: Amount; leaked: Amount };
}

export interface ThreadRow {
  index: number;
  tid: number;
  name: string;
  allocations: number;
  allocated_bytes: number;
  frees: number;
  cross_thread_frees: number;
  live_bytes_at_peak: number;
}

/// Moments as columns of equal length, ascending in time.
export interface Timeline {
  time_ns: number[];
  live_requested: number[];
  live_usable: number[];
  live_blocks: number[];
  occupied_page_bytes: number[];
  resident_bytes: number[]; // 0: nothing was sampled
  file_bytes: number[];
  allocations: number[];
  frees: number[];
  fragmentation: number[]; // in [0, 1]
}

export interface HeapMap {
  label: string;
  time_ns: number;
  runs: HeapRun[]; // ascending in address
}

export interface HeapRun {
  begin: number; // address; user space addresses stay below 2^53
  cell_bytes: number;
  cells: number;
  occupancy: string; // base64 of `cells` bytes: 0 empty, 1 to 255 share of live bytes
}

export interface Fragmentation {
  time_ns: number;
  live_requested: number;
  live_usable: number;
  live_blocks: number;
  occupied_pages: number;
  internal_bytes: number;
  external_bytes: number;
  largest_free_run: number;
  internal_ratio: number;
  external_ratio: number;
  resident_bytes: number;
  retained_bytes: number;
  non_heap_bytes: number;
  occupancy: number[]; // 11 buckets, see findings.hpp
}

export type Verdict = "not_tried" | "proved" | "refuted";

export interface Suggestion {
  rule: string;
  title: string;
  site?: number; // Site.id
  where: string;
  evidence: { name: string; value: number; unit: string }[]; // unit: "B", "ns", "%", "s", "blocks" ..., or empty
  what: string;
  how: string;
  expected_bytes: number;
  expected_seconds: number;
  arithmetic?: string; // how the expected figures came about
  measured_bytes?: number; // saved by the experiment; negative: it cost more
  measured_seconds?: number;
  experiment: { id: string; kind: string; target: string; sites: number[] };
  verdict: Verdict;
  proof: string;
}

/// What a replayed trial is measured by; the order is the order of the page's columns.
export const METRICS = [
  "peak_rss_bytes",
  "mean_rss_bytes", // over the events
  "end_rss_bytes", // after the last event
  "retained_bytes", // a moment later: what is live and what the allocator keeps
  "floor_bytes", // after everything was freed
  "wall_ns",
  "cpu_ns",
  "allocator_ns", // inside the allocator
  "minor_faults",
  "major_faults",
  "voluntary_switches",
  "involuntary_switches",
  "syscalls",
] as const;
export type Metric = (typeof METRICS)[number];

export interface Comparison {
  baseline: number; // index into trials
  trials: Trial[];
  note?: string; // a sentence about what the replay could not follow
}

export interface Trial {
  label: string; // "glibc:arena_max=2"
  environment?: Record<string, string>;
  preload?: string;
  experiment?: string; // Suggestion.experiment.id that this trial tries
  runs: number; // how often it ran to its end
  failure?: string; // a sentence when no run came to its end; then `metrics` is empty
  metrics: Partial<Record<Metric, TrialMetric>>;
  curve?: { progress: number[]; rss_bytes: number[] }; // of the median run; progress in [0, 1] of the events
}

export interface TrialMetric {
  median: number;
  min: number;
  max: number;
  difference: number; // median - baseline's median
  real: boolean; // the difference is more than noise; false for the baseline itself
}
