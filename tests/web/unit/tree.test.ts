// The call tree's shapes keep every byte, and its layout keeps children inside their parents.
import assert from "node:assert/strict";
import { test } from "node:test";

import { box_at, laid_out, neighbour } from "heapwright/flame/layout.ts";
import { CallTree, function_rows, own_values, reshaped } from "heapwright/flame/tree.ts";
import { WEIGHTS, type Weight } from "heapwright/schema.ts";

const seed = Number(process.env["HEAPWRIGHT_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
console.log(`HEAPWRIGHT_SEED=${seed}`);
let state = seed;
function below(limit: number): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * limit);
}

const FUNCTIONS = Int32Array.from([0, 1, 2, 3, 0, 4]); // frames 0 and 4 are two lines of one function
const is_runtime = (frame: number): boolean => frame === 3;

function columns(make: () => Float64Array): Record<Weight, Float64Array> {
  return Object.fromEntries(WEIGHTS.map((weight) => [weight, make()])) as Record<Weight, Float64Array>;
}

function random_tree(size: number, compared: boolean): CallTree {
  const parent = Int32Array.from({ length: size }, (_, node) => (node === 0 ? -1 : below(node)));
  const frame = Int32Array.from({ length: size }, (_, node) => (node === 0 ? -1 : below(7) - 1)).map((value, node) => (node > 0 && value === -1 ? -2 : value));
  const totals = (): Float64Array => {
    const values = Float64Array.from({ length: size }, () => below(4) * below(1000));
    for (let node = size - 1; node > 0; node -= 1) {
      values[parent[node] as number]! += values[node] as number;
    }
    return values;
  };
  return new CallTree(parent, frame, columns(totals), compared ? columns(totals) : undefined);
}

const SHAPES = [{ inverted: true, hide_runtime: false }, { inverted: false, hide_runtime: true }, { inverted: true, hide_runtime: true }];

test("every shape of a tree has the same total, and parents hold their children", () => {
  for (let round = 0; round < 30; round += 1) {
    const tree = random_tree(2 + below(120), round % 2 === 0);
    for (const shape of SHAPES) {
      const other = reshaped(tree, shape, FUNCTIONS, is_runtime);
      for (const weight of WEIGHTS) {
        assert.equal(other.after[weight][0], tree.after[weight][0]);
        assert.equal(other.before?.[weight][0], tree.before?.[weight][0]);
        for (let node = 0; node < other.size; node += 1) {
          const children = other.children(node).reduce((sum, child) => sum + (other.after[weight][child] as number), 0);
          assert.ok(children <= (other.after[weight][node] as number));
        }
      }
    }
  }
});

test("hidden frames are gone and siblings of one function are one node", () => {
  for (let round = 0; round < 20; round += 1) {
    const other = reshaped(random_tree(100, false), { inverted: false, hide_runtime: true }, FUNCTIONS, is_runtime);
    for (let node = 0; node < other.size; node += 1) {
      const names = [...other.children(node)].map((child) => ((other.frame[child] as number) < 0 ? -2 : (FUNCTIONS[other.frame[child] as number] as number)));
      assert.equal(new Set(names).size, names.length);
      assert.ok(!names.includes(3));
    }
  }
});

test("an inverted tree starts with the allocating function", () => {
  const tree = new CallTree(Int32Array.from([-1, 0, 1, 0]), Int32Array.from([-1, 0, 1, 1]), columns(() => Float64Array.from([30, 10, 10, 20])), undefined);
  const other = reshaped(tree, { inverted: true, hide_runtime: false }, FUNCTIONS, is_runtime);
  const [first, ...rest] = other.children(0);
  assert.equal(rest.length, 0);
  assert.equal(other.frame[first as number], 1);
  assert.equal(other.after.peak[first as number], 30);
  assert.deepEqual([...other.children(first as number)].map((node) => [other.frame[node], other.after.peak[node]]), [[0, 10]]);
});

test("recursion counts once in the table of functions", () => {
  const tree = new CallTree(Int32Array.from([-1, 0, 1, 2]), Int32Array.from([-1, 0, 1, 4]), columns(() => Float64Array.from([10, 10, 8, 6])), undefined);
  const rows = function_rows(tree, "peak", FUNCTIONS);
  assert.deepEqual(rows.map((row) => [row.frame, row.own, row.total]), [[0, 8, 10], [1, 2, 8]]);
});

test("a comparison is as wide as the larger side and never narrower than its children", () => {
  for (let round = 0; round < 20; round += 1) {
    const tree = random_tree(80, true);
    const widths = tree.widths("peak");
    const own = own_values(tree.parent, widths);
    for (let node = 0; node < tree.size; node += 1) {
      assert.ok((widths[node] as number) >= Math.max(tree.after.peak[node] as number, tree.before?.peak[node] as number));
      assert.ok((own[node] as number) >= 0);
    }
  }
});

test("boxes stand inside their parents, side by side, and are found where they stand", () => {
  for (let round = 0; round < 20; round += 1) {
    const tree = random_tree(150, false);
    const boxes = laid_out(tree, tree.widths("peak"), 0, 1000);
    const by_node = new Map(boxes.map((box) => [box.node, box]));
    for (const box of boxes) {
      const above = by_node.get(tree.parent[box.node] as number);
      if (above) {
        assert.equal(box.row, above.row + 1);
        assert.ok(box.left >= above.left - 1e-6 && box.left + box.width <= above.left + above.width + 1e-6);
      }
      assert.equal(box_at(boxes, box.row, box.left + box.width / 2)?.node, box.node);
    }
  }
});

test("arrow keys reach the parent, the widest child and the siblings", () => {
  const tree = new CallTree(Int32Array.from([-1, 0, 0, 1]), Int32Array.from([-1, 0, 1, 2]), columns(() => Float64Array.from([100, 30, 70, 30])), undefined);
  const boxes = laid_out(tree, tree.widths("peak"), 0, 100);
  const box = (node: number) => boxes.find((known) => known.node === node)!;
  assert.equal(neighbour(boxes, box(0), "down")?.node, 2);
  assert.equal(neighbour(boxes, box(2), "right")?.node, 1);
  assert.equal(neighbour(boxes, box(1), "left")?.node, 2);
  assert.equal(neighbour(boxes, box(3), "up")?.node, 1);
  assert.equal(neighbour(boxes, box(0), "up"), undefined);
  assert.equal(neighbour(boxes, box(1), "right"), undefined);
});
