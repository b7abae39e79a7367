// How the cells of the grid flow into rows: small regions share a row, large ones start their own.
import type { Grid } from "./grid.ts";

export interface Segment {
  column: number;
  first: number; // cell of the grid
  cells: number;
}

export interface Row {
  top: number; // pixels
  segments: Segment[];
}

export interface Rows {
  rows: Row[];
  columns: number;
  cell: number; // pixels a side
  height: number;
}

const REGION_GAP = 5; // pixels between two regions that do not share a row
const COLUMN_GAP = 2; // cells between two regions that do

/// Flows every region into rows of `columns` cells of `cell` pixels.
export function flowed(grid: Grid, columns: number, cell: number): Rows {
  const rows: Row[] = [];
  let top = 0;
  let open: Row | undefined; // the last row, while small regions may join it
  let free = 0; // its next free column
  const fresh = (): Row => {
    const row = { top, segments: [] };
    rows.push(row);
    top += cell;
    return row;
  };
  for (const region of grid.regions) {
    if (open && region.cells <= columns - free - COLUMN_GAP) {
      open.segments.push({ column: free + COLUMN_GAP, first: region.first, cells: region.cells });
      free += COLUMN_GAP + region.cells;
      continue;
    }
    top += rows.length > 0 ? REGION_GAP : 0;
    for (let at = 0; at < region.cells; at += columns) {
      const cells = Math.min(columns, region.cells - at);
      open = fresh();
      open.segments.push({ column: 0, first: region.first + at, cells });
      free = cells;
    }
  }
  return { rows, columns, cell, height: top };
}

export const CELL_SIZES = [2, 3, 4, 5, 6, 8, 10, 12, 16] as const;

/// The largest cells with which everything fits into `width` by `height` pixels; else the smallest.
export function fitting(grid: Grid, width: number, height: number): number {
  const sizes = [...CELL_SIZES].reverse();
  return sizes.find((cell) => flowed(grid, Math.max(1, Math.floor(width / cell)), cell).height <= height) ?? CELL_SIZES[0];
}

/// The row at a height, by halving.
export function row_at(rows: Rows, y: number): number {
  let low = 0;
  let high = rows.rows.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((rows.rows[middle] as Row).top <= y) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

export function cell_at(rows: Rows, x: number, y: number): number | undefined {
  const row = rows.rows[row_at(rows, y)];
  const column = Math.floor(x / rows.cell);
  if (!row || y < row.top || y >= row.top + rows.cell) {
    return undefined;
  }
  const segment = row.segments.find((part) => column >= part.column && column < part.column + part.cells);
  return segment && segment.first + column - segment.column;
}

/// Where a cell stands: its column and row.
export function place_of(rows: Rows, cell: number): { row: number; column: number } | undefined {
  const row = rows.rows.findIndex((known) => known.segments.some((part) => cell >= part.first && cell < part.first + part.cells));
  const segment = rows.rows[row]?.segments.find((part) => cell >= part.first && cell < part.first + part.cells);
  return segment && { row, column: segment.column + cell - segment.first };
}
