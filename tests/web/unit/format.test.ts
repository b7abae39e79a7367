// How numbers read: unit always there, three digits, never a zero for something.
import assert from "node:assert/strict";
import { test } from "node:test";

import { bytes, count, counted, exact, exact_bytes, percent, signed, time, with_unit } from "heapwright/core/format.ts";

const plain = (text: string): string => text.replace(/\u202f/g, " ");

test("bytes keep three digits and change the unit before they would read 1024", () => {
  assert.deepEqual([0, 1, 1023, 1024, 1536, 10_485_760, 1_073_741_823].map((value) => plain(bytes(value))), [
    "0 B", "1 B", "1023 B", "1.00 KiB", "1.50 KiB", "10.0 MiB", "1.00 GiB",
  ]);
  assert.equal(plain(bytes(-2048)), "\u22122.00 KiB");
  assert.equal(plain(bytes(94.3)), "94.3 B");
});

test("counts are exact while they are short", () => {
  assert.equal(plain(count(99_999)), "99 999");
  assert.equal(plain(count(4_080_000)), "4.08 M");
  assert.equal(plain(counted(1, "block")), "1 block");
  assert.equal(plain(counted(0, "block")), "0 blocks");
});

test("exact numbers are grouped in threes", () => {
  assert.equal(plain(exact(1234567)), "1 234 567");
  assert.equal(plain(exact(-1000)), "\u22121 000");
  assert.equal(plain(exact_bytes(1)), "1 byte");
});

test("times choose their unit", () => {
  assert.deepEqual([0, 999, 1500, 2_500_000, 61e9, 7200e9].map((value) => plain(time(value))), ["0 ns", "999 ns", "1.50 \u00b5s", "2.50 ms", "1.02 min", "2.00 h"]);
  assert.equal(plain(time(999_700)), "1.00 ms");
});

test("a share that is not zero never reads as zero", () => {
  assert.deepEqual([0, 0.00001, 0.0004, 0.123, 1].map((value) => plain(percent(value))), ["0 %", "<0.01 %", "0.04 %", "12.3 %", "100 %"]);
});

test("differences carry their sign", () => {
  assert.equal(plain(signed(1024, bytes)), "+1.00 KiB");
  assert.equal(plain(signed(-1024, bytes)), "\u22121.00 KiB");
  assert.equal(signed(0, bytes), "\u00b10");
});

test("units of the C++ side are understood, and unknown ones are shown", () => {
  assert.equal(plain(with_unit(2048, "bytes")), "2.00 KiB");
  assert.equal(plain(with_unit(0.5, "ratio")), "50.0 %");
  assert.equal(plain(with_unit(3, "s")), "3.00 s");
  assert.equal(with_unit(7, "threads"), "7 threads");
});
