// A vector whose copies share what they have in common: each version stays as it was, at the price of what was changed.
//
//   version 1 ──► root ──► │ leaf │ leaf │ leaf │   tail of 1
//                            ▲      ▲
//   version 2 ──► root' ─────┴──────┘ leaf' │       tail of 2      (one element set: one leaf and one root are new)
#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/own/cell/detail/persistent_nodes.hpp>

namespace heapwright {

/// What one version holds, and how much of that other versions hold as well.
struct VersionFootprint {
    std::size_t nodes;
    std::size_t bytes;         // as asked from the source
    std::size_t shared_nodes;  // of these, not for this version alone
    std::size_t shared_bytes;
};

/// A sequence with O(1) copies. A tree of 32 branches over leaves of about 256 bytes, after Bagwell and Hickey; the last
/// leaf hangs beside the tree, so that the end is cheap.
///
/// Nodes are counted. A change makes copies of those on its path that others share, and writes into the others: a version
/// that is not shared is edited in place, without being told to.
///
///   PV1  the tail holds the elements from (size - 1) rounded down to a whole leaf; there is none exactly where size is 0
///   PV2  the tree is as low as its leaves allow, and each leaf in front of the tail is there and full
///
/// Thread safety: one version, one thread at a time. With Sharing::many_threads different versions may be in different
/// threads although they share nodes.
/// Example:  `PersistentVector<int> one{source}; one.push_back(1); auto two = one; two.set(0, 2);  // one[0] is still 1`
template <class T, Sharing S = Sharing::one_thread>
class PersistentVector {
    static_assert(std::is_nothrow_destructible_v<T> && std::is_copy_constructible_v<T>, "versions copy elements, and end them");
    using Nodes = detail::PersistentNodes<T, S>;
    using Node = typename Nodes::Node;
    using Inner = typename Nodes::Inner;

public:
    using value_type = T;
    using size_type = std::size_t;
    class Iterator;
    using const_iterator = Iterator;
    using iterator = Iterator;
    static constexpr bool kQuietCopies = std::is_nothrow_copy_constructible_v<T>;

    /// Empty, and refuses every element: it has no source.
    constexpr PersistentVector() noexcept = default;
    /// Requires: `source` outlives this and every version made of it.
    constexpr explicit PersistentVector(SourceRef source) noexcept : source_(source) {}
    /// Cost: O(1); nothing is copied.
    PersistentVector(const PersistentVector& other) noexcept
        : source_(other.source_), root_(shared(other.root_)), tail_(shared(other.tail_)), size_(other.size_), height_(other.height_) {}
    PersistentVector(PersistentVector&& other) noexcept
        : source_(other.source_),
          root_(std::exchange(other.root_, nullptr)),
          tail_(std::exchange(other.tail_, nullptr)),
          size_(std::exchange(other.size_, 0)),
          height_(std::exchange(other.height_, 0)) {}
    PersistentVector& operator=(PersistentVector other) noexcept {
        swap(other);
        return *this;
    }
    /// Cost: O(nodes that nobody else shares), without recursion.
    ~PersistentVector() { clear(); }
    void swap(PersistentVector& other) noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    /// Requires: index < size() (checked).
    /// Cost:     one load for each 5 bits of the size beyond the last leaf.
    [[nodiscard]] const T& operator[](std::size_t index) const noexcept {
        HEAPWRIGHT_CHECK(index < size_, "an index is past the end of its vector");
        return Nodes::elements(leaf_of(index))[index & kLeafMask];
    }
    [[nodiscard]] const T& front() const noexcept { return (*this)[0]; }
    [[nodiscard]] const T& back() const noexcept { return (*this)[size_ - 1]; }

    /// Returns:  false when the source refuses; then nothing changed.
    /// Fails:    with what copying or building an element throws; then nothing changed.
    /// Cost:     one construction; a copy of the last leaf if it is shared; every kLeafSize-th time a new leaf and, of
    ///           the inner nodes above it, copies of those that are shared.
    template <class... Args>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool try_emplace_back(Args&&... args) {
        const std::size_t length = size_ & kLeafMask;  // 0 also for a full tail
        if (HEAPWRIGHT_LIKELY(length != 0) && HEAPWRIGHT_LIKELY(tail_->count.is_alone()) && HEAPWRIGHT_LIKELY(tail_->length == length)) {
            std::construct_at(Nodes::elements(tail_) + length, std::forward<Args>(args)...);
            tail_->length = static_cast<std::uint32_t>(length + 1);
            ++size_;
            return true;
        }
        return try_emplace_slow(std::forward<Args>(args)...);
    }
    [[nodiscard]] bool try_push_back(T value) { return try_emplace_back(std::move(value)); }
    /// Requires: the source suffices (checked).
    void push_back(T value) { or_stop(try_push_back(std::move(value))); }

