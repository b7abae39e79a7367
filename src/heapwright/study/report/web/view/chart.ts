// What all uPlot charts of the page share: axes with units, colours that follow the theme, widths that follow the page.
import uPlot from "uplot";

import { FONT } from "../core/canvas.ts";
import { color, repaint } from "../core/theme.ts";

export interface Line {
  label: string;
  color: string; // a variable of the style sheet
  values: (number | null)[];
  width?: number;
  dash?: number[];
  shown?: boolean;
  /// The area from this line down to the line `below` (its index) in the colour `fill`.
  below?: number;
  fill?: string;
}

export interface ChartOptions {
  x: number[];
  lines: readonly Line[];
  height: number;
  x_format: (value: number) => string;
  y_format: (value: number) => string;
  /// Distance of the grid lines: powers of two for bytes, of ten for the rest.
  binary?: boolean;
  y_max?: number;
  sync?: string;
  hide_x?: boolean;
  drawn?: (chart: uPlot) => void;
  moved?: (index: number | null) => void;
  zoomed?: (low: number, high: number) => void;
  clicked?: (x: number) => void;
}

const BINARY_STEPS = Array.from({ length: 54 }, (_, power) => 2 ** power);

function axis(options: ChartOptions, of_x: boolean): uPlot.Axis {
  const format = of_x ? options.x_format : options.y_format;
  return {
    stroke: () => color("ink-soft"),
    font: `11px ${FONT}`,
    size: of_x ? 26 : 64,
    gap: 4,
    space: of_x ? 90 : 34,
    grid: { stroke: () => color("line-soft"), width: 1 },
    ticks: { stroke: () => color("line"), width: 1, size: 4 },
    values: (_chart, values) => values.map((value) => format(value).replace(/\.0+(?!\d)/, "")), // "8 GiB", not "8.00 GiB"
    ...(!of_x && options.binary ? { incrs: BINARY_STEPS } : {}),
  };
}

function series(line: Line): uPlot.Series {
  return {
    label: line.label,
    stroke: () => color(line.color),
    width: line.width ?? 1.5,
    spanGaps: true,
    show: line.shown ?? true,
    points: { show: false },
    ...(line.dash ? { dash: line.dash } : {}),
  };
}

/// Tells a click from the end of a drag.
function on_click(over: HTMLElement, act: (x: number) => void): void {
  let down = Number.NaN;
  over.addEventListener("pointerdown", (event) => (down = event.clientX));
  over.addEventListener("click", (event) => {
    if (Math.abs(event.clientX - down) < 4) {
      act(event.clientX - over.getBoundingClientRect().left);
    }
  });
}

/// A chart inside `place`, as wide as it.
export function chart_in(place: HTMLElement, options: ChartOptions): uPlot {
  const { lines, moved, zoomed, clicked, drawn } = options;
  const chart = new uPlot(
    {
      width: Math.max(200, place.clientWidth),
      height: options.height,
      padding: [8, 12, 0, 0],
      legend: { show: false },
      scales: { x: { time: false }, y: { range: (_chart, _low, high) => [0, options.y_max ?? Math.max(1, high * 1.05)] } },
      axes: [{ ...axis(options, true), ...(options.hide_x ? { size: 6, values: () => [] } : {}) }, axis(options, false)],
      series: [{}, ...lines.map(series)],
      bands: lines.flatMap((line, at) =>
        line.below === undefined ? [] : [{ series: [at + 1, line.below + 1] as [number, number], fill: () => color(line.fill ?? line.color) }],
      ),
      cursor: {
        y: false,
        points: { size: 6, width: 1.5 },
        drag: { x: true, y: false, dist: 4 },
        ...(options.sync ? { sync: { key: options.sync, setSeries: false } } : {}),
      },
      hooks: {
        ...(drawn ? { draw: [drawn] } : {}),
        ...(moved ? { setCursor: [(self: uPlot) => moved(self.cursor.idx ?? null)] } : {}),
        ...(zoomed
          ? {
              setScale: [
                (self: uPlot, key: string) => {
                  const { min, max } = self.scales["x"] ?? {};
                  if (key === "x" && typeof min === "number" && typeof max === "number") {
                    zoomed(min, max);
                  }
                },
              ],
            }
          : {}),
      },
    },
    [options.x, ...lines.map((line) => line.values)] as uPlot.AlignedData,
    place,
  );
  if (clicked) {
    on_click(chart.over, (x) => clicked(chart.posToVal(x, "x")));
  }
  repaint.watch(() => chart.redraw(false));
  new ResizeObserver(() => {
    const width = place.clientWidth;
    if (width > 0 && Math.abs(width - chart.width) > 1) {
      chart.setSize({ width, height: options.height });
    }
  }).observe(place);
  return chart;
}
