// What stands before the counts of a node: its kind, which leads to its collector, and the collector's notes about it.
//
// `slot` says where a collector has the node:
//
//   bit 31  old: it survived a pass              bits 29, 30  which list of candidates; 0: none
//   bits 0 to 27  where in that list; while a pass has visited the node, where in the list of the visited
//
// `trial` is kIdle outside of a pass, else the strong handles that were not yet found inside the visited part. A long pass, which
// goes on from call to call, counts the handles it found instead, above kLookedAt; others leave its nodes alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/own/rc/counts.hpp>

namespace heapwright::detail {

struct NodeHeader;
class Candidates;

/// Who is called with each node that another has a handle to.
struct EdgeSink {
    using To = void (*)(EdgeSink& sink, NodeHeader& node) noexcept;
    explicit EdgeSink(To function) noexcept : to(function) {}
    To to;
};

/// What a collector has to know of a type. One for each type and policy, made by the compiler.
struct NodeOps {
    std::string_view name;
    void (*gather)(const void* object, void* pass) noexcept;  // calls the pass for each handle that the object names
    void (*rescue)(const void* object, void* pass) noexcept;
    void (*follow)(NodeHeader& node, EdgeSink& sink) noexcept;  // the same for long passes
    void (*destroy)(void* object) noexcept;
    std::size_t lead_bytes;  // of the block before the node's header
    Layout layout;
    bool handles_stay;  // see traced.hpp
};

/// The nodes of one type in one collector.
struct NodeKind {
    const NodeOps* ops;
    Candidates* home;  // the collector's
    std::uint64_t made = 0;
    std::uint64_t gone = 0;
    std::uint64_t collected = 0;  // of these, that only cycles kept
};

struct NodeHeader {
    static constexpr std::uint32_t kIdle = UINT32_MAX;
    static constexpr std::uint32_t kOld = 1U << 31;
    static constexpr std::uint32_t kListShift = 29;
    static constexpr std::uint32_t kListMask = 3U << kListShift;
    // Of a visited node, where an idle one has its list.
    static constexpr std::uint32_t kWasCandidate = 1U << 29;
    static constexpr std::uint32_t kUnsure = 1U << 30;  // old nodes behind it counted as outside
    static constexpr std::uint32_t kCut = 1U << 28;     // what is behind it was not looked at any more
    static constexpr std::uint32_t kPlaceMask = (1U << 28) - 1;
    // Of a node that a long pass looks at.
    static constexpr std::uint32_t kLookedAt = 1U << 31;  // in `trial`
    static constexpr std::uint32_t kChanged = 1U << 29;   // it lost a handle since, or a weak handle was upgraded
    static constexpr std::uint32_t kWaits = 1U << 28;     // it was a candidate

    NodeKind* kind;
    std::uint32_t trial = kIdle;
    std::uint32_t slot = 0;

    /// Whether a pass that ends with its call has it.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool is_visited() const noexcept { return trial < kLookedAt; }
    [[nodiscard]] bool is_looked_at() const noexcept { return trial >= kLookedAt && trial != kIdle; }
    [[nodiscard]] bool is_changed() const noexcept { return (slot & kChanged) != 0; }
    [[nodiscard]] std::uint32_t found() const noexcept { return trial & ~kLookedAt; }
    void move_to(std::uint32_t place) noexcept { slot = (slot & ~kPlaceMask) | place; }

    [[nodiscard]] bool is_old() const noexcept { return (slot & kOld) != 0; }
    [[nodiscard]] std::uint32_t list() const noexcept { return (slot & kListMask) >> kListShift; }
    [[nodiscard]] std::uint32_t place() const noexcept { return slot & kPlaceMask; }
    void put(std::uint32_t list, std::uint32_t place) noexcept { slot = (slot & kOld) | list << kListShift | place; }

    template <class Counts>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Counts& counts() noexcept {
        return *reinterpret_cast<Counts*>(this + 1);
    }
    template <class Counts>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* object() noexcept {
        return reinterpret_cast<std::byte*>(this + 1) + sizeof(Counts);
    }
};
static_assert(sizeof(NodeHeader) == 16);

/// A growing array of nodes that refuses instead of failing.
class NodeList {
public:
    using Allocate = void* (*)(Layout layout) noexcept;
    using Deallocate = void (*)(void* block, Layout layout) noexcept;

