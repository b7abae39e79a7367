// The language of the filter boxes: words that must occur, and conditions on columns such as leaked>1MiB or threads>=2.

export interface Condition {
  column: string;
  accepts: (value: number) => boolean;
}

export interface Filter {
  words: string[]; // lower case; all must occur
  without: string[]; // none may occur
  conditions: Condition[];
}

const UNITS: Record<string, number> = {
  "": 1, b: 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3, kb: 1e3, mb: 1e6, gb: 1e9,
  k: 1e3, m: 1e6, g: 1e9, ns: 1, us: 1e3, "\u00b5s": 1e3, ms: 1e6, s: 1e9, min: 60e9, "%": 0.01,
};

const COMPARISONS: Record<string, (a: number, b: number) => boolean> = {
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  "=": (a, b) => a === b,
};

function condition_of(token: string, columns: readonly string[]): Condition | undefined {
  const parts = /^([a-z_-]+)(>=|<=|>|<|=)(-?[\d.]+)([a-z\u00b5%]*)$/i.exec(token);
  if (!parts) {
    return undefined;
  }
  const [, name = "", comparison = "", number = "", unit = ""] = parts;
  const column = columns.find((known) => known === name.toLowerCase().replace(/-/g, "_"));
  const factor = UNITS[unit.toLowerCase()];
  const compare = COMPARISONS[comparison];
  const value = Number(number);
  if (column === undefined || factor === undefined || compare === undefined || Number.isNaN(value)) {
    return undefined;
  }
  return { column, accepts: (actual) => compare(actual, value * factor) };
}

/// `columns` are the keys that conditions may name; what is no condition is a word. "-word" excludes.
export function parsed_filter(text: string, columns: readonly string[]): Filter {
  const filter: Filter = { words: [], without: [], conditions: [] };
  for (const token of text.trim().split(/\s+/)) {
    const condition = condition_of(token, columns);
    if (condition) {
      filter.conditions.push(condition);
    } else if (token.startsWith("-")) {
      filter.without.push(...[token.slice(1).toLowerCase()].filter(Boolean)); // a lone minus is still being typed
    } else if (token) {
      filter.words.push(token.toLowerCase());
    }
  }
  return filter;
}

export function passes(filter: Filter, text: string, value_of: (column: string) => number): boolean {
  return (
    filter.words.every((word) => text.includes(word)) &&
    !filter.without.some((word) => text.includes(word)) &&
    filter.conditions.every((condition) => condition.accepts(value_of(condition.column)))
  );
}
