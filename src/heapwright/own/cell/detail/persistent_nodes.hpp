// The nodes of a persistent vector: counted, from any source, freed without recursion.
//
//   inner node │ count │ 32 children, nullptr past the last │
//   leaf       │ count │ length │ up to kLeafSize elements  │
//
// A node does not know what it is: the level at which it is met says so.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/block_source.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/own/cell/detail/boxed.hpp>
#include <heapwright/own/cell/uninit.hpp>

namespace heapwright {

/// Whether versions of one structure may be in several threads.
enum class Sharing : std::uint8_t {
    one_thread,    // counts are plain words
    many_threads,  // counts are atomic, and the source must be one for any thread
};

namespace detail {

inline constexpr unsigned kBranchBits = 5;
inline constexpr unsigned kBranches = 1U << kBranchBits;
inline constexpr unsigned kHighestTree = 13;  // 13 times 5 bits are more than an index has

/// How many versions or parents share a node.
template <Sharing S>
class NodeCount {
public:
    void share() noexcept {
        std::uint32_t before = 0;
        if constexpr (S == Sharing::many_threads) {
            before = count_.fetch_add(1, std::memory_order_relaxed);  // who shares holds a share already: nothing to order
        } else {
            before = count_++;
        }
        HEAPWRIGHT_CHECK(before < std::numeric_limits<std::uint32_t>::max() / 2, "a node is shared 2^31 times: versions are being leaked");
    }
    /// Returns: whether that was the last share.
    [[nodiscard]] bool drop() noexcept {
        if constexpr (S == Sharing::many_threads) {
            // Release pairs with the acquire of the last one: whatever others did to the node happened before it is freed.
            return count_.fetch_sub(1, std::memory_order_acq_rel) == 1;
        } else {
            return --count_ == 0;
        }
    }
    /// Whether the asker is the only one who can reach the node, so that it may change it.
    [[nodiscard]] bool is_alone() const noexcept {
        if constexpr (S == Sharing::many_threads) {
            return count_.load(std::memory_order_acquire) == 1;  // pairs with drop() of those who looked at the node before
        } else {
            return count_ == 1;
        }
    }

private:
    std::conditional_t<S == Sharing::many_threads, std::atomic<std::uint32_t>, std::uint32_t> count_{1};
};

template <Sharing S>
struct PersistentNode {
    NodeCount<S> count;
    std::uint32_t length = 0;  // elements of a leaf; not used by inner nodes
};
static_assert(sizeof(PersistentNode<Sharing::one_thread>) == 8 && sizeof(PersistentNode<Sharing::many_threads>) == 8);

/// Makes, copies and frees the nodes of vectors of T.
template <class T, Sharing S>
class PersistentNodes {
public:
    using Node = PersistentNode<S>;

    struct Inner : Node {
        Node* children[kBranches] = {};
    };

    // About 256 bytes of elements, as many as the pointers of an inner node take: a change copies one leaf and the inner
    // nodes above it, so a leaf much larger than these would make small changes dear.
    static constexpr unsigned kLeafBits = sizeof(T) >= 128 ? 1 : log2_floor(256 / sizeof(T));
    static constexpr std::uint32_t kLeafSize = 1U << kLeafBits;

    static constexpr std::size_t kElementsAt = align_up(sizeof(Node), alignof(T));
    static constexpr Layout kLeafLayout{.size = kElementsAt + (sizeof(T) << kLeafBits),
                                        .alignment = alignof(T) > alignof(Node) ? alignof(T) : alignof(Node)};

    [[nodiscard]] static T* elements(Node* leaf) noexcept { return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(leaf) + kElementsAt); }
    [[nodiscard]] static Inner* inner(Node* node) noexcept { return static_cast<Inner*>(node); }

    /// Returns: nullptr when the source refuses.
    [[nodiscard]] static Inner* try_make_inner(SourceRef source) noexcept {
        void* const block = source.try_allocate(Layout::of<Inner>());
        return block == nullptr ? nullptr : ::new (block) Inner;
    }
    [[nodiscard]] static Node* try_make_leaf(SourceRef source) noexcept {
        void* const block = source.try_allocate(kLeafLayout);
        return block == nullptr ? nullptr : ::new (block) Node;
    }

    /// A copy that shares the first `keep` children.
    [[nodiscard]] static Inner* try_copy_inner(SourceRef source, Inner* from, unsigned keep) noexcept {
        Inner* const made = try_make_inner(source);
        for (unsigned slot = 0; made != nullptr && slot < keep && from->children[slot] != nullptr; ++slot) {
            from->children[slot]->count.share();
            made->children[slot] = from->children[slot];
        }
        return made;
    }
    /// A copy of the first `keep` elements. What copying throws leaves nothing behind.
    [[nodiscard]] static Node* try_copy_leaf(SourceRef source, Node* from,
                                             std::uint32_t keep) noexcept(std::is_nothrow_copy_constructible_v<T>) {
        Node* const made = try_make_leaf(source);
        if (made != nullptr) {
            BlockGuard guard{source, made, kLeafLayout};
            static_cast<void>(construct_array_guarded(elements(made), elements(from), keep));
            made->length = keep;
            guard.release();
        }
        return made;
    }

    /// Ends the elements past `keep` of a leaf that nobody else can reach.
    static void trim_leaf(Node* leaf, std::uint32_t keep) noexcept {
        destroy_array(elements(leaf) + keep, leaf->length - keep);
        leaf->length = keep;
    }

    /// Gives up a share of a tree whose root is at `level`, and frees what nobody shares any more. Never recurses.
    static void release(SourceRef source, Node* root, unsigned level) noexcept {
        struct Step {
            Inner* node;
            unsigned next;
        };
        Step steps[kHighestTree + 1];
        unsigned depth = 0;
        for (Node* node = root;;) {
            if (node != nullptr && node->count.drop()) {
                if (depth == level) {
                    free_leaf(source, node);
                } else {
                    steps[depth++] = {.node = inner(node), .next = 0};
                }
            }
            while (depth > 0 && steps[depth - 1].next == kBranches) {
                Inner* const done = steps[--depth].node;
                std::destroy_at(done);
                source.deallocate(done, Layout::of<Inner>());
            }
            if (depth == 0) {
                return;
            }
            node = steps[depth - 1].node->children[steps[depth - 1].next++];
        }
    }

    /// Calls `visit(node, is_leaf, is_shared)` for each node; one below a shared node counts as shared.
    template <class Visit>
    static void walk(Node* root, unsigned level, Visit visit) {
        struct Step {
            Inner* node;
            unsigned next;
            bool is_shared;
        };
        Step steps[kHighestTree + 1];
        unsigned depth = 0;
        for (Node* node = root;;) {
            if (node != nullptr) {
                const bool is_shared = (depth > 0 && steps[depth - 1].is_shared) || !node->count.is_alone();
                visit(*node, depth == level, is_shared);
                if (depth != level) {
                    steps[depth++] = {.node = inner(node), .next = 0, .is_shared = is_shared};
                }
            }
            while (depth > 0 && steps[depth - 1].next == kBranches) {
                --depth;
            }
            if (depth == 0) {
                return;
            }
            node = steps[depth - 1].node->children[steps[depth - 1].next++];
        }
    }

private:
    static void free_leaf(SourceRef source, Node* leaf) noexcept {
        destroy_array(elements(leaf), leaf->length);
        std::destroy_at(leaf);
        source.deallocate(leaf, kLeafLayout);
    }
};

}  // namespace detail
}  // namespace heapwright