    constexpr NodeList(Allocate allocate, Deallocate deallocate) noexcept : allocate_(allocate), deallocate_(deallocate) {}
    NodeList(const NodeList&) = delete;
    NodeList& operator=(const NodeList&) = delete;
    ~NodeList() {
        if (nodes_ != nullptr) {
            deallocate_(static_cast<void*>(nodes_), layout(capacity_));
        }
    }

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool try_push(NodeHeader* node) noexcept {
        if (HEAPWRIGHT_UNLIKELY(size_ == capacity_) && !grow()) {
            return false;
        }
        nodes_[size_++] = node;
        return true;
    }
    [[nodiscard]] NodeHeader* pop() noexcept { return nodes_[--size_]; }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE NodeHeader*& operator[](std::uint32_t place) noexcept { return nodes_[place]; }
    [[nodiscard]] NodeHeader* operator[](std::uint32_t place) const noexcept { return nodes_[place]; }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint32_t size() const noexcept { return size_; }
    void clear() noexcept { size_ = 0; }
    void swap(NodeList& other) noexcept {
        std::swap(nodes_, other.nodes_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

private:
    static constexpr std::uint32_t kFirst = 512;

    [[nodiscard]] static Layout layout(std::uint32_t capacity) noexcept {
        return {.size = capacity * sizeof(NodeHeader*), .alignment = alignof(NodeHeader*)};
    }
    HEAPWRIGHT_COLD bool grow() noexcept {
        const std::uint32_t wanted = capacity_ == 0 ? kFirst : capacity_ * 2;
        void* const bigger = wanted > NodeHeader::kPlaceMask ? nullptr : allocate_(layout(wanted));
        if (bigger == nullptr) {
            return false;
        }
        if (nodes_ != nullptr) {
            __builtin_memcpy(bigger, static_cast<const void*>(nodes_), size_ * sizeof(NodeHeader*));
            deallocate_(static_cast<void*>(nodes_), layout(capacity_));
        }
        nodes_ = static_cast<NodeHeader**>(bigger);
        capacity_ = wanted;
        return true;
    }

    NodeHeader** nodes_ = nullptr;
    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = 0;
    Allocate allocate_;
    Deallocate deallocate_;
};

/// The nodes that lost a handle and kept others: where a cycle of garbage may begin.
class Candidates {
public:
    // large: more hangs on them than a bounded pass may visit. looked_at: not candidates, but what a long pass has; see long_pass.hpp.
    enum List : std::uint32_t { none, young, old, large, looked_at };
    Candidates(NodeList::Allocate allocate, NodeList::Deallocate deallocate) noexcept
        : lists_{{allocate, deallocate}, {allocate, deallocate}, {allocate, deallocate}, {allocate, deallocate}} {}

    [[nodiscard]] NodeList& list(List which) noexcept { return lists_[which - 1]; }
    [[nodiscard]] const NodeList& list(List which) const noexcept { return lists_[which - 1]; }

    /// Requires: it is in no list. When memory is refused it stays in none, and its next lost handle tries again.
    HEAPWRIGHT_ALWAYS_INLINE void add(NodeHeader& node, List which) noexcept {
        NodeList& nodes = list(which);
        if (nodes.try_push(&node)) {
            node.put(which, nodes.size() - 1);
        } else {
            ++refused_;
        }
    }
    /// Requires: it is in a list.
    void remove(NodeHeader& node) noexcept {
        NodeList& nodes = list(static_cast<List>(node.list()));
        NodeHeader* const last = nodes.pop();
        nodes[node.place()] = last;  // itself, where it was the last
        last->put(node.list(), node.place());
        node.put(none, 0);
    }
    /// A handle was dropped and others are left.
    HEAPWRIGHT_NOINLINE void note(NodeHeader& node) noexcept {
        if (HEAPWRIGHT_LIKELY(!node.is_old())) {
            add(node, young);
        } else if (HEAPWRIGHT_LIKELY(node.trial == NodeHeader::kIdle)) {
            add(node, old);
        } else {
            disturb(node);  // what a long pass looks at counts as old
        }
    }
    /// The last handle was dropped: the node dies in the usual way.
    void forget(NodeHeader& node) noexcept {
        if (HEAPWRIGHT_UNLIKELY(node.trial != NodeHeader::kIdle)) {
            forget_looked_at(node);
        } else if (node.list() != none) {
            remove(node);
        }
        ++node.kind->gone;
    }

    /// A node that a long pass looks at lost a handle, or got one that no other handle is a copy of.
    void disturb(NodeHeader& node) noexcept {
        node.slot |= NodeHeader::kChanged;
        is_disturbed = true;
    }
    bool is_disturbed = false;  // since the long pass last asked
    bool is_freeing = false;    // what the long pass looks at is garbage

    [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }

private:
    /// The handles in it are no longer a looked-at node's: what they keep is held from outside until its destructor drops them.
    HEAPWRIGHT_COLD void forget_looked_at(NodeHeader& node) noexcept;

    NodeList lists_[4];  // NOLINT(*-use-default-member-init): they depend on the arguments
    std::uint64_t refused_ = 0;
};

/// Drops a strong handle of a node. Returns: true when it was the last, and the caller ends the object.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool drop_node(NodeHeader& node, PlainCounts& counts) noexcept {
    if (counts.drop_strong()) {
        node.kind->home->forget(node);
        return true;
    }
    if ((node.slot & NodeHeader::kListMask) == 0) {
        node.kind->home->note(node);
    }
    return false;
}
/// Makes a strong handle of a weak one. Returns: false when the node is dead, or proven to be garbage.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool upgrade_node(NodeHeader& node, PlainCounts& counts) noexcept {
    if (HEAPWRIGHT_UNLIKELY(node.trial != NodeHeader::kIdle)) {  // so it is alive, and so is its collector
        if (node.kind->home->is_freeing) {
            return false;
        }
        node.kind->home->disturb(node);
    }
    return counts.try_add_strong();
}

/// As above, between the passes of a collector that other threads may run.
[[nodiscard]] bool drop_node(NodeHeader& node, AtomicCounts& counts) noexcept;
[[nodiscard]] bool upgrade_node(NodeHeader& node, AtomicCounts& counts) noexcept;

}  // namespace heapwright::detail
