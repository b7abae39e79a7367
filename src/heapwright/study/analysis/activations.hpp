// Which call frames of a thread have surely stayed on its stack since a given moment, as its allocations show them.
#pragma once

#include <cstdint>
#include <vector>

#include <heapwright/study/analysis/stack_tree.hpp>

namespace heapwright::study {

/// The stack of a thread's latest allocation, and for each of its frames since when every allocation of the thread
/// was made below that frame. A block whose function's caller has been there ever since the block was allocated was
/// freed while only that function allocated: it could have lived on the stack.
///
/// Cost: O(frames that changed since the last allocation).
class Activations {
public:
    /// The thread allocates from `stack` (0: it is not known from where, and then nothing has surely stayed).
    void allocate(const StackTree& tree, std::uint32_t stack, std::uint64_t stamp) {
        if (stack == latest_ && stack != 0) {
            return;
        }
        latest_ = stack;
        const std::size_t depth = tree[stack].depth;
        frames_.resize(depth);
        std::uint32_t node = stack;
        for (std::size_t at = depth; at-- > 0 && frames_[at].node != node;) {
            frames_[at] = {.node = node, .since = stamp};
            node = tree[node].parent;
        }
    }

    /// True when frame `node` at `depth` has been below no other allocation since stamp `moment`.
    [[nodiscard]] bool has_stayed(std::uint32_t node, std::size_t depth, std::uint64_t moment) const {
        return depth != 0 && depth <= frames_.size() && frames_[depth - 1].node == node && frames_[depth - 1].since <= moment;
    }

private:
    struct Frame {
        std::uint32_t node = 0;
        std::uint64_t since = 0;
    };
    std::vector<Frame> frames_;
    std::uint32_t latest_ = 0;
};

}  // namespace heapwright::study
