// All call stacks of the process as one tree, rooted at the outermost frame; a stack is the number of its innermost node.
#pragma once

#include <cstdint>

#include <heapwright/trace/chunk.hpp>
#include <heapwright/trace/event.hpp>
#include <heapwright/trace/stack/intern_table.hpp>
#include <heapwright/trace/stack/rule_cache.hpp>

namespace heapwright::trace::stack {

/// Gives each (parent, return address) a number, once; numbers count from 1 without gaps and never change.
///
///   T1  every node's parent has a smaller number
///   T2  every published node is found again by its own key
///
/// A thread may use a number as soon as it has it; `published()` covers every number that has been handed out before
/// it is read. So a writer that takes a buffer of events first and `published()` afterwards finds the stacks of all
/// these events below it.
///
/// Thread safety: any thread; no locks.
class NodeTree {
public:
    static constexpr std::uint32_t kDefaultMaxNodes = std::uint32_t{1} << 23;

    constexpr NodeTree() noexcept = default;
    NodeTree(const NodeTree&) = delete;
    NodeTree& operator=(const NodeTree&) = delete;

    /// Requires: not open; `pcs` outlives the tree.
    /// Fails:    false when the kernel refuses the addresses, even for a smaller tree; intern() then gives the parent.
    [[nodiscard]] bool open(const RuleCache& pcs, std::uint32_t max_nodes = kDefaultMaxNodes) noexcept;

    /// Gives back the memory. Requires: no other thread uses the tree.
    void close() noexcept;

    /// The number of the frame `pc` called from `parent` (StackId::none: the outermost frame).
    ///
    /// Returns: the node; `parent` when the tree is full or memory is refused (counted in refused()).
    /// Cost:    one probe when it exists.
    [[nodiscard]] StackId intern(StackId parent, PcIndex pc) noexcept {
        const std::uint64_t key = key_of(parent, pc);
        const std::uint32_t found = table_.find(key);
        if (HEAPWRIGHT_LIKELY(found != 0)) {
            return static_cast<StackId>(found);
        }
        return intern_slow(parent, key);
    }

    /// How many nodes there are: 1 to published() can be read by node(), also in a forked child.
    [[nodiscard]] std::uint32_t published() const noexcept { return table_.count(); }

    /// Requires: 1 <= number <= a value that published() gave.
    [[nodiscard]] StackNode node(std::uint32_t number) const noexcept;

    /// How many times a node was wanted and could not be made.
    [[nodiscard]] std::uint64_t refused() const noexcept {
        return refused_.load(std::memory_order_relaxed);  // a statistic
    }

    /// To be called in the child after fork, before its first intern(): other threads may have stopped in mid-step.
    void after_fork_in_child() noexcept { table_.after_fork_in_child(); }

    /// The first broken invariant or nullptr. O(nodes). Requires: no other thread inserts.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    static constexpr std::uint64_t key_of(StackId parent, PcIndex pc) noexcept {
        return static_cast<std::uint64_t>(parent) << 32 | static_cast<std::uint32_t>(pc);
    }
    [[nodiscard]] HEAPWRIGHT_COLD StackId intern_slow(StackId parent, std::uint64_t key) noexcept;

    struct Record {
        std::atomic<std::uint64_t> key;
    };
    friend class StackCapture;

    InternTable<Record> table_;
    const RuleCache* pcs_ = nullptr;
    std::atomic<std::uint64_t> refused_{0};
};

}  // namespace heapwright::trace::stack
