// The grid of the heap map: one place for one address at all moments, and no live byte lost.
import assert from "node:assert/strict";
import { test } from "node:test";

import { address_of, grid_of, occupancy_on, region_of, summary_of } from "heapwright/map/grid.ts";
import { cell_at, fitting, flowed, place_of } from "heapwright/map/rows.ts";
import type { HeapMap, HeapRun } from "heapwright/schema.ts";

function run(begin: number, cell_bytes: number, values: readonly number[]): HeapRun {
  return { begin, cell_bytes, cells: values.length, occupancy: Buffer.from(values).toString("base64") };
}

function map(...runs: HeapRun[]): HeapMap {
  return { label: "test", time_ns: 0, runs };
}

test("regions of all moments are joined when less than 1 MiB lies between them", () => {
  const grid = grid_of([map(run(0x10000, 4096, [255, 0])), map(run(0x20000, 4096, [9]), run(0x40000000, 4096, [1]))]);
  assert.deepEqual(grid.regions.map((region) => [region.begin, region.cells]), [[0x10000, 17], [0x40000000, 1]]);
  assert.equal(grid.cells, 18);
});

test("an address stands at the same cell at every moment", () => {
  const first = map(run(0x10000, 4096, [255, 7]));
  const second = map(run(0x11000, 4096, [100]));
  const grid = grid_of([first, second]);
  assert.deepEqual([...occupancy_on(grid, first)], [255, 7]);
  assert.deepEqual([...occupancy_on(grid, second)], [0, 100]);
  assert.equal(address_of(grid, 1), 0x11000);
});

test("a coarse run fills all the fine cells that it covers", () => {
  const coarse = map(run(0x10000, 16384, [128]));
  const grid = grid_of([coarse, map(run(0x10000, 4096, [1, 1, 1, 1]))]);
  assert.deepEqual([...occupancy_on(grid, coarse)], [128, 128, 128, 128]);
});

test("cells that fall together show their mean, and never nothing when one holds something", () => {
  const values = new Array<number>(2 ** 19).fill(0);
  values[0] = 255;
  values[2] = 1;
  const big = map(run(0x10000000, 4096, values));
  const grid = grid_of([big]);
  assert.ok(grid.cells <= 2 ** 18);
  assert.equal(grid.regions[0]?.cell_bytes, 8192);
  assert.deepEqual([...occupancy_on(grid, big).subarray(0, 3)], [128, 1, 0]);
});

test("the summary adds up", () => {
  const one = map(run(0x10000, 4096, [255, 0, 51]));
  const grid = grid_of([one]);
  const sum = summary_of(grid, occupancy_on(grid, one));
  assert.equal(sum.cells, 2);
  assert.equal(sum.bytes, 8192);
  assert.equal(Math.round(sum.live_bytes), 4096 + 819);
  assert.equal(sum.tenths[10], 4096);
  assert.equal(sum.tenths[2], 4096);
});

test("every cell has one place in the rows, and the place leads back to the cell", () => {
  const grid = grid_of([map(run(0x1000000, 4096, new Array(100).fill(1)), run(0x80000000, 4096, [1, 1, 1]), run(0x90000000, 4096, [1, 1]), run(0xa0000000, 4096, new Array(41).fill(1)))]);
  for (const columns of [8, 16, 40, 200]) {
    const rows = flowed(grid, columns, 4);
    for (let cell = 0; cell < grid.cells; cell += 1) {
      const place = place_of(rows, cell);
      assert.ok(place && place.column < columns);
      const row = rows.rows[place.row]!;
      assert.equal(cell_at(rows, place.column * 4 + 1, row.top + 1), cell);
      assert.ok(region_of(grid, cell)!.first <= cell);
    }
    assert.equal(cell_at(rows, 10_000, 1), undefined);
    assert.equal(cell_at(rows, 1, rows.height + 50), undefined);
  }
});

test("the largest cells that fit are chosen", () => {
  const small = grid_of([map(run(0x10000, 4096, [1]))]);
  const large = grid_of([map(run(0x10000, 4096, new Array(60_000).fill(1)))]);
  assert.equal(fitting(small, 800, 400), 16);
  assert.equal(fitting(large, 800, 400), 2);
});
