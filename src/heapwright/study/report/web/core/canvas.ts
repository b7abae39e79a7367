// A canvas that is sharp on every screen, follows its container's width and repaints when colours change.
import { h, once_a_frame } from "./dom.ts";
import { repaint } from "./theme.ts";

export class Surface {
  readonly canvas: HTMLCanvasElement;
  readonly context: CanvasRenderingContext2D;
  width = 0; // CSS pixels
  height = 0;
  scale = 1; // device pixels a CSS pixel
  /// Asks for a drawing in the next animation frame.
  readonly invalidate: () => void;

  /// `height_for` says how tall the canvas is to be at a width; `draw` draws in CSS pixels.
  constructor(
    attributes: Record<string, string | number>,
    private readonly height_for_: (width: number) => number,
    private readonly draw_: (surface: Surface) => void,
  ) {
    this.canvas = h("canvas", attributes);
    const context = this.canvas.getContext("2d");
    if (!context) {
      throw new Error("this browser has no canvas");
    }
    this.context = context;
    this.invalidate = once_a_frame(() => this.paint_());
    repaint.watch(this.invalidate);
    new ResizeObserver(() => this.invalidate()).observe(this.canvas);
  }

  private paint_(): void {
    const width = this.canvas.clientWidth;
    if (width === 0 || !this.canvas.isConnected) {
      return;
    }
    this.scale = Math.min(3, Math.max(1, devicePixelRatio || 1));
    this.width = width;
    this.height = Math.max(1, Math.round(this.height_for_(width)));
    const device_width = Math.round(width * this.scale);
    const device_height = Math.round(this.height * this.scale);
    if (this.canvas.width !== device_width || this.canvas.height !== device_height) {
      this.canvas.width = device_width;
      this.canvas.height = device_height;
      this.canvas.style.height = `${this.height}px`;
    }
    this.context.setTransform(this.scale, 0, 0, this.scale, 0, 0);
    this.context.clearRect(0, 0, this.width, this.height);
    this.draw_(this);
  }

  /// Where a pointer event lies on the canvas, in CSS pixels.
  at(event: MouseEvent): { x: number; y: number } {
    const box = this.canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }
}

export const FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', sans-serif";
