// Light and dark: follows the system until the reader chooses, and hands the colours of the style sheet to the canvases.
import { h } from "./dom.ts";
import { Signal } from "./signal.ts";

export type Theme = "auto" | "light" | "dark";

/// Rises whenever colours change; canvases watch it and draw themselves again.
export const repaint = new Signal(0);

const system_dark = matchMedia("(prefers-color-scheme: dark)");
let cache = new Map<string, string>();
let chosen: Theme = "auto";

function announce(): void {
  document.documentElement.setAttribute("data-theme", is_dark() ? "dark" : "light");
  cache = new Map();
  repaint.set(repaint.value + 1);
}

export function is_dark(): boolean {
  return chosen === "dark" || (chosen === "auto" && system_dark.matches);
}

/// The colour that the style sheet gives `--name` at present.
export function color(name: string): string {
  let value = cache.get(name);
  if (value === undefined) {
    value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    cache.set(name, value);
  }
  return value;
}

export type Rgb = readonly [number, number, number];

/// The same as numbers; the style sheet writes colours that are to be mixed as #rrggbb.
export function rgb(name: string): Rgb {
  const value = Number.parseInt(color(name).slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

export function mixed(from: Rgb, to: Rgb, share: number): Rgb {
  return [0, 1, 2].map((at) => Math.round((from[at] ?? 0) + ((to[at] ?? 0) - (from[at] ?? 0)) * share)) as unknown as Rgb;
}

export function css(value: Rgb, alpha = 1): string {
  return `rgba(${value[0]},${value[1]},${value[2]},${alpha})`;
}

function remembered(): Theme {
  try {
    const value = localStorage.getItem("heapwright-theme");
    return value === "light" || value === "dark" ? value : "auto";
  } catch {
    return "auto"; // some browsers refuse storage to files
  }
}

function apply(theme: Theme): void {
  chosen = theme;
  try {
    localStorage.setItem("heapwright-theme", theme);
  } catch {
    // as above
  }
  announce();
}

/// The switch in the head of the page: one button that turns auto, light and dark in a circle.
export function theme_button(): HTMLButtonElement {
  const next: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
  const faces: Record<Theme, string> = { auto: "\u25d0", light: "\u25cb", dark: "\u25cf" };
  const button = h("button", { type: "button", class: "quiet", id: "theme" });
  const show = (): void => {
    button.textContent = `${faces[chosen]} ${chosen}`;
    button.setAttribute("aria-label", `Colours: ${chosen}. Change to ${next[chosen]}`);
  };
  button.addEventListener("click", () => {
    apply(next[chosen]);
    show();
  });
  system_dark.addEventListener("change", announce);
  apply(remembered());
  show();
  return button;
}
