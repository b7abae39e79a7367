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
///   GA1  size <= capacity, and there is a block if capacity > 0
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
          size_(std::exchange(other.size_, 0)),
          capacity_(std::exchange(other.capacity_, 0)) {}
    GrowingArray(const GrowingArray&) = delete;
    GrowingArray& operator=(const GrowingArray&) = delete;
    ~GrowingArray() {
        clear();
        if (first_ != nullptr) {
            arena_->deallocate(first_, layout_of(capacity_));
        }
    }

    /// Returns:  false when the arena refuses; then nothing changed.
    template <class... Args>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool try_emplace_back(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        if (HEAPWRIGHT_UNLIKELY(size_ == capacity_) && !try_reserve(capacity_ == 0 ? kFirstCapacity : capacity_ * 2)) {
            return false;
        }
        ::new (static_cast<void*>(first_ + size_)) T(std::forward<Args>(args)...);
        ++size_;
        return true;
    }

    /// Requires: the arena's limits and source suffice (checked).
    template <class... Args>
    HEAPWRIGHT_ALWAYS_INLINE T& emplace_back(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        const bool is_made = try_emplace_back(std::forward<Args>(args)...);
        HEAPWRIGHT_CHECK(is_made, "out of memory: the arena's limit or source refused; call the try_ form to go on without");
        return first_[size_ - 1];
    }

    /// Room for `capacity` objects in all, in place where the arena can.
    ///
    /// Returns:  false when the arena refuses; then nothing changed.
    [[nodiscard]] bool try_reserve(std::size_t capacity) noexcept;

    /// Gives the arena back what is not used, if the array is still the arena's newest block.
    void shrink_to_fit() noexcept {
        if (first_ != nullptr && size_ > 0 && arena_->try_expand(first_, layout_of(capacity_), size_ * sizeof(T))) {
            capacity_ = size_;
        }
    }

    void pop_back() noexcept {
        HEAPWRIGHT_ASSERT(size_ > 0, "an empty array has no last element");
        std::destroy_at(first_ + --size_);
    }
    void clear() noexcept {
        while (size_ > 0) {
            std::destroy_at(first_ + --size_);
        }
    }

    /// The objects, as long as nothing is added.
    [[nodiscard]] std::span<T> span() const noexcept { return {first_, size_}; }
    /// The same, for the arena to keep: the array is left empty, and destructors of T will not run.
    [[nodiscard]] std::span<T> release() noexcept
        requires std::is_trivially_destructible_v<T>
    {
        shrink_to_fit();
        capacity_ = 0;
        return {std::exchange(first_, nullptr), std::exchange(size_, 0)};
    }

    [[nodiscard]] T& operator[](std::size_t index) const noexcept {
        HEAPWRIGHT_ASSERT(index < size_, "an index lies past the end of its array");
        return first_[index];
    }
    [[nodiscard]] T* begin() const noexcept { return first_; }
    [[nodiscard]] T* end() const noexcept { return first_ + size_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        return size_ <= capacity_ && (capacity_ == 0 || first_ != nullptr) ? nullptr : "GA1: more elements than there is room for";
    }

private:
    static constexpr std::size_t kFirstCapacity = sizeof(T) < 64 ? 64 / sizeof(T) : 1;

    /// Of a row that exists, so it cannot overflow.
    [[nodiscard]] static Layout layout_of(std::size_t count) noexcept { return {.size = count * sizeof(T), .alignment = alignof(T)}; }

    Arena* arena_;
    T* first_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

template <class T>
HEAPWRIGHT_NOINLINE bool GrowingArray<T>::try_reserve(std::size_t capacity) noexcept {
    const Result<Layout> wanted = Layout::array<T>(capacity);
    if (!wanted) {
        return false;
    }
    if (capacity <= capacity_) {
        return true;
    }
    if (first_ == nullptr || !arena_->try_expand(first_, layout_of(capacity_), wanted->size)) {
        auto* const larger = static_cast<T*>(arena_->try_allocate(*wanted));
        if (larger == nullptr) {
            return false;
        }
        for (std::size_t index = 0; index < size_; ++index) {
            ::new (static_cast<void*>(larger + index)) T(std::move(first_[index]));
            std::destroy_at(first_ + index);
        }
        if (first_ != nullptr) {
            arena_->deallocate(first_, layout_of(capacity_));
        }
        first_ = larger;
    }
    capacity_ = capacity;
    HEAPWRIGHT_AUDIT(*this);
    return true;
}

}  // namespace heapwright
