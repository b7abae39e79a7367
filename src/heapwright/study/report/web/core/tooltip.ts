// One floating note for the whole page: near the pointer over canvases, below the word for terms.
import { append, h, type Child } from "./dom.ts";

let note: HTMLElement | undefined;

function element(): HTMLElement {
  if (!note) {
    note = h("div", { class: "tooltip", role: "tooltip", id: "tooltip", hidden: true });
    document.body.appendChild(note);
    addEventListener("keydown", (event) => event.key === "Escape" && hide_tooltip());
    addEventListener("scroll", hide_tooltip, { passive: true });
  }
  return note;
}

function place(box: HTMLElement, x: number, y: number, clear: number): void {
  const width = box.offsetWidth;
  const height = box.offsetHeight;
  const left = Math.max(8, Math.min(x, innerWidth - width - 8));
  const below = y + clear;
  const top = below + height + 8 > innerHeight && y - clear - height > 8 ? y - clear - height : below;
  box.style.left = `${left}px`;
  box.style.top = `${top}px`;
}

/// Shows `children` beside the pointer.
export function tooltip_at(event: MouseEvent, ...children: Child[]): void {
  const box = element();
  box.replaceChildren();
  append(box, children);
  box.hidden = false;
  place(box, event.clientX + 14, event.clientY, 16);
}

/// Shows `children` below `anchor`.
export function tooltip_below(anchor: Element, ...children: Child[]): void {
  const box = element();
  box.replaceChildren();
  append(box, children);
  box.hidden = false;
  const rect = anchor.getBoundingClientRect();
  place(box, rect.left, (rect.top + rect.bottom) / 2, rect.height / 2 + 6);
}

export function hide_tooltip(): void {
  if (note) {
    note.hidden = true;
  }
}

/// Rows of "name: value" for a note.
export function facts(rows: (readonly [string, string] | false | undefined)[]): HTMLElement {
  return h(
    "dl",
    { class: "facts" },
    rows.map((row) => row && [h("dt", null, row[0]), h("dd", null, row[1])]),
  );
}
