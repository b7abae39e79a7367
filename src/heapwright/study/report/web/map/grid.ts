// One grid of cells for all moments: the same address stands at the same place whichever moment is shown.
import { bytes_of_base64 } from "../core/load.ts";
import type { HeapMap } from "../schema.ts";

/// A stretch of addresses without a gap over 1 MiB. Its cells are `first` ... `first + cells` of the grid.
export interface Region {
  begin: number;
  cell_bytes: number;
  cells: number;
  first: number;
}

export interface Grid {
  regions: Region[];
  cells: number;
}

const GAP = 1 << 20;
/// More cells than this show nothing more on a screen; regions then get coarser cells.
const MOST_CELLS = 1 << 18;

interface Span {
  begin: number;
  end: number;
  cell_bytes: number;
}

function spans_of(maps: readonly HeapMap[]): Span[] {
  const all = maps
    .flatMap((map) => map.runs.map((run) => ({ begin: run.begin, end: run.begin + run.cells * run.cell_bytes, cell_bytes: run.cell_bytes })))
    .sort((a, b) => a.begin - b.begin);
  const joined: Span[] = [];
  for (const span of all) {
    const last = joined[joined.length - 1];
    if (last && span.begin <= last.end + GAP) {
      last.end = Math.max(last.end, span.end);
      last.cell_bytes = Math.min(last.cell_bytes, span.cell_bytes);
    } else {
      joined.push({ ...span });
    }
  }
  return joined;
}

function grid_with(spans: readonly Span[], coarser: number): Grid {
  const regions: Region[] = [];
  let first = 0;
  for (const span of spans) {
    const cell_bytes = span.cell_bytes * coarser;
    const begin = Math.floor(span.begin / cell_bytes) * cell_bytes;
    const cells = Math.ceil((span.end - begin) / cell_bytes);
    regions.push({ begin, cell_bytes, cells, first });
    first += cells;
  }
  return { regions, cells: first };
}

/// The grid that has room for every map.
export function grid_of(maps: readonly HeapMap[]): Grid {
  const spans = spans_of(maps);
  let coarser = 1;
  let grid = grid_with(spans, coarser);
  while (grid.cells > MOST_CELLS && coarser < 1 << 20) {
    coarser *= 2;
    grid = grid_with(spans, coarser);
  }
  return grid;
}

export function region_of(grid: Grid, cell: number): Region | undefined {
  let low = 0;
  let high = grid.regions.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((grid.regions[middle] as Region).first <= cell) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return grid.regions[low];
}

export function address_of(grid: Grid, cell: number): number {
  const region = region_of(grid, cell);
  return region ? region.begin + (cell - region.first) * region.cell_bytes : 0;
}

/// The map's occupancy on the grid: the mean where several of its cells fall together, the same value where one
/// covers several. What holds anything stays above zero.
export function occupancy_on(grid: Grid, map: HeapMap): Uint8Array {
  const sums = new Float64Array(grid.cells); // live bytes times 255
  for (const run of map.runs) {
    const values = bytes_of_base64(run.occupancy);
    let region = grid.regions.find((known) => run.begin < known.begin + known.cells * known.cell_bytes) as Region;
    region = region ?? grid.regions[grid.regions.length - 1];
    for (let at = 0; at < run.cells; at += 1) {
      const value = values[at] as number;
      if (!value) {
        continue;
      }
      const low = run.begin + at * run.cell_bytes;
      const high = low + run.cell_bytes;
      const from = Math.floor((low - region.begin) / region.cell_bytes);
      const to = Math.ceil((high - region.begin) / region.cell_bytes);
      for (let cell = from; cell < to; cell += 1) {
        const cell_low = region.begin + cell * region.cell_bytes;
        const overlap = Math.min(high, cell_low + region.cell_bytes) - Math.max(low, cell_low);
        const index = region.first + cell;
        sums[index] = (sums[index] as number) + value * overlap;
      }
    }
  }
  const result = new Uint8Array(grid.cells);
  for (const region of grid.regions) {
    for (let cell = region.first; cell < region.first + region.cells; cell += 1) {
      const mean = (sums[cell] as number) / region.cell_bytes;
      result[cell] = mean > 0 ? Math.max(1, Math.min(255, Math.round(mean))) : 0;
    }
  }
  return result;
}

export interface Summary {
  cells: number; // not empty
  bytes: number; // of these cells
  live_bytes: number;
  /// Bytes of non-empty cells by tenths of occupancy; [10] is full.
  tenths: number[];
}

export function summary_of(grid: Grid, occupancy: Uint8Array, regions: readonly Region[] = grid.regions): Summary {
  const summary: Summary = { cells: 0, bytes: 0, live_bytes: 0, tenths: new Array<number>(11).fill(0) };
  for (const region of regions) {
    for (let cell = region.first; cell < region.first + region.cells; cell += 1) {
      const value = occupancy[cell] as number;
      if (value > 0) {
        const tenth = value === 255 ? 10 : Math.min(9, Math.floor((value * 10) / 255));
        summary.cells += 1;
        summary.bytes += region.cell_bytes;
        summary.live_bytes += (region.cell_bytes * value) / 255;
        summary.tenths[tenth] = (summary.tenths[tenth] as number) + region.cell_bytes;
      }
    }
  }
  return summary;
}
