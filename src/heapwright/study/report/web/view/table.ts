// A table that sorts by its heads, filters as one types, opens rows for details, and shows long lists piece by piece.
import { h, replace, type Child } from "../core/dom.ts";
import { parsed_filter, passes } from "../core/filter.ts";
import { by_kind, count, exact_by_kind, signed, type Kind } from "../core/format.ts";
import { explained, type Term } from "../core/terms.ts";
import { button, search_box } from "./controls.ts";

export interface Column<Row> {
  key: string; // for sorting and for conditions of the filter
  label: string;
  kind: Kind;
  value: (row: Row) => number | string;
  before?: (row: Row) => number; // a comparison: the column shows value - before
  term?: Term; // explains the head
  cell?: (row: Row) => Child; // in place of the formatted value
  bar?: string; // colour of a bar that shows the share of the column's largest value
}

export interface TableOptions<Row> {
  caption: string; // for screen readers
  noun: string; // "site": for "12 of 2 000 sites"
  rows: readonly Row[];
  columns: readonly Column<Row>[];
  sort: string;
  text?: (row: Row) => string; // what the filter searches; without it there is no filter box
  detail?: (row: Row) => Child;
  placeholder?: string;
  tools?: Child; // stands beside the filter box
  conditions?: readonly Pick<Column<Row>, "key" | "value">[]; // numbers that a filter may name although no column shows them
}

const FIRST_ROWS = 30;

export class Table<Row> {
  readonly element: HTMLElement;
  private readonly head_ = h("thead");
  private readonly body_ = h("tbody");
  private readonly tail_ = h("div", { class: "more" });
  private readonly count_ = h("output", { class: "found" });
  private readonly texts_ = new Map<Row, string>();
  private readonly open_ = new Set<Row>();
  private columns_: readonly Column<Row>[];
  private sorted_by_: string;
  private descending_ = true;
  private query_ = "";
  private shown_ = FIRST_ROWS;
  private order_: Row[] = [];

  constructor(private readonly options_: TableOptions<Row>) {
    this.columns_ = options_.columns;
    this.sorted_by_ = options_.sort;
    const filter =
      options_.text &&
      search_box(`Filter ${options_.noun}s`, options_.placeholder ?? "filter", (text) => {
        this.query_ = text;
        this.shown_ = FIRST_ROWS;
        this.refresh();
      });
    this.element = h(
      "div",
      { class: "table" },
      h("div", { class: "toolbar" }, options_.tools, filter, this.count_),
      h(
        "div",
        { class: "scroll", tabindex: 0, role: "region", "aria-label": options_.caption },
        h("table", null, h("caption", { class: "unseen" }, options_.caption), this.head_, this.body_),
      ),
      this.tail_,
    );
    this.refresh();
  }

  /// Shows other columns of the same rows.
  show_columns(columns: readonly Column<Row>[], sort: string): void {
    this.columns_ = columns;
    this.sorted_by_ = sort;
    this.descending_ = true;
    this.refresh();
  }

  /// Opens the row and brings it into view, whatever the filter says.
  reveal(row: Row): void {
    const input = this.element.querySelector<HTMLInputElement>("input[type=search]");
    if (input) {
      input.value = "";
    }
    this.query_ = "";
    this.open_.add(row);
    this.refresh();
    this.shown_ = Math.max(this.shown_, this.order_.indexOf(row) + 1);
    this.render_();
    const at = this.body_.querySelector<HTMLElement>(`tr[data-at="${this.order_.indexOf(row)}"]`);
    at?.scrollIntoView({ block: "center" });
    at?.querySelector("button")?.focus({ preventScroll: true });
  }

  refresh(): void {
    const { rows, noun } = this.options_;
    const numbers = [...this.columns_.filter((column) => column.kind !== "text"), ...(this.options_.conditions ?? [])];
    const filter = parsed_filter(this.query_, numbers.map((column) => column.key));
    const kept = rows.filter((row) =>
      passes(filter, this.text_(row), (key) => Number(numbers.find((column) => column.key === key)?.value(row) ?? 0)),
    );
    const column = this.columns_.find((known) => known.key === this.sorted_by_) ?? this.columns_[0];
    this.order_ = column ? this.sorted_(kept, column) : kept;
    this.count_.textContent =
      kept.length === rows.length ? `${count(rows.length)} ${noun}${rows.length === 1 ? "" : "s"}` : `${count(kept.length)} of ${count(rows.length)} ${noun}s`;
    this.render_();
  }

  private text_(row: Row): string {
    let text = this.texts_.get(row);
    if (text === undefined) {
      text = (this.options_.text?.(row) ?? "").toLowerCase();
      this.texts_.set(row, text);
    }
    return text;
  }

