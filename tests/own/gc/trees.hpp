// Binary trees of collected objects, as the tests of threads and of fork make and count them.
#pragma once

#include <cstdint>

#include <heapwright/base/platform.hpp>
#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/ptr.hpp>

namespace heapwright::test {

struct TreeNode {
    gc::Ptr<TreeNode> left;
    gc::Ptr<TreeNode> right;
    std::uint64_t number = 0;
    TreeNode() = default;
    TreeNode(gc::Ptr<TreeNode> its_left, gc::Ptr<TreeNode> its_right) : left(its_left), right(its_right) {}
    void trace(gc::Tracer& tracer) const { tracer(left, right); }
};

/// A full tree. Only the stack knows the left half while the right one is made.
HEAPWRIGHT_NOINLINE inline gc::Ptr<TreeNode> make_tree(gc::Heap& heap, int depth) {
    if (depth == 0) {
        return gc::make<TreeNode>(heap);
    }
    auto left = make_tree(heap, depth - 1);
    auto right = make_tree(heap, depth - 1);
    return gc::make<TreeNode>(heap, left, right);
}

inline std::uint64_t count_tree(const TreeNode* node) {
    return node == nullptr ? 0 : 1 + count_tree(node->left.get()) + count_tree(node->right.get());
}

}  // namespace heapwright::test
