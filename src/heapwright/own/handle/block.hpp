// MovableBlock: bytes of a length known when they are made, owned like a box. The smallest owner of a buffer that may move.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/own/handle/box.hpp>

namespace heapwright {

/// Owns bytes in a MovableHeap: a box whose size is said when it is made. They have eight bytes beside them, as
/// many as those of a MovableBuffer, which grows and whose owner may be moved as bytes, up to 1 KiB; above it has four more.
///
/// Thread safety: one thread at a time, as any owner.
/// Example:
///     auto block = make_block(heap, 240);
///     if (!block) { ... }
///     { const Borrow borrow(heap); std::memcpy(block->in(borrow).data(), text, 240); }
class [[nodiscard]] MovableBlock {
public:
    static constexpr bool trivially_relocatable = false;  // NOLINT(readability-identifier-naming): as users write it

    constexpr MovableBlock() noexcept = default;
    MovableBlock(MovableBlock&& other) noexcept { take(other); }
    MovableBlock& operator=(MovableBlock&& other) noexcept {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    MovableBlock(const MovableBlock&) = delete;
    MovableBlock& operator=(const MovableBlock&) = delete;
    ~MovableBlock() { reset(); }

    /// Requires: a Borrow of the heap that it was made in (checked in debug builds).
    [[nodiscard]] std::span<std::byte> in(const Borrow& borrow) const noexcept {
        HEAPWRIGHT_ASSERT(payload_ == nullptr || borrow.holds(payload_), "a block of another heap is followed");
        static_cast<void>(borrow);
        return {payload_, size_};
    }
    /// The first of the bytes, held where they are. Requires: not empty (checked), and fewer than 1022 pins (checked).
    [[nodiscard]] Pin<std::byte> pin() const noexcept {
        HEAPWRIGHT_CHECK(movable::box_now(&payload_) != nullptr, "an empty block is pinned");
        const auto pinned = movable::pin_box(&payload_);
        HEAPWRIGHT_CHECK(pinned.has_value(), "a block has as many pins as can be counted, 1022; share one, or use a Borrow");
        return Pin<std::byte>::adopt(*pinned);
    }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] explicit operator bool() const noexcept { return size_ != 0; }

    void reset() noexcept {
        if (movable::box_now(&payload_) == nullptr) {
            return;
        }
        const auto pinned = movable::pin_box(&payload_);
        HEAPWRIGHT_CHECK(pinned.has_value(), "a block ends that has more than a thousand pins; let the pins go first");
        payload_ = nullptr;
        size_ = 0;
        movable::end_boxed(*pinned);
    }

    /// make_block() into one that is there. The bytes are not initialised; none are an empty block.
    [[nodiscard]] Result<void> emplace(MovableHeap& heap, std::size_t bytes) noexcept {
        reset();
        if (bytes == 0) {
            return {};
        }
        movable::Store& store = store_of(heap);
        const auto payload = store.allocate(bytes, alignof(std::size_t), movable::kBytesType);
        if (!payload) {
            return std::unexpected(payload.error());
        }
        movable::Unmade unmade(store, *payload, movable::Names::kNone);
        size_ = bytes;
        unmade.box_it(&payload_);
        return {};
    }

private:
    void take(MovableBlock& other) noexcept {
        if (movable::box_now(&other.payload_) != nullptr) {
            movable::move_box(&payload_, &other.payload_);
        }
        size_ = std::exchange(other.size_, 0);
    }

    std::byte* payload_ = nullptr;  // written by whoever moves the bytes, when nobody is inside the gate
    std::size_t size_ = 0;
};

/// Fails: as make_handle().
[[nodiscard]] inline Result<MovableBlock> make_block(MovableHeap& heap, std::size_t bytes) noexcept {
    Result<MovableBlock> made;
    if (const auto done = made->emplace(heap, bytes); !done) {
        return std::unexpected(done.error());
    }
    return made;
}

}  // namespace heapwright