  private sorted_(rows: Row[], column: Column<Row>): Row[] {
    const sign = this.descending_ ? -1 : 1;
    if (column.kind === "text") {
      return rows
        .map((row) => [String(column.value(row)), row] as const)
        .sort((a, b) => -sign * a[0].localeCompare(b[0])) // "descending" is the first click: A to Z
        .map(([, row]) => row);
    }
    return rows
      .map((row) => [Number(column.value(row)) - (column.before?.(row) ?? 0), row] as const)
      .sort((a, b) => sign * (a[0] - b[0]))
      .map(([, row]) => row);
  }

  private head_cell_(column: Column<Row>): HTMLElement {
    const sorted = column.key === this.sorted_by_;
    const order = !sorted ? "none" : (this.descending_ === (column.kind !== "text") ? "descending" : "ascending");
    const sort = (): void => {
      this.descending_ = sorted ? !this.descending_ : true;
      this.sorted_by_ = column.key;
      this.refresh();
      this.head_.querySelector<HTMLElement>(`th[data-key="${column.key}"] button`)?.focus();
    };
    const arrow = h("span", { class: "arrow", "aria-hidden": "true" }, order === "none" ? "" : order === "descending" ? "\u25be" : "\u25b4");
    const label = h("span", { class: column.term ? "term" : "" }, column.before ? `\u0394 ${column.label}` : column.label);
    const head = h("button", { type: "button", onclick: sort }, label, arrow);
    return h(
      "th",
      { scope: "col", "aria-sort": order, "data-key": column.key, class: column.kind === "text" ? "" : "number" },
      column.term ? explained(head, column.term) : head,
    );
  }

  private cell_(column: Column<Row>, row: Row, largest: number): HTMLElement {
    if (column.cell) {
      return h("td", { class: column.kind === "text" ? "" : "number" }, column.cell(row));
    }
    const value = column.value(row);
    if (typeof value === "string") {
      return h("td", null, value);
    }
    const format = by_kind(column.kind);
    const exactly = exact_by_kind(column.kind);
    if (column.before) {
      const change = value - column.before(row);
      const name = change > 0 ? "worse" : change < 0 ? "better" : "zero";
      return h(
        "td",
        { class: `number ${name}`, title: `before ${exactly(column.before(row))}, after ${exactly(value)}` },
        signed(change, format),
        h("small", null, format(value)),
      );
    }
    const cell = h("td", { class: value === 0 ? "number zero" : "number", title: exactly(value) }, value === 0 ? "0" : format(value));
    if (column.bar && largest > 0 && value > 0) {
      cell.classList.add("bar");
      cell.style.setProperty("--share", String(value / largest));
      cell.style.setProperty("--bar", `var(--${column.bar})`);
    }
    return cell;
  }

  private row_(row: Row, at: number, largest: readonly number[]): HTMLElement[] {
    const cells = this.columns_.map((column, index) => this.cell_(column, row, largest[index] ?? 0));
    const { detail } = this.options_;
    if (!detail) {
      return [h("tr", { "data-at": at }, cells)];
    }
    const open = this.open_.has(row);
    const turn = (): void => {
      if (!this.open_.delete(row)) {
        this.open_.add(row);
      }
      this.render_();
      this.body_.querySelector<HTMLElement>(`tr[data-at="${at}"] button`)?.focus({ preventScroll: true });
    };
    cells[0]?.prepend(
      h("button", { type: "button", class: "fold", "aria-expanded": String(open), "aria-label": open ? "Hide details" : "Show details" }, open ? "\u25be" : "\u25b8"),
    );
    const line = h("tr", { "data-at": at, class: open ? "openable open" : "openable" }, cells);
    line.addEventListener("click", (event) => {
      const target = event.target as Element;
      if (!target.closest("a, input") && getSelection()?.isCollapsed !== false) {
        turn();
      }
    });
    return open ? [line, h("tr", { class: "detail" }, h("td", { colspan: this.columns_.length }, detail(row)))] : [line];
  }

  private render_(): void {
    const { order_, columns_, options_ } = this;
    const largest = columns_.map((column) =>
      column.bar ? order_.reduce((most, row) => Math.max(most, Number(column.value(row))), 0) : 0,
    );
    replace(this.head_, h("tr", null, columns_.map((column) => this.head_cell_(column))));
    const shown = order_.slice(0, this.shown_);
    replace(
      this.body_,
      shown.length > 0
        ? shown.map((row, at) => this.row_(row, at, largest))
        : h("tr", null, h("td", { colspan: columns_.length, class: "zero" }, this.query_ ? `no ${options_.noun} matches this filter` : `no ${options_.noun}`)),
    );
    const rest = order_.length - shown.length;
    const more = (rows: number, label: string): HTMLElement =>
      button(label, () => {
        this.shown_ += rows;
        this.render_();
      });
    replace(
      this.tail_,
      rest > 0 && [more(100, `Show ${Math.min(100, rest)} more`), rest > 100 && more(rest, `Show all ${count(order_.length)}`)],
    );
  }
}
