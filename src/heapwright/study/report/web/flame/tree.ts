// The call tree in memory, and its other shapes: inverted, without runtime frames.
import { WEIGHTS, type Report, type Weight } from "../schema.ts";

/// Every column has one entry a node; node 0 is the root and parents come before their children.
export class CallTree {
  readonly depth: Int32Array;
  private readonly starts_: Int32Array; // children of n: members_[starts_[n] .. starts_[n + 1])
  private readonly members_: Int32Array;

  constructor(
    readonly parent: Int32Array,
    readonly frame: Int32Array, // -1 the root, -2 what was cut off
    readonly after: Record<Weight, Float64Array>,
    readonly before: Record<Weight, Float64Array> | undefined,
  ) {
    const size = parent.length;
    this.depth = new Int32Array(size);
    this.starts_ = new Int32Array(size + 1);
    for (let node = 1; node < size; node += 1) {
      const above = parent[node] as number;
      this.depth[node] = (this.depth[above] as number) + 1;
      this.starts_[above + 1] = (this.starts_[above + 1] as number) + 1;
    }
    for (let node = 0; node < size; node += 1) {
      this.starts_[node + 1] = (this.starts_[node + 1] as number) + (this.starts_[node] as number);
    }
    this.members_ = new Int32Array(Math.max(0, size - 1));
    const next = this.starts_.slice();
    for (let node = 1; node < size; node += 1) {
      const above = parent[node] as number;
      const at = next[above] as number;
      this.members_[at] = node;
      next[above] = at + 1;
    }
  }

  get size(): number {
    return this.parent.length;
  }

  children(node: number): Int32Array {
    return this.members_.subarray(this.starts_[node], this.starts_[node + 1]);
  }

  /// Root first.
  path(node: number): number[] {
    const path: number[] = [];
    for (let at = node; at >= 0; at = this.parent[at] as number) {
      path.push(at);
    }
    return path.reverse();
  }

  /// How wide each node is drawn: its value, or in a comparison what either side needs.
  widths(weight: Weight): Float64Array {
    const after = this.after[weight];
    const before = this.before?.[weight];
    if (!before) {
      return after;
    }
    // The larger side of each node's own part, summed upwards: a parent is never narrower than its children.
    const own_after = own_values(this.parent, after);
    const own_before = own_values(this.parent, before);
    const widths = own_after.map((value, node) => Math.max(value, own_before[node] as number));
    for (let node = this.size - 1; node > 0; node -= 1) {
      const above = this.parent[node] as number;
      widths[above] = (widths[above] as number) + (widths[node] as number);
    }
    return widths;
  }

  /// The value of the node itself, without its children.
  own(node: number, weight: Weight): number {
    const values = this.after[weight];
    return this.children(node).reduce((rest, child) => rest - (values[child] as number), values[node] as number);
  }
}

/// Each node's value less its children's; never below zero.
export function own_values(parent: Int32Array, totals: Float64Array): Float64Array {
  const own = totals.slice();
  for (let node = parent.length - 1; node > 0; node -= 1) {
    const above = parent[node] as number;
    own[above] = (own[above] as number) - (totals[node] as number);
  }
  return own.map((value) => Math.max(0, value));
}

function typed(columns: Record<Weight, number[]>): Record<Weight, Float64Array> {
  return Object.fromEntries(WEIGHTS.map((name) => [name, Float64Array.from(columns[name])])) as Record<Weight, Float64Array>;
}

export function tree_of(report: Report): CallTree {
  const { parent, frame, values, values_before } = report.tree;
  return new CallTree(Int32Array.from(parent), Int32Array.from(frame), typed(values), values_before && typed(values_before));
}

/// Gives every frame the number of its function: frames that differ only in their line share one.
export function functions_of(report: Report): Int32Array {
  const numbers = new Map<string, number>();
  return Int32Array.from(report.frames, (frame) => {
    const name = `${frame.module}\n${frame.function}`;
    let number = numbers.get(name);
    if (number === undefined) {
      number = numbers.size;
      numbers.set(name, number);
    }
    return number;
  });
}

export interface Shape {
  inverted: boolean; // the allocating function at the top, its callers below
  hide_runtime: boolean; // leave out operator new, malloc wrappers, library internals
}

