// Draws the heap map pixel by pixel into a window that scrolls over the rows; keyboard and pointer name single cells.
import { FONT, Surface } from "../core/canvas.ts";
import { h } from "../core/dom.ts";
import { address, bytes, percent } from "../core/format.ts";
import { color, mixed, rgb, type Rgb } from "../core/theme.ts";
import { facts, hide_tooltip, tooltip_at } from "../core/tooltip.ts";
import { announce } from "../view/controls.ts";
import { address_of, region_of, type Grid } from "./grid.ts";
import { cell_at, CELL_SIZES, fitting, flowed, place_of, row_at, type Rows } from "./rows.ts";

const GUTTER = 108; // pixels for addresses at the left
const LINE = 14; // pixels between two addresses at least

/// The colour of every occupancy: nothing, then from sparse (costly) by way of grey to full (well used).
export function scale_colors(): Rgb[] {
  const [sparse, middle, full] = [rgb("external"), rgb("half"), rgb("live")];
  return Array.from({ length: 256 }, (_, value) => {
    const share = value / 255;
    return value === 0 ? rgb("empty") : share < 0.5 ? mixed(sparse, middle, share * 2) : mixed(middle, full, share * 2 - 1);
  });
}

export class MapCanvas {
  readonly element: HTMLElement;
  private readonly surface_: Surface;
  private readonly spacer_ = h("div", { class: "spacer" });
  private readonly window_: HTMLElement;
  private rows_: Rows | undefined;
  private cell_ = 0; // pixels; 0: whatever fits
  private cursor_ = -1;

  constructor(
    private readonly grid_: Grid,
    private occupancy_: Uint8Array,
    private readonly height_: number,
  ) {
    this.surface_ = new Surface(
      { class: "heap-map", tabindex: 0, role: "application", "aria-roledescription": "heap map", "aria-label": "Heap map. Arrow keys move between cells, plus and minus zoom." },
      () => this.visible_height_(),
      (surface) => this.paint_(surface),
    );
    this.window_ = h("div", { class: "map-window" }, this.surface_.canvas, this.spacer_);
    this.element = this.window_;
    this.listen_();
  }

  show(occupancy: Uint8Array): void {
    this.occupancy_ = occupancy;
    this.surface_.invalidate();
  }

  /// One step of cell size; 0 goes back to what fits.
  zoom(step: -1 | 0 | 1): void {
    const at = CELL_SIZES.findIndex((size) => size === this.size_());
    const next = CELL_SIZES[Math.min(CELL_SIZES.length - 1, Math.max(0, at + step))];
    this.cell_ = step === 0 ? 0 : (next ?? 0);
    this.rows_ = undefined;
    this.surface_.invalidate();
  }

  describe(cell: number): [string, string][] {
    const region = region_of(this.grid_, cell);
    const value = this.occupancy_[cell] ?? 0;
    const low = address_of(this.grid_, cell);
    const size = region?.cell_bytes ?? 0;
    return [
      ["address", `${address(low)} to ${address(low + size)}`],
      ["cell", size === 4096 ? "one OS page, 4 KiB" : `${bytes(size)}, ${size / 4096} OS pages`],
      ["live", value === 0 ? "nothing" : `${percent(value / 255)}, about ${bytes((size * value) / 255)}`],
    ];
  }

  private size_(): number {
    return this.rows_?.cell ?? this.cell_;
  }

  private width_(): number {
    return Math.max(40, this.surface_.canvas.clientWidth - GUTTER);
  }

  private layout_(): Rows {
    const width = this.width_();
    const cell = this.cell_ || fitting(this.grid_, width, this.height_);
    const columns = Math.max(8, Math.floor(width / cell / 8) * 8);
    if (!this.rows_ || this.rows_.columns !== columns || this.rows_.cell !== cell) {
      this.rows_ = flowed(this.grid_, columns, cell);
    }
    return this.rows_;
  }

  private visible_height_(): number {
    const rows = this.layout_();
    const visible = Math.min(this.height_, rows.height);
    this.spacer_.style.height = `${Math.max(0, rows.height - visible)}px`;
    return visible;
  }

  private paint_(surface: Surface): void {
    const rows = this.layout_();
    const scroll = this.window_.scrollTop;
    this.paint_cells_(surface, rows, scroll);
    const { context } = surface;
    context.font = `11px ui-monospace, monospace`;
    context.textBaseline = "top";
    context.textAlign = "right";
    context.fillStyle = color("ink-soft");
    let next = -LINE;
    for (let at = row_at(rows, scroll); at < rows.rows.length; at += 1) {
      const row = rows.rows[at];
      const segment = row?.segments[0];
      if (!row || !segment || row.top > scroll + surface.height) {
        break;
      }
      const y = row.top - scroll;
      const starts = region_of(this.grid_, segment.first)?.first === segment.first;
      if (y >= next && (starts || y >= next + 3 * LINE)) {
        context.fillText(address(address_of(this.grid_, segment.first)), GUTTER - 8, Math.max(0, y - 2));
        next = y + LINE;
      }
    }
    this.paint_cursor_(surface, rows, scroll);
    context.font = `12px ${FONT}`;
    context.textAlign = "left";
  }

