// Shortens function and file names for narrow places; the full name always stands in a tooltip or detail.
import type { Frame, Report } from "../schema.ts";

const ROOT = -1;
const NO_STACK = -3; // a site without frames
const CUT_OFF = "(smaller stacks)"; // any other negative number of a frame

/// Control characters and those that turn the reading direction: a name must not reorder what stands beside it.
const UNPRINTABLE = /[\u0000-\u001f\u007f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/// Where the "<" of an operator's name would confuse a bracket counter.
const OPERATORS = /operator\s*(<=>|<<=|>>=|<<|>>|<=|>=|->\*|->|<|>|\(\))/g;

/// Copies `text` without what stands between `open` and `close`; `filler` replaces each outermost pair.
function without(text: string, open: string, close: string, filler: string): string {
  let depth = 0;
  let kept = "";
  for (const character of text) {
    if (character === open) {
      kept += depth === 0 ? filler : "";
      depth += 1;
    } else if (character === close && depth > 0) {
      depth -= 1;
    } else if (depth === 0) {
      kept += character;
    }
  }
  return depth === 0 ? kept : text; // unbalanced: the name is no C++; leave it alone
}

/// "std::vector<int, std::allocator<int> >::push_back(int const&)" -> "std::vector<…>::push_back"
export function short_function(name: string): string {
  const operators: string[] = [];
  const hidden = name
    .replace(/\(anonymous namespace\)/g, "{anonymous}")
    .replace(/\{lambda\([^{}]*\)#(\d+)\}/g, "{lambda#$1}")
    .replace(OPERATORS, (found) => `\u0001${operators.push(found) - 1}\u0002`);
  const plain = without(without(hidden, "(", ")", ""), "<", ">", "<\u2026>");
  return plain
    .replace(/ (const|volatile|&|&&)( (const|volatile|&|&&))*$/, "")
    .replace(/ ?\[clone [^\]]*\]/g, "")
    .replace(/\u0001(\d+)\u0002/g, (_, at: string) => operators[Number(at)] ?? "")
    .replace(/^(?:[\w:<>\u2026*&]+ )+(?=[\w:{~]+<\u2026>)/, "") // the return type that templates carry
    .trim() || name;
}

export function file_name(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/// Answers what a frame is called, once a frame.
export class Names {
  private readonly short_: (string | undefined)[] = [];

  constructor(private readonly report_: Report) {
    for (const frame of report_.frames) {
      frame.function = frame.function.replace(UNPRINTABLE, "\ufffd") || "(no name)";
    }
  }

  frame(index: number): Frame | undefined {
    return this.report_.frames[index];
  }

  full(index: number): string {
    return index === ROOT ? this.report_.title : index === NO_STACK ? "(no stack recorded)" : (this.frame(index)?.function ?? CUT_OFF);
  }

  short(index: number): string {
    return index < 0 ? this.full(index) : (this.short_[index] ??= short_function(this.full(index)));
  }

  module(index: number): string {
    const frame = this.frame(index);
    return frame ? (this.report_.modules[frame.module] ?? "") : "";
  }

  /// "parser.cpp:120", or nothing without debug info.
  place(index: number): string {
    const frame = this.frame(index);
    return frame?.file ? file_name(frame.file) + (frame.line ? `:${frame.line}` : "") : "";
  }

  full_place(index: number): string {
    const frame = this.frame(index);
    const offset = frame?.offset ? `+0x${frame.offset.toString(16)}` : "";
    return frame?.file ? frame.file + (frame.line ? `:${frame.line}` : "") : offset;
  }

  is_runtime(index: number): boolean {
    return this.frame(index)?.runtime === true;
  }

  /// The frame of a stack (innermost first) at which a user would look first.
  first_own(frames: readonly number[]): number {
    return frames.find((frame) => !this.is_runtime(frame)) ?? frames[0] ?? NO_STACK;
  }
}
