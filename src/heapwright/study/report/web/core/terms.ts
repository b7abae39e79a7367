// What the words of the page mean, in one sentence each; shown on hover, on focus, and as the glossary at its end.
import { h } from "./dom.ts";
import { hide_tooltip, tooltip_below } from "./tooltip.ts";

export const TERMS = {
  "live": "Given to the program and not yet freed.",
  "peak": "The moment at which the program held the most requested bytes.",
  "requested": "The bytes the program asked for, as it wrote them in malloc, new and so on.",
  "usable": "What the allocator really set aside for a block: requested bytes rounded up to a size class.",
  "internal fragmentation": "Usable minus requested bytes: what rounding and alignment add inside each block.",
  "external fragmentation": "Free bytes on OS pages that still hold at least one live block. The kernel cannot take these pages back, so the free bytes stay resident.",
  "OS page": "The kernel's unit of memory: 4 KiB. A page is resident as a whole or not at all.",
  "occupied": "OS pages that hold at least one byte of a live block.",
  "RSS": "Resident set size: the memory that the kernel has really given to the process, whatever it is used for.",
  "retained": "Resident OS pages of the heap without any live byte: the allocator keeps them instead of giving them back.",
  "other memory": "Resident memory that never held a heap block: program code, files, stacks, and the allocator's own tables.",
  "pinned": "OS pages on which every live block comes from this one call site: it alone keeps them resident.",
  "pinned free": "The free part of the pages that a call site pins: memory that stays resident for nothing, because of this site alone.",
  "leaked": "Never freed before the recording ended. Memory that a program keeps on purpose until its end counts too.",
  "temporary": "Freed before the same thread allocated anything else: such a block could often live on the stack or be reused.",
  "short-lived": "Lived for less than one millisecond.",
  "same frame": "Freed while its thread had allocated nothing outside the allocating function: a candidate for the stack.",
  "cross-thread free": "Freed by another thread than the one that allocated it; many allocators handle that slowly.",
  "over-aligned": "Asked for more than the usual 16-byte alignment.",
  "realloc chain": "One block that was resized at least twice; reserve() with the final size would avoid the copies.",
  "copied": "Bytes that realloc moved because the block could not grow where it was.",
  "lifetime": "The time from a block's allocation to its free.",
  "site": "One distinct call stack that allocates.",
  "allocated": "All requested bytes over the whole run, live or not: the traffic through the allocator.",
  "largest free run": "The longest stretch of free bytes between two live blocks of one mapping.",
  "sampled": "Only a random part of the allocations was recorded; the figures are scaled back and unbiased.",
  "unknown frees": "Frees of blocks that were allocated before the recording began, or whose allocation was lost.",
  "mismatched": "Allocated by one family and freed by another, such as new[] freed by delete: undefined behaviour.",
  "proved": "The suggestion was replayed, and the measured difference is larger than noise and in its favour.",
  "refuted": "The suggestion was replayed, and it did not help by more than noise.",
  "not tried": "No replay of this suggestion is in the report; heapwright replay --experiment ID runs it.",
  "trial": "The recorded events played through one allocator and setting, in a fresh process, several times.",
  "noise": "The ranges of the runs overlap: the difference may be chance.",
  "after the end": "Resident bytes a moment after the last event: what is still live plus what the allocator keeps.",
  "floor": "Resident bytes after every block was freed: what the allocator keeps of an empty heap.",
} as const;

export type Term = keyof typeof TERMS;

/// Shows the meaning of `name` while `element` is under the pointer or has the focus.
export function explained<E extends HTMLElement>(element: E, name: Term): E {
  const show = (): void => tooltip_below(element, h("b", null, name), h("span", { class: "sentence" }, TERMS[name]));
  element.setAttribute("aria-describedby", "tooltip");
  element.addEventListener("pointerenter", show);
  element.addEventListener("focus", show);
  element.addEventListener("pointerleave", hide_tooltip);
  element.addEventListener("blur", hide_tooltip);
  return element;
}

/// The word (or `label` in its place) with its meaning on hover and focus.
export function term(name: Term, label: string = name): HTMLElement {
  return explained(h("span", { class: "term", tabindex: 0 }, label), name);
}

export function glossary(): HTMLElement {
  const names = (Object.keys(TERMS) as Term[]).sort((a, b) => a.localeCompare(b));
  return h(
    "dl",
    { class: "glossary" },
    names.map((name) => h("div", null, h("dt", null, name), h("dd", null, TERMS[name]))),
  );
}
