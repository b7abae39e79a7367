// The language of the filter boxes.
import assert from "node:assert/strict";
import { test } from "node:test";

import { parsed_filter, passes } from "heapwright/core/filter.ts";

const COLUMNS = ["leaked", "peak_blocks", "lifetime", "rounding"];
const ROW: Record<string, number> = { leaked: 2 ** 20, peak_blocks: 7, lifetime: 2e6, rounding: 0.1 };

function accepts(query: string, text = "store::record::insert record.cpp"): boolean {
  return passes(parsed_filter(query, COLUMNS), text, (column) => ROW[column] ?? 0);
}

test("all words must occur, in any order and case", () => {
  assert.ok(accepts("insert STORE"));
  assert.ok(!accepts("insert parser"));
  assert.ok(accepts(""));
});

test("a word after a minus must not occur", () => {
  assert.ok(!accepts("-record"));
  assert.ok(accepts("-parser"));
  assert.ok(accepts("-"), "a lone minus is still being typed");
});

test("conditions compare columns, with units", () => {
  assert.ok(accepts("leaked>=1MiB"));
  assert.ok(!accepts("leaked>1MiB"));
  assert.ok(accepts("leaked>1MB"));
  assert.ok(accepts("peak-blocks=7 peak_blocks<8"));
  assert.ok(accepts("lifetime>1ms lifetime<3ms"));
  assert.ok(accepts("rounding>5%"));
});

test("what is no condition of a known column is a word", () => {
  assert.ok(!accepts("unknown>3"));
  assert.ok(accepts("operator>=", "bool operator>=(a, b)"));
  assert.ok(!accepts("leaked>1furlong"));
});
