// All stacks merged into one tree, outermost function first: what flame graphs are drawn from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/report/function_keys.hpp>
#include <heapwright/study/report/weight.hpp>

namespace heapwright::study {

/// A call tree with the whole subtree's values at each node.
///
///   C1  node 0 is the root; every other node's parent comes before it
///   C2  a node's value is at least the sum of its children's, for every weight
///
/// Siblings that are one function of one module are one node, whatever their lines.
class CallTree {
public:
    static constexpr std::int32_t kRoot = -1;           ///< frame of node 0
    static constexpr std::int32_t kSmallerStacks = -2;  ///< frame of a node that stands for what prune() cut below its parent

    struct Node {
        std::int32_t parent = -1;
        std::int32_t frame = kRoot;  ///< index into the findings' frames (of the first findings added that have the function)
        Weights values{};
        Weights before{};  ///< of the first trace, in a comparison
    };

    /// The tree of one trace.
    explicit CallTree(const Findings& findings);

    /// The tree of a comparison: `after` in values, `before` in before. Frames that only `before` has are numbered from
    /// after.frames.size() on.
    CallTree(const Findings& before, const Findings& after);

    /// Keeps the `limit` nodes that matter most for any weight; what hung below a kept node becomes one child of it.
    ///
    /// Cost: O(nodes).
    void prune(std::size_t limit);

    [[nodiscard]] const std::vector<Node>& nodes() const { return nodes_; }
    [[nodiscard]] bool is_comparison() const { return comparison_; }
    [[nodiscard]] std::size_t nodes_omitted() const { return omitted_; }

    /// The first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const;

private:
    class Children;  // (parent, key) -> node, while the tree grows

    void add(Children& children, const Findings& findings, const std::vector<FunctionKeys::Key>& keys, std::int32_t first_frame,
             Weights Node::* column);
    void sum_up(Weights Node::* column);
    [[nodiscard]] std::vector<double> importance() const;
    bool keep_most_important(const std::vector<double>& importance, std::size_t keep, std::size_t limit);

    std::vector<Node> nodes_;
    bool comparison_ = false;
    std::size_t omitted_ = 0;
};

}  // namespace heapwright::study
