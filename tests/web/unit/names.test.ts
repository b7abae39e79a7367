// Short names of functions keep what tells them apart.
import assert from "node:assert/strict";
import { test } from "node:test";

import { file_name, short_function } from "heapwright/core/names.ts";

const CASES: [string, string][] = [
  ["main", "main"],
  ["malloc", "malloc"],
  ["std::vector<int, std::allocator<int> >::push_back(int const&)", "std::vector<\u2026>::push_back"],
  ["store::Record::insert(std::string_view) const", "store::Record::insert"],
  ["void std::vector<A, B<C> >::_M_realloc_insert<A>(x, A&&)", "std::vector<\u2026>::_M_realloc_insert<\u2026>"],
  ["operator new(unsigned long)", "operator new"],
  ["std::ostream& std::operator<< <std::char_traits<char> >(std::ostream&, char const*)", "std::ostream& std::operator<< <\u2026>"],
  ["net::Map::operator()(int) const", "net::Map::operator()"],
  ["net::Map::operator->()", "net::Map::operator->"],
  ["(anonymous namespace)::helper(int)", "{anonymous}::helper"],
  ["run()::{lambda(int, char)#2}::operator()(int, char) const", "run::{lambda#2}::operator()"],
  ["f<" + "g<".repeat(3), "f<g<g<g<"],
  ["0x1f20", "0x1f20"],
  ["foo(int) [clone .cold]", "foo"],
];

test("templates, parameters and qualifiers are left out", () => {
  for (const [long, short] of CASES) {
    assert.equal(short_function(long), short);
  }
});

test("no name becomes empty", () => {
  for (const name of ["()", "<>", "((", "operator", " "]) {
    assert.notEqual(short_function(name), "");
  }
});

test("a file is named without its folders", () => {
  assert.equal(file_name("/a/b/c.cpp"), "c.cpp");
  assert.equal(file_name("c.cpp"), "c.cpp");
});
