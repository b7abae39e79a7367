// The flame graph: the call tree from the program's start downwards, as wide as the chosen weight.
import { Surface } from "../core/canvas.ts";
import { percent, share_of, signed } from "../core/format.ts";
import { Names } from "../core/names.ts";
import { facts, hide_tooltip, tooltip_at } from "../core/tooltip.ts";
import { h } from "../core/dom.ts";
import { WEIGHT_INFO } from "../core/weights.ts";
import type { Weight } from "../schema.ts";
import { announce } from "../view/controls.ts";
import { box_at, laid_out, neighbour, type Box, type Step } from "./layout.ts";
import { paint_flame, ROW } from "./paint.ts";
import type { CallTree } from "./tree.ts";

const STEPS: Record<string, Step> = { ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right" };

/// One canvas and the keyboard and pointer on it. `changed` hears of every zoom, selection and search.
export class Flame {
  readonly surface: Surface;
  top = 0; // node that spans the whole width
  chosen = -1; // node under the keyboard
  matched_share = 0;
  private boxes_: Box[] = [];
  private hovered_: Box | undefined;
  private widths_: Float64Array;
  private matches_: Uint8Array | undefined;
  private laid_out_for_ = "";

  constructor(
    private tree_: CallTree,
    private weight_: Weight,
    private readonly names_: Names,
    private readonly functions_: Int32Array,
    private readonly changed_: () => void,
  ) {
    this.widths_ = tree_.widths(weight_);
    this.surface = new Surface(
      {
        class: "flame",
        tabindex: 0,
        role: "application",
        "aria-roledescription": "flame graph",
        "aria-label": "Flame graph. Arrow keys move between functions, Enter zooms in, Escape zooms out.",
      },
      (width) => this.height_(width),
      (surface) => this.paint_(surface),
    );
    this.listen_();
  }

  get tree(): CallTree {
    return this.tree_;
  }

  show(tree: CallTree, weight: Weight): void {
    if (tree !== this.tree_) {
      this.top = 0;
      this.chosen = -1;
      this.matches_ = undefined;
    }
    this.tree_ = tree;
    this.weight_ = weight;
    this.widths_ = tree.widths(weight);
    if (!(this.widths_[this.top] as number)) {
      this.top = 0;
    }
    this.refresh_();
  }

  zoom(node: number): void {
    this.top = node;
    this.chosen = node;
    this.refresh_();
    this.tell_();
  }

  /// Marks what `pattern` finds; undefined ends the search.
  search(pattern: RegExp | undefined): void {
    const { tree_ } = this;
    this.matches_ = undefined;
    this.matched_share = 0;
    if (pattern) {
      const hit = new Map<number, boolean>();
      const matches = new Uint8Array(tree_.size);
      const under = new Uint8Array(tree_.size); // below a match: counted already
      for (let node = 1; node < tree_.size; node += 1) {
        const frame = tree_.frame[node] as number;
        let found = hit.get(frame);
        if (found === undefined) {
          found = pattern.test(this.names_.full(frame)) || pattern.test(this.names_.full_place(frame)) || pattern.test(this.names_.module(frame));
          hit.set(frame, found);
        }
        const above = tree_.parent[node] as number;
        matches[node] = found ? 1 : 0;
        under[node] = matches[above] || under[above] ? 1 : 0;
        if (found && !under[node]) {
          this.matched_share += share_of(this.widths_[node] as number, this.widths_[0] as number);
        }
      }
      this.matches_ = matches;
    }
    this.refresh_();
  }

  /// The node that the functions of `frames` (root first) lead to as far as the tree knows them.
  find(frames: readonly number[]): number {
    let node = 0;
    for (const frame of frames) {
      const child = [...this.tree_.children(node)].find((next) => this.same_function_(this.tree_.frame[next] as number, frame));
      if (child !== undefined) {
        node = child;
      } else if (!this.names_.is_runtime(frame)) {
        break; // with runtime frames hidden the tree simply does not have them
      }
    }
    return node;
  }

  describe(node: number): [string, string][] {
    const { tree_, weight_, names_ } = this;
    const info = WEIGHT_INFO[weight_];
    const values = tree_.after[weight_];
    const value = values[node] as number;
    const frame = tree_.frame[node] as number;
    const before = tree_.before?.[weight_][node];
    const rows: [string, string][] = [];
    if (names_.full_place(frame)) {
      rows.push(["at", names_.full_place(frame)]);
    }
    if (names_.module(frame)) {
      rows.push(["in", names_.module(frame)]);
    }
    rows.push([info.label.toLowerCase(), `${info.format(value)} (${percent(share_of(value, values[0] as number))} of all)`]);
    if (before !== undefined) {
      rows.push(["before", info.format(before)], ["change", signed(value - before, info.format)]);
    }
    const own = tree_.own(node, weight_);
    rows.push(["itself", own === 0 ? "nothing: all in what it calls" : info.format(own)]);
    return rows;
  }

  private same_function_(a: number, b: number): boolean {
    return a === b || (a >= 0 && b >= 0 && this.functions_[a] === this.functions_[b]);
  }

  private refresh_(): void {
    this.laid_out_for_ = "";
    this.hovered_ = undefined;
    this.surface.invalidate();
    this.changed_();
  }

  private height_(width: number): number {
    const wanted = `${width}`;
    if (this.laid_out_for_ !== wanted) {
      this.laid_out_for_ = wanted;
      this.boxes_ = laid_out(this.tree_, this.widths_, this.top, width);
    }
    return (this.boxes_.reduce((most, box) => Math.max(most, box.row), 0) + 1) * ROW;
  }

  private paint_(surface: Surface): void {
    const { tree_, names_ } = this;
    const frame = (box: Box): number => tree_.frame[box.node] as number;
    const before = tree_.before?.[this.weight_];
    const after = tree_.after[this.weight_];
    paint_flame(surface, this.boxes_, {
      name: (box) => names_.short(frame(box)),
      meaning: WEIGHT_INFO[this.weight_].color,
      shade: (box) => (((this.functions_[frame(box)] ?? 0) * 0.6180339887) % 1),
      muted: (box) => frame(box) < 0 || names_.is_runtime(frame(box)),
      change: before && ((box) => share_of((after[box.node] as number) - (before[box.node] as number), this.widths_[box.node] as number)),
      matches: this.matches_ && ((box) => this.matches_?.[box.node] === 1),
      chosen: this.boxes_.find((box) => box.node === this.chosen),
      hovered: this.hovered_,
      same: (a, b) => this.same_function_(frame(a), frame(b)),
      top_row: tree_.depth[this.top] as number,
    });
  }

  private tell_(): void {
    if (this.chosen >= 0) {
      const rows = this.describe(this.chosen);
      announce(`${this.names_.short(this.tree_.frame[this.chosen] as number)}: ${rows.map((row) => row.join(" ")).join(", ")}`);
    }
  }

  private key_(event: KeyboardEvent): void {
    const step = STEPS[event.key];
    const from = this.boxes_.find((box) => box.node === this.chosen) ?? this.boxes_.find((box) => box.node === this.top);
    if (step && from && !event.altKey && !event.ctrlKey && !event.metaKey) {
      this.chosen = this.chosen < 0 ? this.top : (neighbour(this.boxes_, from, step)?.node ?? this.chosen);
      this.surface.invalidate();
      this.changed_();
      this.tell_();
    } else if (event.key === "Enter" && this.chosen >= 0) {
      this.zoom(this.chosen);
    } else if (event.key === "Escape" || event.key === "Backspace") {
      this.zoom(event.key === "Escape" ? 0 : Math.max(0, this.tree_.parent[this.top] as number));
    } else {
      return;
    }
    event.preventDefault();
  }

  private listen_(): void {
    const { canvas } = this.surface;
    const under = (event: MouseEvent): Box | undefined => {
      const { x, y } = this.surface.at(event);
      return box_at(this.boxes_, Math.floor(y / ROW), x);
    };
    canvas.addEventListener("keydown", (event) => this.key_(event));
    canvas.addEventListener("click", (event) => {
      const box = under(event);
      if (box) {
        this.zoom(box.node);
      }
    });
    canvas.addEventListener("pointermove", (event) => {
      const box = under(event);
      if (box !== this.hovered_) {
        this.hovered_ = box;
        this.surface.invalidate();
      }
      canvas.style.cursor = box ? "pointer" : "default";
      if (box) {
        const name = this.names_.full(this.tree_.frame[box.node] as number);
        tooltip_at(event, h("b", { class: "code" }, name.length > 400 ? `${name.slice(0, 400)}\u2026` : name), facts(this.describe(box.node)));
      } else {
        hide_tooltip();
      }
    });
    canvas.addEventListener("pointerleave", () => {
      this.hovered_ = undefined;
      this.surface.invalidate();
      hide_tooltip();
    });
  }
}
