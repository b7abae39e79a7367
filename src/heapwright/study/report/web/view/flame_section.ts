// The section around the flame graph: weight, shape, search, the path to where one has zoomed, and the table of functions.
import { h, replace } from "../core/dom.ts";
import { percent, share_of } from "../core/format.ts";
import { go_to, type Page } from "../core/page.ts";
import { term } from "../core/terms.ts";
import { WEIGHT_INFO } from "../core/weights.ts";
import { Flame } from "../flame/flame.ts";
import { function_rows, functions_of, reshaped, tree_of, type CallTree, type FunctionRow, type Shape } from "../flame/tree.ts";
import { WEIGHTS, type Weight } from "../schema.ts";
import { button, check_box, choices, choose, folded, key_hint, search_box, section } from "./controls.ts";
import { Table } from "./table.ts";

/// What was typed as a pattern: plain text, or a regular expression between slashes; case does not matter.
function pattern_of(text: string): RegExp | undefined {
  const wanted = text.trim();
  const expression = /^\/(.+)\/$/.exec(wanted)?.[1];
  if (expression !== undefined) {
    try {
      return new RegExp(expression, "i");
    } catch {
      // not finished typing: look for the text as it stands
    }
  }
  return wanted ? new RegExp(wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i") : undefined;
}

function function_table(page: Page, tree: CallTree, functions: Int32Array, weight: Weight): HTMLElement {
  const info = WEIGHT_INFO[weight];
  const kind = info.unit === "bytes" ? "bytes" : "count";
  const { names } = page;
  return new Table<FunctionRow>({
    caption: `Functions by ${info.title.toLowerCase()}`,
    rows: function_rows(tree, weight, functions),
    noun: "function",
    sort: "total",
    text: (row) => `${names.full(row.frame)} ${names.full_place(row.frame)} ${names.module(row.frame)}`,
    columns: [
      { key: "function", label: "function", kind: "text", value: (row) => names.short(row.frame), cell: (row) => h("span", { class: "code", title: names.full(row.frame) }, names.short(row.frame)) },
      { key: "module", label: "module", kind: "text", value: (row) => names.module(row.frame) },
      { key: "itself", label: "itself", kind, value: (row) => row.own, bar: info.color },
      {
        key: "total",
        label: "with all it calls",
        kind,
        value: (row) => row.total,
        bar: info.color,
        ...(page.diff ? { before: (row: FunctionRow) => row.before } : {}),
      },
    ],
  }).element;
}

export function flame_section(page: Page): HTMLElement {
  const { report, names } = page;
  const functions = functions_of(report);
  const whole = tree_of(report);
  const shape: Shape = { inverted: false, hide_runtime: false };
  const is_runtime = (frame: number): boolean => names.is_runtime(frame);

  const path = h("nav", { class: "path", "aria-label": "Zoomed to" });
  const found = h("output", { class: "found" });
  const nothing = h("p", { class: "nothing", hidden: true });
  const reset = button("Whole program", () => flame.zoom(0));
  let searching = false;

  const flame = new Flame(whole, page.weight.value, names, functions, () => show_state());
  function show_state(): void {
    const node = flame.chosen >= 0 ? flame.chosen : flame.top;
    const steps = flame.tree.path(flame.top);
    const cut = steps.length > 8 ? [steps[0] as number, -1, ...steps.slice(-6)] : steps;
    replace(
      path,
      cut.map((step) =>
        step < 0
          ? h("span", null, "\u2026")
          : button(names.short(flame.tree.frame[step] as number), () => flame.zoom(step), names.full(flame.tree.frame[step] as number)),
      ),
    );
    reset.disabled = flame.top === 0;
    found.textContent = searching ? `found: ${percent(flame.matched_share)}` : "";
    replace(
      details,
      h("span", { class: "code" }, names.full(flame.tree.frame[node] as number)),
      flame.describe(node).map(([name, value]) => h("span", null, `${name} `, h("b", null, value))),
    );
    const info = WEIGHT_INFO[page.weight.value];
    nothing.hidden = !(flame.tree.widths(page.weight.value)[0] === 0);
    nothing.textContent = `Nothing to show by this weight: ${info.title.charAt(0).toLowerCase()}${info.title.slice(1)} is zero everywhere.`;
  }
  const details = h("p", { class: "details", role: "status" });

  const table_place = h("div");
  const fresh_table = (): void =>
    replace(table_place, folded("Functions as a table", () => function_table(page, flame.tree, functions, page.weight.value)));
  const reshape = (): void => {
    flame.show(reshaped(whole, shape, functions, is_runtime), page.weight.value);
    flame.search(pattern_of(search.value));
    fresh_table();
  };

  const search = search_box("Find functions, files or modules", "find: text or /regex/", (text) => {
    searching = text.trim() !== "";
    flame.search(pattern_of(text));
  });
  const weights = choices(
    "Weigh by",
    WEIGHTS.map((weight) => ({ value: weight, label: WEIGHT_INFO[weight].label, title: WEIGHT_INFO[weight].title })),
    page.weight.value,
    (weight) => page.weight.set(weight),
  );
  page.weight.watch((weight) => {
    choose(weights, weight);
    flame.show(flame.tree, weight);
    flame.search(pattern_of(search.value));
    fresh_table();
  });
  page.wanted_stack.watch(({ frames }) => {
    go_to("flame");
    const node = flame.find(shape.inverted ? frames : [...frames].reverse());
    flame.zoom(Math.max(0, flame.tree.parent[node] as number));
    flame.chosen = node;
    flame.surface.canvas.focus({ preventScroll: true });
    show_state();
  });

  fresh_table();
  show_state();
  const omitted = report.tree.nodes_omitted;
  return section(
    "flame",
    "Flame graph",
    page.diff
      ? ["Each box is a function as called along one path; as wide as the larger of before and after. ", h("b", { class: "worse" }, "Red grew"), ", ", h("b", { class: "better" }, "green shrank"), "."]
      : ["Who holds the memory: each box is a function as called along one path, as wide as its share. Compare live bytes with ", term("pinned free"), " bytes to see who keeps empty pages resident."],
    h("div", { class: "toolbar" }, weights, search, found),
    h(
      "div",
      { class: "toolbar" },
      check_box("allocating function first", false, (on) => {
        shape.inverted = on;
        reshape();
      }),
      check_box("hide runtime frames", false, (on) => {
        shape.hide_runtime = on;
        reshape();
      }),
      reset,
      path,
    ),
    nothing,
    flame.surface.canvas,
    key_hint("arrow keys walk, Enter zooms in, Backspace one step out, Escape all the way"),
    details,
    omitted > 0 && h("p", { class: "hint" }, `Paths too small to see stand together as \u201c(smaller stacks)\u201d: ${share_note(omitted, report.tree.parent.length)}.`),
    table_place,
  );
}

function share_note(omitted: number, kept: number): string {
  return `${omitted.toLocaleString("en")} of ${(omitted + kept).toLocaleString("en")} tree nodes (${percent(share_of(omitted, omitted + kept))})`;
}