  private paint_cells_(surface: Surface, rows: Rows, scroll: number): void {
    const { context, scale } = surface;
    const width = Math.round(rows.columns * rows.cell * scale);
    const height = Math.round(surface.height * scale);
    if (width < 1 || height < 1) {
      return;
    }
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const colors = Uint32Array.from(scale_colors(), ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r);
    const inner = rows.cell >= 5 ? rows.cell - 1 : rows.cell; // a line between cells where there is room
    for (let at = row_at(rows, scroll); at < rows.rows.length; at += 1) {
      const row = rows.rows[at];
      if (!row || row.top - scroll > surface.height) {
        break;
      }
      const from = Math.max(0, Math.round((row.top - scroll) * scale));
      const to = Math.min(height, Math.round((row.top - scroll + inner) * scale));
      if (from >= to) {
        continue;
      }
      const line = pixels.subarray(from * width, (from + 1) * width);
      for (const segment of row.segments) {
        for (let cell = 0; cell < segment.cells; cell += 1) {
          const left = (segment.column + cell) * rows.cell;
          line.fill(colors[this.occupancy_[segment.first + cell] as number] as number, Math.round(left * scale), Math.round((left + inner) * scale));
        }
      }
      for (let y = from + 1; y < to; y += 1) {
        pixels.copyWithin(y * width, from * width, (from + 1) * width);
      }
    }
    context.putImageData(image, Math.round(GUTTER * scale), 0);
  }

  private paint_cursor_(surface: Surface, rows: Rows, scroll: number): void {
    const place = this.cursor_ >= 0 ? place_of(rows, this.cursor_) : undefined;
    const row = place && rows.rows[place.row];
    if (place && row) {
      const { context } = surface;
      context.strokeStyle = color("ink");
      context.lineWidth = 2;
      context.strokeRect(GUTTER + place.column * rows.cell - 1, row.top - scroll - 1, rows.cell + 2, rows.cell + 2);
    }
  }

  private move_(step: number): void {
    const last = this.grid_.cells - 1;
    this.cursor_ = Math.min(last, Math.max(0, (this.cursor_ < 0 ? 0 : this.cursor_ + step)));
    const rows = this.layout_();
    const place = place_of(rows, this.cursor_);
    const row = place && rows.rows[place.row];
    if (row && (row.top < this.window_.scrollTop || row.top + rows.cell > this.window_.scrollTop + this.surface_.height)) {
      this.window_.scrollTop = Math.max(0, row.top - this.surface_.height / 2);
    }
    this.surface_.invalidate();
    announce(this.describe(this.cursor_).map((fact) => fact.join(" ")).join(", "));
  }

  private key_(event: KeyboardEvent): void {
    const { columns } = this.layout_();
    const acts: Record<string, () => void> = {
      ArrowLeft: () => this.move_(-1),
      ArrowRight: () => this.move_(1),
      ArrowUp: () => this.move_(-columns),
      ArrowDown: () => this.move_(columns),
      "+": () => this.zoom(1),
      "=": () => this.zoom(1),
      "-": () => this.zoom(-1),
      "0": () => this.zoom(0),
    };
    const act = acts[event.key];
    if (act && !event.ctrlKey && !event.metaKey && !event.altKey) {
      act();
      event.preventDefault();
    }
  }

  private listen_(): void {
    const { canvas } = this.surface_;
    this.window_.addEventListener("scroll", () => this.surface_.invalidate(), { passive: true });
    canvas.addEventListener("keydown", (event) => this.key_(event));
    canvas.addEventListener("pointermove", (event) => {
      const { x, y } = this.surface_.at(event);
      const cell = cell_at(this.layout_(), x - GUTTER, y + this.window_.scrollTop);
      if (cell === undefined) {
        hide_tooltip();
      } else {
        tooltip_at(event, facts(this.describe(cell)));
      }
    });
    canvas.addEventListener("pointerleave", hide_tooltip);
    canvas.addEventListener(
      "wheel",
      (event) => {
        if (event.ctrlKey) {
          event.preventDefault();
          this.zoom(event.deltaY < 0 ? 1 : -1);
        }
      },
      { passive: false },
    );
  }
}
