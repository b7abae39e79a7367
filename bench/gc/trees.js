// GCBench and binary-trees for Node: the same work as programs.cpp, for reference. Usage: trees.js NAME SIZE.
"use strict";

class Tree {
  constructor(left, right) {
    this.left = left;
    this.right = right;
  }
}

const bottomUp = (depth) => (depth <= 0 ? new Tree(null, null) : new Tree(bottomUp(depth - 1), bottomUp(depth - 1)));

function topDown(depth, node) {
  if (depth > 0) {
    node.left = new Tree(null, null);
    node.right = new Tree(null, null);
    topDown(depth - 1, node.left);
    topDown(depth - 1, node.right);
  }
}

const count = (node) => (node === null ? 0 : 1 + count(node.left) + count(node.right));
const size = (depth) => 2 ** (depth + 1) - 1;

function gcbench(depth) {
  bottomUp(depth);
  const kept = new Tree(null, null);
  topDown(depth - 2, kept);
  const array = new Float64Array(2 ** (depth + 1));
  let made = 0;
  for (let small = 4; small <= depth - 2; small += 2) {
    const rounds = Math.floor((2 * size(depth)) / size(small));
    for (let round = 0; round < rounds; ++round) {
      topDown(small, new Tree(null, null));
      bottomUp(small);
      made += 2 * size(small);
    }
  }
  return made + count(kept) + array.length;
}

function binaryTrees(depth) {
  let sum = count(bottomUp(depth + 1));
  const kept = bottomUp(depth);
  for (let small = 4; small <= depth; small += 4) {
    for (let round = 0; round < 2 ** (depth - small + 4); ++round) {
      sum += count(bottomUp(small));
    }
  }
  return sum + count(kept);
}

const [name, wanted] = process.argv.slice(2);
const begin = process.hrtime.bigint();
const sum = (name === "gcbench" ? gcbench : binaryTrees)(Number(wanted));
console.log([Number(process.hrtime.bigint() - begin) * 1e-9, sum, 0, 0, 0, 0].join("\t"));