    /// A reference to an element of this version alone.
    ///
    /// Requires: index < size() (checked).
    /// Returns:  nullptr when the source refuses; then nothing changed. Valid until the next copy of this version is made.
    /// Cost:     a copy of the leaf and the inner nodes above it, of those that are shared.
    [[nodiscard]] T* try_edit(std::size_t index) noexcept(kQuietCopies);
    /// Requires: the source suffices (checked).
    [[nodiscard]] T& edit(std::size_t index) noexcept(kQuietCopies) {
        T* const element = try_edit(index);
        or_stop(element != nullptr);
        return *element;
    }
    [[nodiscard]] bool try_set(std::size_t index, T value) noexcept(kQuietCopies && std::is_nothrow_move_assignable_v<T>) {
        T* const element = try_edit(index);
        if (element != nullptr) {
            *element = std::move(value);
        }
        return element != nullptr;
    }
    void set(std::size_t index, T value) noexcept(kQuietCopies && std::is_nothrow_move_assignable_v<T>) {
        or_stop(try_set(index, std::move(value)));
    }

    /// Takes the last element away. Other versions keep it; it needs no memory, so it cannot be refused.
    ///
    /// Requires: not empty (checked).
    /// Cost:     every kLeafSize-th time one load for each 5 bits of the size.
    void pop_back() noexcept;

    void clear() noexcept {
        Nodes::release(source_, std::exchange(root_, nullptr), std::exchange(height_, 0));
        Nodes::release(source_, std::exchange(tail_, nullptr), 0);
        size_ = 0;
    }

    /// Calls `visit(std::span<const T>)` for each leaf from the first: the fast way through all elements.
    template <class Visit>
    void for_each_leaf(Visit visit) const {
        for (std::size_t first = 0; first < size_; first += Nodes::kLeafSize) {
            const std::size_t left = size_ - first;
            visit(std::span<const T>{Nodes::elements(leaf_of(first)), left < Nodes::kLeafSize ? left : Nodes::kLeafSize});
        }
    }

    [[nodiscard]] Iterator begin() const noexcept { return Iterator{*this, 0}; }
    [[nodiscard]] Iterator end() const noexcept { return Iterator{*this, size_}; }

    /// Cost: O(leaves that are not shared by both).
    [[nodiscard]] friend bool operator==(const PersistentVector& left, const PersistentVector& right)
        requires std::equality_comparable<T>
    {
        return left.is_equal_to(right);
    }

    /// Cost: O(nodes).
    [[nodiscard]] VersionFootprint footprint() const noexcept;
    [[nodiscard]] SourceRef source() const noexcept { return source_; }
    /// The name of the first invariant that does not hold, or nullptr.
    ///
    /// Cost: O(leaves * height).
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    static constexpr std::size_t kLeafMask = Nodes::kLeafSize - 1;

    static void or_stop(bool has_memory) noexcept {
        HEAPWRIGHT_CHECK(has_memory,
                         "out of memory: the source of a persistent vector refused, or it was made without one; make it with a source "
                         "(PersistentVector<T> versions{kHeap}), call the try_ form to go on without");
    }
    [[nodiscard]] static Node* shared(Node* node) noexcept {
        if (node != nullptr) {
            node->count.share();
        }
        return node;
    }
    /// Which child of an inner node at `level` leads to this leaf, counted from the first.
    [[nodiscard]] static unsigned slot_of(std::size_t leaf, unsigned level) noexcept {
        return static_cast<unsigned>(leaf >> (detail::kBranchBits * (level - 1))) % detail::kBranches;
    }
    /// How many leaves a tree of this height has at most. Only for heights that a tree in memory has.
    [[nodiscard]] static std::size_t leaves_at(unsigned height) noexcept { return std::size_t{1} << (detail::kBranchBits * height); }

