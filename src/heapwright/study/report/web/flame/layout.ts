// Where each visible node of the call tree stands: rows from the root down, widest child first.
import type { CallTree } from "./tree.ts";

export interface Box {
  node: number;
  row: number;
  left: number; // pixels
  width: number;
}

/// Narrower boxes are left out: on screen they would be noise, and their sum is still their parent's.
const NARROWEST = 0.6;

/// The boxes of everything below `top`, and of its ancestors above it at full width.
/// Cost: visible nodes times the sorting of their children.
export function laid_out(tree: CallTree, widths: Float64Array, top: number, pixels: number): Box[] {
  const boxes: Box[] = tree.path(top).map((node, row) => ({ node, row, left: 0, width: pixels }));
  const whole = widths[top] as number;
  if (!(whole > 0)) {
    return boxes;
  }
  const scale = pixels / whole;
  const waiting: Box[] = [boxes[boxes.length - 1] as Box];
  for (let box = waiting.pop(); box; box = waiting.pop()) {
    let left = box.left;
    const children = [...tree.children(box.node)].sort((a, b) => (widths[b] as number) - (widths[a] as number));
    for (const node of children) {
      const width = (widths[node] as number) * scale;
      if (width < NARROWEST) {
        break;
      }
      const child = { node, row: box.row + 1, left, width };
      boxes.push(child);
      waiting.push(child);
      left += width;
    }
  }
  return boxes;
}

export function box_at(boxes: readonly Box[], row: number, x: number): Box | undefined {
  return boxes.find((box) => box.row === row && x >= box.left && x < box.left + box.width);
}

export type Step = "up" | "down" | "left" | "right";

/// The box that an arrow key leads to from `from`: down to the widest child, sideways along the row.
export function neighbour(boxes: readonly Box[], from: Box, step: Step): Box | undefined {
  const middle = from.left + from.width / 2;
  switch (step) {
    case "up":
      return boxes.find((box) => box.row === from.row - 1 && box.left <= middle && middle <= box.left + box.width);
    case "down":
      return boxes
        .filter((box) => box.row === from.row + 1 && box.left >= from.left - 0.01 && box.left < from.left + from.width)
        .sort((a, b) => b.width - a.width)[0];
    default: {
      const row = boxes.filter((box) => box.row === from.row).sort((a, b) => a.left - b.left);
      return row[row.indexOf(from) + (step === "left" ? -1 : 1)];
    }
  }
}
