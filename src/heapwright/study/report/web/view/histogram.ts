// A small histogram over buckets of powers of two, drawn as SVG bars that can be read out.
import { filled, range_of } from "../core/buckets.ts";
import { h, svg } from "../core/dom.ts";

export interface HistogramOptions {
  title: string;
  values: readonly number[];
  bucket_format: (value: number) => string;
  whole: boolean; // buckets of whole numbers: "16 to 31" and not "16 to 32"
  value_format: (value: number) => string;
  color: string; // a variable of the style sheet
}

const HEIGHT = 44;
const STEP = 13;

export function histogram(options: HistogramOptions): HTMLElement {
  const bars = filled(options.values);
  const most = Math.max(1, ...bars.map((bar) => bar.value));
  const text = (at: number): string => {
    const bar = bars[at];
    return bar ? `${range_of(bar.bucket, options.bucket_format, options.whole)}: ${options.value_format(bar.value)}` : "";
  };
  const picture = svg(
    "svg",
    { width: Math.max(1, bars.length) * STEP, height: HEIGHT, fill: `var(--${options.color})`, role: "img", "aria-label": `${options.title}. ${bars.map((_, at) => text(at)).join("; ")}` },
    bars.map((bar, at) => {
      const height = bar.value === 0 ? 0 : Math.max(1.5, (bar.value / most) * HEIGHT);
      return [
        svg("rect", { x: at * STEP, y: HEIGHT - height, width: STEP - 2, height, rx: 1 }),
        svg("rect", { class: "hit", x: at * STEP, y: 0, width: STEP, height: HEIGHT }, svg("title", null, text(at))),
      ];
    }),
  );
  const first = bars[0];
  const last = bars[bars.length - 1];
  return h(
    "figure",
    { class: "histogram" },
    h("figcaption", null, options.title),
    bars.length === 0 ? h("p", { class: "zero" }, "none") : picture,
    first && last && h("p", { class: "ends" }, h("span", null, options.bucket_format(first.bucket === 0 ? 0 : 2 ** first.bucket)), h("span", null, options.bucket_format(2 ** (last.bucket + 1)))),
  );
}
