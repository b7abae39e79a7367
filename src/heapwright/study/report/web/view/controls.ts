// Small controls that several views share: a row of choices, a check box, a part that is made when it is opened.
import { h, replace, styled, type Child } from "../core/dom.ts";

export interface Choice<T extends string> {
  value: T;
  label: Child;
  title?: string;
}

let groups = 0;

/// A row of radio buttons drawn as one strip; arrow keys work as in any radio group.
export function choices<T extends string>(label: string, all: readonly Choice<T>[], selected: T, changed: (value: T) => void): HTMLElement {
  const name = `choice-${(groups += 1)}`;
  return h(
    "div",
    { class: "choices", role: "radiogroup", "aria-label": label },
    all.map((choice) =>
      h(
        "label",
        { title: choice.title },
        h("input", { type: "radio", name, value: choice.value, checked: choice.value === selected, onchange: () => changed(choice.value) }),
        h("span", null, choice.label),
      ),
    ),
  );
}

/// Checks the radio button of `value` without telling anybody.
export function choose(group: HTMLElement, value: string): void {
  for (const input of group.querySelectorAll("input")) {
    input.checked = input.value === value;
  }
}

export function check_box(label: Child, checked: boolean, changed: (checked: boolean) => void): HTMLElement {
  const input = h("input", { type: "checkbox", checked });
  input.addEventListener("change", () => changed(input.checked));
  return h("label", { class: "check" }, input, label);
}

export function search_box(label: string, placeholder: string, changed: (text: string) => void): HTMLInputElement {
  const input = h("input", { type: "search", class: "search", "aria-label": label, placeholder, spellcheck: "false", autocomplete: "off" });
  input.addEventListener("input", () => changed(input.value));
  return input;
}

export function button(label: Child, act: () => void, title?: string): HTMLButtonElement {
  return h("button", { type: "button", onclick: act, title, "aria-label": title }, label);
}

/// A closed part whose content is made when it is first opened: the table behind a picture.
export function folded(summary: string, make: () => Node): HTMLDetailsElement {
  const body = h("div");
  const part = h("details", { class: "folded" }, h("summary", null, summary), body);
  part.addEventListener("toggle", () => {
    if (part.open && !body.firstChild) {
      replace(body, make());
    }
  });
  return part;
}

/// A little square in the colour that `name` has everywhere on the page.
export function swatch(name: string): HTMLElement {
  return styled(h("i", { class: "swatch", "aria-hidden": "true" }), { background: `var(--${name})` });
}

/// What the keys do, shown while the picture before it has the keyboard's focus.
export function key_hint(text: string): HTMLElement {
  return h("p", { class: "keys hint" }, `Keys: ${text}.`);
}

let live_region: HTMLElement | undefined;

/// Tells screen readers what changed on a canvas.
export function announce(text: string): void {
  if (!live_region) {
    live_region = h("div", { class: "unseen", "aria-live": "polite", id: "announcements" });
    document.body.appendChild(live_region);
  }
  live_region.textContent = text;
}

/// A section of the page with its heading, an explaining line and its content.
export function section(id: string, title: string, lead: Child, ...content: Child[]): HTMLElement {
  return h(
    "section",
    { id, "aria-labelledby": `${id}-title` },
    h("h2", { id: `${id}-title` }, title),
    lead && h("p", { class: "lead" }, lead),
    content,
  );
}
