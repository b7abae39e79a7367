// Makes DOM elements in one expression; text always goes in as text, so no name in a trace can become markup.

export type Child = Node | string | number | null | undefined | false | Child[];

type Listener = (event: never) => void;
type Attribute = string | number | boolean | undefined | null | Listener;

/// Attributes by name; a function under `on...` is a listener; `true` is an empty attribute, `false` leaves it out.
export type Attributes = Record<string, Attribute>;

const SVG = "http://www.w3.org/2000/svg";

function fill(element: Element, attributes: Attributes | null, children: Child[]): void {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), value as unknown as EventListener);
    } else if (value !== undefined && value !== null && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  append(element, children);
}

export function append(parent: Node, children: Child[]): void {
  for (const child of children) {
    if (Array.isArray(child)) {
      append(parent, child);
    } else if (child instanceof Node) {
      parent.appendChild(child);
    } else if (child !== null && child !== undefined && child !== false) {
      parent.appendChild(document.createTextNode(String(child)));
    }
  }
}

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes?: Attributes | null,
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  fill(element, attributes ?? null, children);
  return element;
}

export function svg(tag: string, attributes?: Attributes | null, ...children: Child[]): SVGElement {
  const element = document.createElementNS(SVG, tag) as SVGElement;
  fill(element, attributes ?? null, children);
  return element;
}

/// Sets a style property; the content security policy forbids style attributes, not this.
export function styled<E extends HTMLElement | SVGElement>(element: E, properties: Record<string, string>): E {
  for (const [name, value] of Object.entries(properties)) {
    element.style.setProperty(name, value);
  }
  return element;
}

export function replace(parent: Element, ...children: Child[]): void {
  parent.replaceChildren();
  append(parent, children);
}

/// Calls `act` the first time that `element` comes near the window: what nobody scrolls to is never drawn.
export function when_near(element: Element, act: () => void): void {
  const observer = new IntersectionObserver(
    (entries) => {
      if (entries.some((entry) => entry.isIntersecting)) {
        observer.disconnect();
        act();
      }
    },
    { rootMargin: "300px" },
  );
  observer.observe(element);
}

/// At most one call of `act` an animation frame, with whatever is newest by then.
export function once_a_frame(act: () => void): () => void {
  let waiting = false;
  return () => {
    if (!waiting) {
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        act();
      });
    }
  };
}
