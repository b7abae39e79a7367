// How long blocks live and how large they are: a heat map of both, with the sums of its rows and columns at its edges.
import { filled, range_of } from "../core/buckets.ts";
import { FONT, Surface } from "../core/canvas.ts";
import { h } from "../core/dom.ts";
import { bytes, count, counted, exact, percent, share_of, time } from "../core/format.ts";
import type { Page } from "../core/page.ts";
import { term } from "../core/terms.ts";
import { color, css, mixed, rgb } from "../core/theme.ts";
import { facts, hide_tooltip, tooltip_at } from "../core/tooltip.ts";
import type { Report } from "../schema.ts";
import { announce, folded, key_hint, section } from "./controls.ts";
import { Table } from "./table.ts";

const LEFT = 74;
const GAP = 26; // before each panel of bars at the right
const TOP = 54; // bars of the sizes
const BOTTOM = 40;
const ROW = 15;

interface Cell {
  row: number;
  column: number;
}

/// The part of the matrix that holds anything.
class Matrix {
  readonly first_row: number;
  readonly rows: number;
  readonly first_column: number;
  readonly columns: number;
  readonly row_sums: number[];
  readonly column_sums: number[];
  readonly total: number;
  readonly most: number;

  constructor(private readonly values_: readonly number[][]) {
    const sum = (list: readonly number[]): number => list.reduce((whole, value) => whole + value, 0);
    const by_row = values_.map(sum);
    const by_column = (values_[0] ?? []).map((_, at) => values_.reduce((whole, row) => whole + (row[at] ?? 0), 0));
    const rows = filled(by_row);
    const columns = filled(by_column);
    this.first_row = rows[0]?.bucket ?? 0;
    this.rows = rows.length;
    this.first_column = columns[0]?.bucket ?? 0;
    this.columns = columns.length;
    this.row_sums = rows.map((bar) => bar.value);
    this.column_sums = columns.map((bar) => bar.value);
    this.total = sum(by_row);
    this.most = values_.reduce((most, row) => Math.max(most, ...row), 0);
  }

  at(row: number, column: number): number {
    return this.values_[this.first_row + row]?.[this.first_column + column] ?? 0;
  }
}

class LifetimeMap {
  readonly surface: Surface;
  private cursor_: Cell | undefined;

  constructor(
    private readonly matrix_: Matrix,
    private readonly bytes_: readonly number[], // by lifetime bucket
  ) {
    this.surface = new Surface(
      { class: "lifetimes", tabindex: 0, role: "application", "aria-roledescription": "heat map", "aria-label": "Blocks by size and lifetime. Arrow keys move between cells." },
      () => TOP + matrix_.rows * ROW + BOTTOM,
      (surface) => this.paint_(surface),
    );
    const { canvas } = this.surface;
    canvas.addEventListener("pointermove", (event) => {
      const cell = this.cell_at_(event);
      if (cell) {
        tooltip_at(event, facts(this.describe_(cell)));
      } else {
        hide_tooltip();
      }
    });
    canvas.addEventListener("pointerleave", hide_tooltip);
    canvas.addEventListener("keydown", (event) => this.key_(event));
  }

  private column_width_(): number {
    return Math.min(40, ((this.surface.width - LEFT) * 0.58) / this.matrix_.columns);
  }

  private cell_at_(event: MouseEvent): Cell | undefined {
    const { x, y } = this.surface.at(event);
    const column = Math.floor((x - LEFT) / this.column_width_());
    const row = this.matrix_.rows - 1 - Math.floor((y - TOP) / ROW);
    return row >= 0 && row < this.matrix_.rows && column >= 0 && column < this.matrix_.columns ? { row, column } : undefined;
  }

  private describe_({ row, column }: Cell): [string, string][] {
    const { matrix_ } = this;
    const value = matrix_.at(row, column);
    return [
      ["lived", range_of(matrix_.first_row + row, time, false)],
      ["size", range_of(matrix_.first_column + column, bytes, true)],
      ["blocks", `${exact(value)} (${percent(share_of(value, matrix_.total))})`],
    ];
  }

