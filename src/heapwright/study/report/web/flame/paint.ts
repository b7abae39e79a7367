// Draws the boxes of a flame graph: tint by meaning, shade by function, text where it fits.
import { FONT, type Surface } from "../core/canvas.ts";
import { color, css, is_dark, mixed, rgb, type Rgb } from "../core/theme.ts";
import type { Box } from "./layout.ts";

export const ROW = 19; // pixels

export interface Look {
  name: (box: Box) => string;
  /// What the colour tells of: a variable of the style sheet.
  meaning: string;
  /// [0, 1): which shade of the colour.
  shade: (box: Box) => number;
  muted: (box: Box) => boolean; // runtime frames, and what was cut off
  /// In a comparison: -1 (gone) to 1 (new); undefined otherwise.
  change: ((box: Box) => number) | undefined;
  /// undefined: no search is on.
  matches: ((box: Box) => boolean) | undefined;
  chosen: Box | undefined;
  hovered: Box | undefined;
  same: (a: Box, b: Box) => boolean; // same function
  /// The rows above this one are the ancestors of what was zoomed into.
  top_row: number;
}

function fitted(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (width < 22) {
    return "";
  }
  const full = context.measureText(text).width;
  if (full <= width) {
    return text;
  }
  const inner = text.indexOf("::"); // what stands last tells most: drop namespaces before letters
  if (inner >= 0) {
    return fitted(context, text.slice(inner + 2), width);
  }
  let keep = Math.floor((text.length * width) / full);
  while (keep > 1 && context.measureText(`${text.slice(0, keep)}\u2026`).width > width) {
    keep -= 1;
  }
  return keep > 1 ? `${text.slice(0, keep)}\u2026` : "";
}

function fill_of(box: Box, look: Look, base: Rgb, ground: Rgb, grey: Rgb): Rgb {
  if (look.matches && look.matches(box)) {
    return mixed(rgb("match"), ground, 0.3);
  }
  if (look.change) {
    const change = look.change(box);
    const strength = Math.min(1, Math.abs(change)) * 0.75;
    return mixed(mixed(grey, ground, 0.55), change > 0 ? rgb("worse") : rgb("better"), strength);
  }
  const faint = is_dark() ? 0.42 : 0.5;
  return mixed(look.muted(box) ? grey : base, ground, faint + 0.22 * look.shade(box) + (look.muted(box) ? 0.12 : 0));
}

export function paint_flame(surface: Surface, boxes: readonly Box[], look: Look): void {
  const { context } = surface;
  const base = rgb(look.meaning);
  const ground = rgb("panel");
  const grey = rgb("other");
  const ink = color("ink");
  context.font = `12px ${FONT}`;
  context.textBaseline = "middle";
  for (const box of boxes) {
    const top = box.row * ROW;
    const width = Math.max(0.5, box.width - (box.width > 3 ? 1 : 0));
    const faded = (look.matches && !look.matches(box)) || box.row < look.top_row;
    context.globalAlpha = faded ? 0.45 : 1;
    context.fillStyle = css(fill_of(box, look, base, ground, grey));
    context.fillRect(box.left, top, width, ROW - 1);
    if (look.hovered && look.same(box, look.hovered)) {
      context.fillStyle = color("hover");
      context.fillRect(box.left, top, width, ROW - 1);
    }
    const text = fitted(context, look.name(box), box.width - 10);
    if (text) {
      context.globalAlpha = faded ? 0.7 : 1;
      context.fillStyle = ink;
      context.fillText(text, box.left + 5, top + ROW / 2);
    }
  }
  context.globalAlpha = 1;
  if (look.chosen) {
    context.strokeStyle = color("accent");
    context.lineWidth = 2;
    context.strokeRect(look.chosen.left + 1, look.chosen.row * ROW + 1, Math.max(2, look.chosen.width - 3), ROW - 3);
  }
}
