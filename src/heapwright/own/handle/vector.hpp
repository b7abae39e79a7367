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

/// What lies before the elements of a block.
template <class T>
struct Elements {
    std::size_t count;

    static constexpr std::size_t kOffset = align_up(sizeof(std::size_t), alignof(T));
    [[nodiscard]] T* data() noexcept { return reinterpret_cast<T*>(reinterpret_cast<std::byte*>(this) + kOffset); }

    static void relocate_all(void* to, void* from) noexcept {
        auto* const source = static_cast<Elements*>(from);
        auto* const target = static_cast<Elements*>(to);
        target->count = source->count;
        for (std::size_t i = 0; i < source->count; ++i) {
            relocate(target->data() + i, source->data() + i);
        }
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

/// The elements of a MovableVector, held where they are.
template <class T>
class [[nodiscard]] PinnedSpan {
public:
    [[nodiscard]] std::span<T> span() const noexcept { return pin_ ? std::span<T>(pin_->data(), pin_->count) : std::span<T>(); }
    [[nodiscard]] T* begin() const noexcept { return span().data(); }
    [[nodiscard]] T* end() const noexcept { return span().data() + span().size(); }
    [[nodiscard]] T& operator[](std::size_t index) const noexcept { return span()[index]; }

    explicit PinnedSpan(Pin<movable::Elements<T>> pin) noexcept : pin_(std::move(pin)) {}

private:
    Pin<movable::Elements<T>> pin_;
};

/// A growing array of values, handles, boxes or other movable things; itself eight bytes that may be moved as bytes.
///
/// Elements are reached inside a Borrow or through a PinnedSpan. An empty one has no memory. Elements are moved when it grows,
/// by their move constructors or as bytes, and when the heap compacts.
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
    static constexpr bool trivially_relocatable = true;

    constexpr MovableVector() noexcept = default;
    MovableVector(MovableVector&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
    MovableVector& operator=(MovableVector&& other) noexcept {
        MovableVector gone(std::move(*this));
        entry_ = std::exchange(other.entry_, nullptr);
        return *this;
    }
    MovableVector(const MovableVector&) = delete;
    MovableVector& operator=(const MovableVector&) = delete;
    ~MovableVector() { reset(); }

    /// Requires: the heap that it grows in (checked in debug builds).
    [[nodiscard]] std::span<T> in(const Borrow& borrow) const noexcept {
        if (entry_ == nullptr) {
            return {};
        }
        auto* const block = reinterpret_cast<Block*>(borrow.follow(entry_));
        return {block->data(), block->count};
    }
    /// Requires: fewer than 1022 pins on it (checked).
    [[nodiscard]] PinnedSpan<T> pin() const noexcept { return PinnedSpan<T>(entry_ == nullptr ? Pin<Block>() : hold()); }

    [[nodiscard]] std::size_t size() const noexcept { return entry_ == nullptr ? 0 : hold()->count; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] std::size_t capacity() const noexcept { return entry_ == nullptr ? 0 : room_of(*hold()); }

    /// Fails:    as make_handle(); then it is unchanged, and the value is gone. overflow where the bytes exceed any address.
    /// Cost:     O(1) on average; growing moves all elements.
    [[nodiscard]] Result<void> push_back(MovableHeap& heap, T value) {
        auto block = room_for(heap, 1);
        if (!block) {
            return std::unexpected(block.error());
        }
        ::new (static_cast<void*>((*block)->data() + (*block)->count)) T(std::move(value));
        ++(*block)->count;
        return {};
    }
    /// As push_back, for many that are copied as bytes. `values` must not lie in the vector itself.
    [[nodiscard]] Result<void> append(MovableHeap& heap, std::span<const T> values)
        requires std::is_trivially_copyable_v<T>
    {
        if (values.empty()) {
            return {};
        }
        auto block = room_for(heap, values.size());
        if (!block) {
            return std::unexpected(block.error());
        }
        std::memcpy((*block)->data() + (*block)->count, values.data(), values.size_bytes());
        (*block)->count += values.size();
        return {};
    }
    /// Elements that come are value-initialised.
    [[nodiscard]] Result<void> resize(MovableHeap& heap, std::size_t count) {
        const std::size_t now = size();
        if (count <= now) {
            truncate(count);
            return {};
        }
        auto block = room_for(heap, count - now);
        if (!block) {
            return std::unexpected(block.error());
        }
        for (; (*block)->count < count; ++(*block)->count) {
            ::new (static_cast<void*>((*block)->data() + (*block)->count)) T();
        }
        return {};
    }
    [[nodiscard]] Result<void> reserve(MovableHeap& heap, std::size_t count) {
        return count <= capacity() ? Result<void>() : grow(heap, count);
    }
    /// Gives room back that is not needed. Fails: as push_back; then it is unchanged.
    [[nodiscard]] Result<void> shrink_to_fit(MovableHeap& heap) {
        const std::size_t count = size();
        if (count == 0) {
            reset();
            return {};
        }
        return grow(heap, count);
    }
    /// Requires: not empty (checked).
    void pop_back() noexcept {
        const std::size_t count = size();
        HEAPWRIGHT_CHECK(count != 0, "the last element of an empty vector is removed");
        truncate(count - 1);
    }
    void truncate(std::size_t count) noexcept {
        if (entry_ == nullptr) {
            return;
        }
        const Pin<Block> block = hold();
        while (block->count > count) {
            --block->count;
            (block->data() + block->count)->~T();
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
        HEAPWRIGHT_CHECK(pinned.has_value(), "a vector ends that has more than a thousand pins; let the pins go first");
        movable::end_named(entry, *pinned);
    }

private:
    [[nodiscard]] Pin<Block> hold() const noexcept {
        const auto pinned = movable::pin_named(entry_);
        HEAPWRIGHT_CHECK(pinned.has_value(), "a vector has as many pins as can be counted, 1022; share one, or use a Borrow");
        return Pin<Block>::adopt(*pinned);
    }
    [[nodiscard]] static std::size_t room_of(const Block& block) noexcept {
        const auto* const payload = reinterpret_cast<const std::byte*>(&block);
        return (movable::Store::of(payload).capacity_of(payload) - Block::kOffset) / sizeof(T);
    }
    /// The block, with room for so many more.
    [[nodiscard]] Result<Pin<Block>> room_for(MovableHeap& heap, std::size_t more) {
        std::size_t count = 0;
        if (entry_ != nullptr) {
            Pin<Block> block = hold();
            count = block->count;
            if (room_of(*block) - count >= more) {
                return block;
            }
        }
        std::size_t wanted = 0;
        if (add_overflows(count, std::max(more, count / 2), &wanted)) {
            return fail_with(Errc::overflow, more);
        }
        if (const auto grown = grow(heap, wanted); !grown) {
            return std::unexpected(grown.error());
        }
        return hold();
    }
    /// To a block for exactly so many, or a few more. Requires: not fewer than there are.
    [[nodiscard]] Result<void> grow(MovableHeap& heap, std::size_t wanted) {
        std::size_t bytes = 0;
        if (multiply_overflows(wanted, sizeof(T), &bytes) || add_overflows(bytes, Block::kOffset, &bytes)) {
            return fail_with(Errc::overflow, wanted);
        }
        movable::Store& store = store_of(heap);
        const auto room = movable::allocate_named(store, bytes, std::max(alignof(T), alignof(Block)), Block::type());
        if (!room) {
            return std::unexpected(room.error());
        }
        movable::Unmade unmade(store, room->payload, room->name);
        auto* const target = ::new (static_cast<void*>(room->payload)) Block{.count = 0};
        if (entry_ != nullptr) {
            const Pin<Block> source = hold();
            if constexpr (is_trivially_relocatable_v<T>) {
                std::memcpy(static_cast<void*>(target->data()), static_cast<const void*>(source->data()), source->count * sizeof(T));
                target->count = source->count;
            } else {
                Block::relocate_all(target, source.get());
            }
            source->count = 0;
        }
        reset();
        entry_ = unmade.name_it();
        return {};
    }

    movable::Names::Entry* entry_ = nullptr;
};

/// Bytes that may move.
using MovableBuffer = MovableVector<std::byte>;

}  // namespace heapwright