    [[nodiscard]] std::size_t tail_start() const noexcept { return size_ == 0 ? 0 : (size_ - 1) & ~kLeafMask; }
    [[nodiscard]] std::uint32_t tail_length() const noexcept { return static_cast<std::uint32_t>(size_ - tail_start()); }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Node* leaf_of(std::size_t index) const noexcept {
        return index >= tail_start() ? tail_ : leaf_in_tree(index >> Nodes::kLeafBits);
    }
    [[nodiscard]] Node* leaf_in_tree(std::size_t leaf) const noexcept {
        Node* node = root_;
        for (unsigned level = height_; level > 0; --level) {
            node = Nodes::inner(node)->children[slot_of(leaf, level)];
        }
        return node;
    }

    template <class... Args>
    [[nodiscard]] HEAPWRIGHT_NOINLINE bool try_emplace_slow(Args&&... args);
    [[nodiscard]] bool own_tail() noexcept(kQuietCopies);
    [[nodiscard]] bool own_inner(Node*& place, unsigned level, unsigned keep) noexcept;
    [[nodiscard]] bool own_leaf(Node*& place) noexcept(kQuietCopies);
    [[nodiscard]] Node* path_to(Node* leaf, unsigned level) noexcept;
    [[nodiscard]] bool hang_in_tree(Node* leaf) noexcept;
    [[nodiscard]] bool hang_below_root(Node* leaf, std::size_t number) noexcept;
    void drop_children(Inner* node, unsigned slot, unsigned child_level) noexcept;
    [[nodiscard]] Node* take_last_leaf() noexcept;
    void lower() noexcept;
    [[nodiscard]] bool is_equal_to(const PersistentVector& other) const;

    SourceRef source_;
    Node* root_ = nullptr;  // a leaf where height is 0
    Node* tail_ = nullptr;
    std::size_t size_ = 0;
    unsigned height_ = 0;  // levels of inner nodes
};

/// A place in one version. It keeps the leaf it is in, so that a walk looks up one leaf in kLeafSize steps.
template <class T, Sharing S>
class PersistentVector<T, S>::Iterator {
public:
    using iterator_category = std::random_access_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = const T*;
    using reference = const T&;

    constexpr Iterator() noexcept = default;
    [[nodiscard]] const T& operator*() const noexcept { return leaf_[index_ & kLeafMask]; }
    [[nodiscard]] const T* operator->() const noexcept { return leaf_ + (index_ & kLeafMask); }
    [[nodiscard]] const T& operator[](difference_type by) const noexcept { return *(*this + by); }
    Iterator& operator++() noexcept {
        if ((++index_ & kLeafMask) == 0) {
            find_leaf();
        }
        return *this;
    }
    Iterator operator++(int) noexcept {
        Iterator before = *this;
        ++*this;
        return before;
    }
    Iterator& operator--() noexcept { return *this -= 1; }
    Iterator operator--(int) noexcept {
        Iterator before = *this;
        --*this;
        return before;
    }
    Iterator& operator+=(difference_type by) noexcept {
        const std::size_t to = index_ + static_cast<std::size_t>(by);
        const bool has_left = leaf_ == nullptr || (to & ~kLeafMask) != (index_ & ~kLeafMask);
        index_ = to;
        if (has_left) {
            find_leaf();
        }
        return *this;
    }
    Iterator& operator-=(difference_type by) noexcept { return *this += -by; }
    [[nodiscard]] friend Iterator operator+(Iterator at, difference_type by) noexcept { return at += by; }
    [[nodiscard]] friend Iterator operator+(difference_type by, Iterator at) noexcept { return at += by; }
    [[nodiscard]] friend Iterator operator-(Iterator at, difference_type by) noexcept { return at -= by; }
    [[nodiscard]] friend difference_type operator-(const Iterator& left, const Iterator& right) noexcept {
        return static_cast<difference_type>(left.index_ - right.index_);
    }
    [[nodiscard]] friend bool operator==(const Iterator& left, const Iterator& right) noexcept { return left.index_ == right.index_; }
    [[nodiscard]] friend std::strong_ordering operator<=>(const Iterator& left, const Iterator& right) noexcept {
        return left.index_ <=> right.index_;
    }

private:
    friend class PersistentVector;
    Iterator(const PersistentVector& vector, std::size_t index) noexcept : vector_(&vector), index_(index) { find_leaf(); }
    void find_leaf() noexcept { leaf_ = index_ < vector_->size_ ? Nodes::elements(vector_->leaf_of(index_)) : nullptr; }

    const PersistentVector* vector_ = nullptr;
    std::size_t index_ = 0;
    const T* leaf_ = nullptr;
};

}  // namespace heapwright

#include <heapwright/own/cell/detail/persistent_vector_impl.hpp>
