// MovableVector: a growing array whose elements lie in a heap of movable objects and move with it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/own/handle/detail/types.hpp>
#include <heapwright/own/handle/handle.hpp>
#include <heapwright/own/handle/heap.hpp>
#include <heapwright/own/handle/pin.hpp>
#include <heapwright/own/handle/relocate.hpp>

namespace heapwright {

namespace movable {

/// A vector's block. What is moved as bytes has nothing before its elements; else how many are to be moved stands there.
template <class T>
struct Elements {
    [[nodiscard]] static constexpr bool is_counted() noexcept { return !is_trivially_relocatable_v<T>; }
    [[nodiscard]] static constexpr std::size_t offset() noexcept { return is_counted() ? align_up(sizeof(std::size_t), alignof(T)) : 0; }
    [[nodiscard]] static T* data(std::byte* block) noexcept { return reinterpret_cast<T*>(block + offset()); }
    [[nodiscard]] static constexpr std::size_t alignment() noexcept {
        return is_counted() ? std::max(alignof(T), alignof(std::size_t)) : alignof(T);
    }
    static void set_count(std::byte* block, std::size_t count) noexcept {
        if constexpr (is_counted()) {
            *reinterpret_cast<std::size_t*>(block) = count;
        }
    }
    static void relocate_some(T* to, T* from, std::size_t count) noexcept {
        if constexpr (is_trivially_relocatable_v<T>) {
            std::memcpy(static_cast<void*>(to), static_cast<const void*>(from), count * sizeof(T));
        } else {
            for (std::size_t i = 0; i < count; ++i) {
                relocate(to + i, from + i);
            }
        }
    }
    static void relocate_all(void* to, void* from) noexcept {
        const std::size_t count = *static_cast<std::size_t*>(from);
        *static_cast<std::size_t*>(to) = count;
        relocate_some(data(static_cast<std::byte*>(to)), data(static_cast<std::byte*>(from)), count);
    }
    [[nodiscard]] static std::uint32_t type() noexcept {
        static_assert(is_movable_v<T>, "a movable object needs a move constructor and a destructor that do not throw");
        static_assert(alignof(T) <= kLargestAlignment, "a movable object is aligned to 64 bytes at most");
        if constexpr (is_trivially_relocatable_v<T>) {
            return kBytesType;
        } else {
            return type_of_mover<&relocate_all>();
        }
    }
};

}  // namespace movable

/// The elements of a MovableVector, held where they are. It does not see elements that come or go later.
template <class T>
class [[nodiscard]] PinnedSpan {
public:
    [[nodiscard]] std::span<T> span() const noexcept { return span_; }
    [[nodiscard]] T* begin() const noexcept { return span_.data(); }
    [[nodiscard]] T* end() const noexcept { return span_.data() + span_.size(); }
    [[nodiscard]] T& operator[](std::size_t index) const noexcept { return span_[index]; }

    PinnedSpan() noexcept = default;
    PinnedSpan(Pin<std::byte> pin, std::span<T> span) noexcept : pin_(std::move(pin)), span_(span) {}

private:
    Pin<std::byte> pin_;
    std::span<T> span_;
};

/// A growing array of values, handles, boxes or other movable things; itself sixteen bytes that may be moved as bytes.
///
/// Elements are reached inside a Borrow or through a PinnedSpan, and aligned as their type asks, no more. An empty one has no
/// memory. Elements are moved when it grows, by their move constructors or as bytes, and when the heap compacts.
///
/// Thread safety: one thread at a time, as any owner.
/// Example:
///     MovableVector<int> numbers;
///     if (!numbers.push_back(heap, 7)) { ... }
///     const Borrow borrow(heap);
///     for (int& number : numbers.in(borrow)) { ... }
template <class T>
class [[nodiscard]] MovableVector {
    using Block = movable::Elements<T>;

public:
    static constexpr bool trivially_relocatable = true;  // NOLINT(readability-identifier-naming): as users write it

    constexpr MovableVector() noexcept = default;
    MovableVector(MovableVector&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)), count_(std::exchange(other.count_, 0)) {}
    MovableVector& operator=(MovableVector&& other) noexcept {
        MovableVector gone(std::move(*this));
        entry_ = std::exchange(other.entry_, nullptr);
        count_ = std::exchange(other.count_, 0);
        return *this;
    }
    MovableVector(const MovableVector&) = delete;
    MovableVector& operator=(const MovableVector&) = delete;
    ~MovableVector() { reset(); }

    /// Requires: the heap that it grows in (checked in debug builds).
    [[nodiscard]] std::span<T> in(const Borrow& borrow) const noexcept {
        return entry_ == nullptr ? std::span<T>() : std::span<T>(Block::data(borrow.follow(entry_)), count_);
    }
    /// Requires: as Handle::pin, but it may be empty.
    [[nodiscard]] PinnedSpan<T> pin() const noexcept {
        if (entry_ == nullptr) {
            return {};
        }
        Pin<std::byte> block = hold();
        const std::span<T> elements(Block::data(block.get()), count_);
        return PinnedSpan<T>(std::move(block), elements);
    }

    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    [[nodiscard]] std::size_t capacity() const noexcept { return entry_ == nullptr ? 0 : elements_in(movable::capacity_named(entry_)); }

