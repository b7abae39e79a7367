// A row of T that grows in place at the low end of an arena, where std::vector would copy.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include <heapwright/alloc/arena/arena.hpp>

namespace heapwright {

/// A vector whose bytes are an arena's. While it is the newest block of its arena, growing moves nothing; objects made
/// with create() meanwhile do not disturb it, as they come from the other end.
///
///   GA1  first <= end <= limit, and all are nullptr while there is no block
///
/// Requires: the arena outlives it and is not rewound past it.
/// Thread safety: one thread at a time, with its arena.
template <class T>
class GrowingArray {
    static_assert(std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T>, "growing must not throw half way");

public:
    explicit GrowingArray(Arena& arena) noexcept : arena_(&arena) {}
    GrowingArray(GrowingArray&& other) noexcept
        : arena_(other.arena_),
          first_(std::exchange(other.first_, nullptr)),
          end_(std::exchange(other.end_, nullptr)),
          limit_(std::exchange(other.limit_, nullptr)) {}
    GrowingArray(const GrowingArray&) = delete;
    GrowingArray& operator=(const GrowingArray&) = delete;
    ~GrowingArray() {
        clear();
        if (first_ != nullptr) {
            arena_->deallocate(first_, layout_of(capacity()));
        }
    }

    /// Returns:  false when the arena refuses; then nothing changed.
    /// Cost:     a comparison and a store in a loop over an array that is a local variable; now and then it grows.
    template <class... Args>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool try_emplace_back(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        if (HEAPWRIGHT_UNLIKELY(end_ == limit_) && !try_reserve(end_ == nullptr ? kFirstCapacity : capacity() * 2)) {
            return false;
        }
        std::construct_at(end_, std::forward<Args>(args)...);
        ++end_;
        return true;
    }

    /// Requires: the arena's limits and source suffice (checked).
    template <class... Args>
    HEAPWRIGHT_ALWAYS_INLINE T& emplace_back(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        const bool is_made = try_emplace_back(std::forward<Args>(args)...);
        HEAPWRIGHT_CHECK(is_made, "out of memory: the arena's limit or source refused; call the try_ form to go on without");
        return end_[-1];
    }

    /// Room for `capacity` objects in all, in place where the arena can.
    ///
    /// Returns:  false when the arena refuses; then nothing changed.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool try_reserve(std::size_t capacity) noexcept {
        if (capacity <= this->capacity()) {
            return true;
        }
        const Row row = grown(*arena_, first_, end_, limit_, capacity);
        if (row.first == nullptr) {
            return false;
        }
        end_ = row.first + size();
        first_ = row.first;
        limit_ = row.limit;
        HEAPWRIGHT_AUDIT(*this);
        return true;
    }

    /// Gives the arena back what is not used, if the array is still the arena's newest block.
    void shrink_to_fit() noexcept {
        if (end_ != first_ && arena_->try_expand(first_, layout_of(capacity()), size() * sizeof(T))) {
            limit_ = end_;
        }
    }

    void pop_back() noexcept {
        HEAPWRIGHT_ASSERT(!empty(), "an empty array has no last element");
        std::destroy_at(--end_);
    }
    void clear() noexcept {
        while (end_ != first_) {
            std::destroy_at(--end_);
        }
    }

    /// The objects, as long as nothing is added.
    [[nodiscard]] std::span<T> span() const noexcept { return {first_, size()}; }
    /// The same, for the arena to keep: the array is left empty, and destructors of T will not run.
    [[nodiscard]] std::span<T> release() noexcept
        requires std::is_trivially_destructible_v<T>
    {
        shrink_to_fit();
        limit_ = nullptr;
        const std::size_t count = size();
        end_ = nullptr;
        return {std::exchange(first_, nullptr), count};
    }

    [[nodiscard]] T& operator[](std::size_t index) const noexcept {
        HEAPWRIGHT_ASSERT(index < size(), "an index lies past the end of its array");
        return first_[index];
    }
    [[nodiscard]] T* begin() const noexcept { return first_; }
    [[nodiscard]] T* end() const noexcept { return end_; }
    [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(end_ - first_); }
    [[nodiscard]] std::size_t capacity() const noexcept { return static_cast<std::size_t>(limit_ - first_); }
    [[nodiscard]] bool empty() const noexcept { return end_ == first_; }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        const bool is_none = first_ == nullptr && end_ == nullptr && limit_ == nullptr;
        return is_none || (first_ != nullptr && first_ <= end_ && end_ <= limit_) ? nullptr : "GA1: more elements than there is room for";
    }

private:
    static constexpr std::size_t kFirstCapacity = sizeof(T) < 64 ? 64 / sizeof(T) : 1;

    struct Row {
        T* first;  // nullptr: the arena refused
        T* limit;
    };
    /// Values in, values out: the array's own address stays unknown to it, so that a loop of pushes keeps the array in registers.
    [[nodiscard]] static Row grown(Arena& arena, T* first, T* end, T* limit, std::size_t capacity) noexcept;

    /// Of a row that exists, so it cannot overflow.
    [[nodiscard]] static Layout layout_of(std::size_t count) noexcept { return {.size = count * sizeof(T), .alignment = alignof(T)}; }

    Arena* arena_;
    T* first_ = nullptr;
    T* end_ = nullptr;
    T* limit_ = nullptr;  // where the block ends
};

template <class T>
HEAPWRIGHT_NOINLINE auto GrowingArray<T>::grown(Arena& arena, T* first, T* end, T* limit, std::size_t capacity) noexcept -> Row {
    const Result<Layout> wanted = Layout::array<T>(capacity);
    if (!wanted) {
        return {.first = nullptr, .limit = nullptr};
    }
    const Layout held = layout_of(static_cast<std::size_t>(limit - first));
    if (first != nullptr && arena.try_expand(first, held, wanted->size)) {
        return {.first = first, .limit = first + capacity};
    }
    auto* const larger = static_cast<T*>(arena.try_allocate(*wanted));
    if (larger == nullptr) {
        return {.first = nullptr, .limit = nullptr};
    }
    T* to = larger;
    for (T* from = first; from != end; ++from, ++to) {
        ::new (static_cast<void*>(to)) T(std::move(*from));
        std::destroy_at(from);
    }
    if (first != nullptr) {
        arena.deallocate(first, held);
    }
    return {.first = larger, .limit = larger + capacity};
}

}  // namespace heapwright