/// Collects nodes by path; equal functions under one parent become one node.
class Builder {
  readonly parent = [-1];
  readonly frame = [-1];
  private readonly known_ = new Map<number, number>();

  constructor(private readonly functions_: Int32Array) {}

  child(above: number, frame: number): number {
    const name = frame < 0 ? this.functions_.length : (this.functions_[frame] as number);
    const key = above * (this.functions_.length + 1) + name;
    let node = this.known_.get(key);
    if (node === undefined) {
      node = this.parent.length;
      this.known_.set(key, node);
      this.parent.push(above);
      this.frame.push(frame);
    }
    return node;
  }
}

/// The node of the new tree that each old node's own value goes to.
function places(tree: CallTree, shape: Shape, builder: Builder, is_runtime: (frame: number) => boolean, live: Uint8Array): Int32Array {
  const kept = (frame: number): boolean => frame !== -1 && !(shape.hide_runtime && is_runtime(frame));
  const place = new Int32Array(tree.size);
  for (let node = 1; node < tree.size; node += 1) {
    const frame = tree.frame[node] as number;
    if (!shape.inverted) {
      const above = place[tree.parent[node] as number] as number;
      place[node] = kept(frame) ? builder.child(above, frame) : above;
    } else if (live[node]) {
      let at = 0;
      for (let up = node; up > 0; up = tree.parent[up] as number) {
        const name = tree.frame[up] as number;
        at = kept(name) ? builder.child(at, name) : at;
      }
      place[node] = at;
    }
  }
  return place;
}

/// The same values in another shape. Cost: nodes times depth when inverted, else nodes.
export function reshaped(tree: CallTree, shape: Shape, functions: Int32Array, is_runtime: (frame: number) => boolean): CallTree {
  if (!shape.inverted && !shape.hide_runtime) {
    return tree;
  }
  const sides = [tree.after, tree.before] as const;
  const own = sides.map((side) => side && WEIGHTS.map((weight) => own_values(tree.parent, side[weight])));
  const live = new Uint8Array(tree.size);
  own.forEach((side) => side?.forEach((values) => values.forEach((value, node) => value > 0 && (live[node] = 1))));

  const builder = new Builder(functions);
  const place = places(tree, shape, builder, is_runtime, live);
  const parent = Int32Array.from(builder.parent);
  const summed = (values: Float64Array): Float64Array => {
    const totals = new Float64Array(parent.length);
    values.forEach((value, node) => {
      const at = place[node] as number;
      totals[at] = (totals[at] as number) + value;
    });
    for (let node = parent.length - 1; node > 0; node -= 1) {
      const above = parent[node] as number;
      totals[above] = (totals[above] as number) + (totals[node] as number);
    }
    return totals;
  };
  const [after, before] = own.map(
    (side) => side && (Object.fromEntries(WEIGHTS.map((weight, at) => [weight, summed(side[at] as Float64Array)])) as Record<Weight, Float64Array>),
  );
  return new CallTree(parent, Int32Array.from(builder.frame), after as Record<Weight, Float64Array>, before);
}

export interface FunctionRow {
  frame: number;
  own: number;
  total: number; // recursion counted once
  before: number;
}

/// One row a function: what it allocates itself and with all it calls.
export function function_rows(tree: CallTree, weight: Weight, functions: Int32Array): FunctionRow[] {
  const rows = new Map<number, FunctionRow>();
  const own = own_values(tree.parent, tree.after[weight]);
  const id = (node: number): number => functions[tree.frame[node] as number] as number;
  for (let node = 1; node < tree.size; node += 1) {
    const frame = tree.frame[node] as number;
    if (frame < 0) {
      continue;
    }
    let row = rows.get(id(node));
    if (!row) {
      row = { frame, own: 0, total: 0, before: 0 };
      rows.set(id(node), row);
    }
    row.own += own[node] as number;
    let above = tree.parent[node] as number;
    while (above > 0 && id(above) !== id(node)) {
      above = tree.parent[above] as number;
    }
    if (above <= 0) {
      row.total += tree.after[weight][node] as number;
      row.before += tree.before?.[weight][node] ?? 0;
    }
  }
  return [...rows.values()].filter((row) => row.total !== 0 || row.before !== 0);
}
