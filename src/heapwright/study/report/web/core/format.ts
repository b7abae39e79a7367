// Turns numbers into short text with a unit. Three significant digits; the exact number belongs into a tooltip.

const THIN = "\u202f"; // narrow no-break space: groups digits, joins number and unit
const MINUS = "\u2212";

/// 1234567 -> "1 234 567"
export function exact(value: number): string {
  const text = Number.isInteger(value) ? Math.abs(value).toFixed(0) : Math.abs(value).toFixed(3);
  const [whole, part] = text.split(".");
  const grouped = (whole ?? "").replace(/\B(?=(\d{3})+$)/g, THIN);
  return (value < 0 ? MINUS : "") + grouped + (part ? `.${part}` : "");
}

function three_digits(value: number): string {
  if (value >= 99.95) {
    return value.toFixed(0);
  }
  return value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let size = Math.abs(value);
  let unit = 0;
  while (size >= step * 0.9995 && unit + 1 < units.length) {
    size /= step;
    unit += 1;
  }
  const digits = unit === 0 ? (Number.isInteger(size) ? size.toFixed(0) : three_digits(size)) : three_digits(size);
  const name = units[unit] ?? "";
  return (value < 0 ? MINUS : "") + digits + (name ? THIN + name : "");
}

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;
const COUNT_UNITS = ["", "k", "M", "G", "T"] as const;

export function bytes(value: number): string {
  return scaled(value, 1024, BYTE_UNITS);
}

/// Exact with its unit, for tooltips: "64 225 280 bytes".
export function exact_bytes(value: number): string {
  return `${exact(value)} ${Math.abs(value) === 1 ? "byte" : "bytes"}`;
}

/// Whole numbers up to 99 999 exact, then "4.08 M"; "1.4" for a mean.
export function count(value: number): string {
  if (Math.abs(value) < 10 && !Number.isInteger(value)) {
    return (value < 0 ? MINUS : "") + three_digits(Math.abs(value));
  }
  return Math.abs(value) < 100_000 ? exact(Math.round(value)) : scaled(value, 1000, COUNT_UNITS);
}

/// A count with its noun: "1 block", "12 blocks".
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

const TIMES: readonly (readonly [number, string])[] = [
  [3600e9, "h"],
  [60e9, "min"],
  [1e9, "s"],
  [1e6, "ms"],
  [1e3, "\u00b5s"],
];

export function time(ns: number): string {
  const size = Math.abs(ns);
  const sign = ns < 0 ? MINUS : "";
  for (const [unit, name] of TIMES) {
    if (size >= unit * 0.9995) {
      return sign + three_digits(size / unit) + THIN + name;
    }
  }
  return sign + size.toFixed(0) + THIN + "ns";
}

/// 0.1234 -> "12.3 %"; what is not zero never reads as zero.
export function percent(share: number): string {
  const value = share * 100;
  const size = Math.abs(value);
  const sign = value < 0 ? MINUS : "";
  if (size > 0 && size < 0.005) {
    return `${sign}<0.01${THIN}%`;
  }
  return sign + size.toFixed(size >= 99.95 || size === 0 ? 0 : size < 0.1 ? 2 : 1) + THIN + "%";
}

export function share_of(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

export function address(value: number): string {
  return `0x${value.toString(16)}`;
}

/// "+1.2 MiB", "−3", "±0": for differences.
export function signed(value: number, format: (value: number) => string): string {
  return value === 0 ? "\u00b10" : (value > 0 ? "+" : "") + format(value);
}

export type Kind = "bytes" | "count" | "time" | "percent" | "text";

export function by_kind(kind: Kind): (value: number) => string {
  switch (kind) {
    case "bytes":
      return bytes;
    case "time":
      return time;
    case "percent":
      return percent;
    default:
      return count;
  }
}

export function exact_by_kind(kind: Kind): (value: number) => string {
  switch (kind) {
    case "bytes":
      return exact_bytes;
    case "time":
      return (value) => `${exact(value)} ns`;
    case "percent":
      return (value) => `${(value * 100).toFixed(4)} %`;
    default:
      return exact;
  }
}

/// A number whose unit is a word from the C++ side.
export function with_unit(value: number, unit: string): string {
  switch (unit) {
    case "B":
    case "bytes":
      return bytes(value);
    case "ns":
      return time(value);
    case "s":
      return time(value * 1e9);
    case "%":
      return percent(value / 100);
    case "ratio":
      return percent(value);
    default:
      return unit ? `${count(value)} ${unit}` : count(value);
  }
}