  private key_(event: KeyboardEvent): void {
    const steps: Record<string, [number, number]> = { ArrowUp: [1, 0], ArrowDown: [-1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const step = steps[event.key];
    if (step) {
      const { row, column } = this.cursor_ ?? { row: 0, column: 0 };
      this.cursor_ = {
        row: Math.min(this.matrix_.rows - 1, Math.max(0, row + step[0])),
        column: Math.min(this.matrix_.columns - 1, Math.max(0, column + step[1])),
      };
      this.surface.invalidate();
      announce(this.describe_(this.cursor_).map((fact) => fact.join(" ")).join(", "));
      event.preventDefault();
    }
  }

  private paint_(surface: Surface): void {
    const { context } = surface;
    const { matrix_ } = this;
    const step = this.column_width_();
    const base = TOP + matrix_.rows * ROW;
    const right = LEFT + matrix_.columns * step;
    const [low, high, empty] = [rgb("heat-low"), rgb("heat-high"), rgb("empty")];
    context.font = `11px ${FONT}`;
    for (let row = 0; row < matrix_.rows; row += 1) {
      const y = base - (row + 1) * ROW;
      for (let column = 0; column < matrix_.columns; column += 1) {
        const value = matrix_.at(row, column);
        const share = value > 0 ? Math.log1p(value) / Math.log1p(matrix_.most) : 0;
        context.fillStyle = css(value > 0 ? mixed(low, high, share) : empty);
        context.fillRect(LEFT + column * step, y, step - 1, ROW - 1);
      }
    }
    this.paint_sums_(context, step, base, right);
    this.paint_axes_(context, step, base, right);
    if (this.cursor_) {
      context.strokeStyle = color("accent");
      context.lineWidth = 2;
      context.strokeRect(LEFT + this.cursor_.column * step, base - (this.cursor_.row + 1) * ROW, step - 1, ROW - 1);
    }
  }

  private paint_sums_(context: CanvasRenderingContext2D, step: number, base: number, right: number): void {
    const { row_sums, column_sums, first_row } = this.matrix_;
    const most_column = Math.max(1, ...column_sums);
    const panel = Math.min(340, (this.surface.width - right) / 2 - GAP);
    this.paint_panel_(context, "blocks by lifetime", row_sums, count, "traffic", right + GAP, panel, base);
    this.paint_panel_(context, "bytes by lifetime", row_sums.map((_, row) => this.bytes_[first_row + row] ?? 0), bytes, "live", right + 2 * GAP + panel, panel, base);
    context.fillStyle = color("live");
    column_sums.forEach((value, column) => {
      const height = value > 0 ? Math.max(1, (value / most_column) * (TOP - 18)) : 0;
      context.fillRect(LEFT + column * step + 2, TOP - 5 - height, step - 5, height);
    });
    context.fillStyle = color("ink-soft");
    context.textBaseline = "middle";
    const tallest = column_sums.indexOf(most_column);
    context.textAlign = "center";
    context.fillText(count(most_column), LEFT + (tallest + 0.5) * step, 6);
  }

  /// Bars beside the rows of the heat map, each with its figure where there is room.
  private paint_panel_(context: CanvasRenderingContext2D, name: string, values: readonly number[], format: (value: number) => string, fill: string, left: number, width: number, base: number): void {
    const most = Math.max(1, ...values);
    const room = Math.max(10, width - 62); // figures stand behind the bars
    context.textAlign = "left";
    context.textBaseline = "middle";
    values.forEach((value, row) => {
      const y = base - (row + 1) * ROW;
      const length = value > 0 ? Math.max(1, (value / most) * room) : 0;
      context.fillStyle = color(fill);
      context.fillRect(left, y + 2, length, ROW - 5);
      if (value > 0) {
        context.fillStyle = color("ink-soft");
        context.fillText(format(value), left + length + 5, y + ROW / 2 - 0.5);
      }
    });
    context.fillStyle = color("ink");
    context.textBaseline = "bottom";
    context.fillText(name, left, TOP - 8);
  }

  private paint_axes_(context: CanvasRenderingContext2D, step: number, base: number, right: number): void {
    const { matrix_ } = this;
    context.fillStyle = color("ink-soft");
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (let row = 0; row <= matrix_.rows; row += matrix_.rows > 14 ? 3 : 2) {
      context.fillText(time(2 ** (matrix_.first_row + row)), LEFT - 8, base - row * ROW);
    }
    context.textAlign = "center";
    context.textBaseline = "top";
    for (let column = 0; column <= matrix_.columns; column += step < 30 ? 4 : 2) {
      context.fillText(bytes(2 ** (matrix_.first_column + column)), LEFT + column * step, base + 6);
    }
    context.textAlign = "right";
    context.fillText("size \u2192", right, base + 22);
    context.textAlign = "right";
    context.textBaseline = "bottom";
    context.fillText("lifetime \u2191", LEFT - 8, TOP - 8);
  }
}

function lifetimes_table(report: Report): HTMLElement {
  const rows = filled(report.lifetimes);
  return new Table({
    caption: "Blocks by lifetime",
    noun: "lifetime",
    rows,
    sort: "blocks",
    columns: [
      { key: "lifetime", label: "lifetime", kind: "count", value: (bar) => bar.bucket, cell: (bar) => range_of(bar.bucket, time, false) },
      { key: "blocks", label: "blocks", kind: "count", value: (bar) => bar.value, bar: "traffic" },
      { key: "bytes", label: "bytes", kind: "bytes", value: (bar) => report.lifetime_bytes[bar.bucket] ?? 0, bar: "live" },
      ...(report.before ? [{ key: "before", label: "blocks before", kind: "count" as const, value: (bar: { bucket: number }) => report.before?.lifetimes[bar.bucket] ?? 0 }] : []),
    ],
  }).element;
}

/// "Half of all blocks lived less than 2.05 µs": the bucket in which the middle block lies.
function middle_of(values: readonly number[]): number {
  const whole = values.reduce((sum, value) => sum + value, 0);
  let seen = 0;
  return values.findIndex((value) => (seen += value) * 2 >= whole);
}

export function lifetimes_section(page: Page): HTMLElement {
  const { report } = page;
  const matrix = new Matrix(report.lifetime_by_size);
  const lead = ["How long ", term("live", "blocks lived"), " from allocation to free, against how large they were. Darker means more blocks, on a logarithmic scale."];
  if (matrix.total === 0) {
    return section("lifetimes", "Lifetimes", lead, h("p", { class: "nothing" }, "No block was both allocated and freed during the recording."));
  }
  const half = middle_of(report.lifetimes);
  const half_bytes = middle_of(report.lifetime_bytes);
  return section(
    "lifetimes",
    "Lifetimes",
    lead,
    h(
      "p",
      { class: "finding" },
      `Half of the ${counted(matrix.total, "freed block")} lived less than `, h("b", null, time(2 ** (half + 1))),
      half_bytes >= 0 && ["; half of the freed bytes less than ", h("b", null, time(2 ** (half_bytes + 1)))], ".",
    ),
    new LifetimeMap(matrix, report.lifetime_bytes).surface.canvas,
    key_hint("arrow keys move between cells"),
    folded("Lifetimes as a table", () => lifetimes_table(report)),
  );
}