    /// Fails:    as make_handle(), and as Handle::try_pin; then it is unchanged, and the value is gone. overflow where the bytes
    ///           exceed any address.
    /// Cost:     O(1) on average; growing moves all elements.
    [[nodiscard]] Result<void> push_back(MovableHeap& heap, T value) {
        const auto block = room_for(heap, 1);
        if (!block) {
            return std::unexpected(block.error());
        }
        ::new (static_cast<void*>(Block::data(block->get()) + count_)) T(std::move(value));
        Block::set_count(block->get(), ++count_);
        return {};
    }
    /// As push_back, for many that are copied as bytes. `values` must not lie in the vector itself.
    [[nodiscard]] Result<void> append(MovableHeap& heap, std::span<const T> values)
        requires std::is_trivially_copyable_v<T>
    {
        if (values.empty()) {
            return {};
        }
        const auto block = room_for(heap, values.size());
        if (!block) {
            return std::unexpected(block.error());
        }
        std::memcpy(Block::data(block->get()) + count_, values.data(), values.size_bytes());
        count_ += values.size();
        return {};
    }
    /// Elements that come are value-initialised.
    [[nodiscard]] Result<void> resize(MovableHeap& heap, std::size_t count) {
        if (count <= count_) {
            truncate(count);
            return {};
        }
        const auto block = count_ == 0 && entry_ == nullptr ? exact_room(heap, count) : room_for(heap, count - count_);
        if (!block) {
            return std::unexpected(block.error());
        }
        while (count_ < count) {
            ::new (static_cast<void*>(Block::data(block->get()) + count_)) T();
            Block::set_count(block->get(), ++count_);
        }
        return {};
    }
    [[nodiscard]] Result<void> reserve(MovableHeap& heap, std::size_t count) {
        return count <= capacity() ? Result<void>() : grow(heap, count);
    }
    /// Gives room back that is not needed. Fails: as push_back; then it is unchanged.
    [[nodiscard]] Result<void> shrink_to_fit(MovableHeap& heap) {
        if (count_ == 0) {
            reset();
            return {};
        }
        return grow(heap, count_);
    }
    /// Requires: not empty (checked).
    void pop_back() noexcept {
        HEAPWRIGHT_CHECK(count_ != 0, "the last element of an empty vector is removed");
        truncate(count_ - 1);
    }
    void truncate(std::size_t count) noexcept {
        if (count >= count_) {
            return;
        }
        if constexpr (std::is_trivially_destructible_v<T> && !Block::is_counted()) {
            count_ = count;
        } else {
            const Pin<std::byte> block = hold();
            while (count_ > count) {
                Block::set_count(block.get(), --count_);
                (Block::data(block.get()) + count_)->~T();
            }
        }
    }
    /// Ends all elements and gives the room back.
    void reset() noexcept {
        if (entry_ == nullptr) {
            return;
        }
        truncate(0);
        movable::Names::Entry* const entry = std::exchange(entry_, nullptr);
        const auto pinned = movable::pin_named(entry);
        HEAPWRIGHT_CHECK(pinned.has_value(), "a vector ends while somebody has it pinned; let the pin go first");
        movable::end_named(entry, *pinned);
    }

private:
    friend class MovableHeap;

    [[nodiscard]] Pin<std::byte> hold() const noexcept { return Pin<std::byte>::adopt(movable::checked_pin(movable::pin_named(entry_))); }
    [[nodiscard]] static std::size_t room_of(const std::byte* block) noexcept {
        return elements_in(movable::Store::of(block).capacity_of(block));
    }
    [[nodiscard]] static std::size_t elements_in(std::size_t bytes) noexcept { return (bytes - Block::offset()) / sizeof(T); }
    /// The block, with room for so many more.
    [[nodiscard]] Result<Pin<std::byte>> room_for(MovableHeap& heap, std::size_t more) {
        if (entry_ != nullptr) {
            const auto pinned = movable::pin_named(entry_);
            if (!pinned) {
                return std::unexpected(pinned.error());
            }
            Pin<std::byte> block = Pin<std::byte>::adopt(*pinned);
            if (room_of(block.get()) - count_ >= more) {
                return block;
            }
        }
        std::size_t wanted = 0;
        if (add_overflows(count_, std::max(more, count_ / 2), &wanted)) {
            return fail_with(Errc::overflow, more);
        }
        return exact_room(heap, wanted);
    }
    [[nodiscard]] Result<Pin<std::byte>> exact_room(MovableHeap& heap, std::size_t wanted) {
        if (const auto grown = grow(heap, wanted); !grown) {
            return std::unexpected(grown.error());
        }
        return hold();
    }
    /// To a block for exactly so many, or a few more. Requires: not fewer than there are.
    [[nodiscard]] Result<void> grow(MovableHeap& heap, std::size_t wanted) {
        std::size_t bytes = 0;
        if (multiply_overflows(wanted, sizeof(T), &bytes) || add_overflows(bytes, Block::offset(), &bytes)) {
            return fail_with(Errc::overflow, wanted);
        }
        movable::Store& store = store_of(heap);
        const auto room = movable::allocate_named(store, bytes, Block::alignment(), Block::type());
        if (!room) {
            return std::unexpected(room.error());
        }
        movable::Unmade unmade(store, room->payload, room->name);
        Block::set_count(room->payload, count_);
        const std::size_t count = count_;
        if (entry_ != nullptr) {
            const Pin<std::byte> source = hold();
            Block::relocate_some(Block::data(room->payload), Block::data(source.get()), count);
            Block::set_count(source.get(), 0);
        }
        count_ = 0;  // they are in the new block
        reset();
        count_ = count;
        entry_ = unmade.name_it();
        return {};
    }

    movable::Names::Entry* entry_ = nullptr;
    std::size_t count_ = 0;
};

template <class T>
void MovableHeap::rename(MovableVector<T>& vector) noexcept {
    if (vector.entry_ != nullptr) {
        movable::rename(*store_, vector.entry_);
    }
}

/// Bytes that may move.
using MovableBuffer = MovableVector<std::byte>;

}  // namespace heapwright
