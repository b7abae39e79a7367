// Pin: one object that stays where it is.
#pragma once

#include <cstddef>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/own/handle/heap.hpp>

namespace heapwright {

namespace movable {

/// Counts one pin more. Fails: limit_reached when there are as many as can be counted; out_of_memory as ManyPins::pin.
/// Requires: inside the gate.
[[nodiscard]] inline Result<void> try_pin(std::byte* payload) noexcept {
    const std::atomic_ref<std::uint32_t> upper = upper_of(payload);
    // Relaxed, here and below: the gate orders it against moves; other pins do not matter.
    std::uint32_t half = upper.load(std::memory_order_relaxed);
    if (!is_short(half)) {
        if (HEAPWRIGHT_LIKELY(pins_in(upper.fetch_add(kOnePinInUpper, std::memory_order_relaxed)) < Header::kMostPins)) {
            return {};
        }
        upper.fetch_sub(kOnePinInUpper, std::memory_order_relaxed);  // as above
        return fail_with(Errc::limit_reached, Header::kMostPins);
    }
    do {
        if (HEAPWRIGHT_UNLIKELY(ShortHeader::pins(half) >= ShortHeader::kMany - 1)) {
            return Store::of(payload).many_pins.pin(payload);
        }
    } while (!upper.compare_exchange_weak(half, half + ShortHeader::kOnePin, std::memory_order_relaxed));
    return {};
}

inline void unpin(std::byte* payload) noexcept {
    const std::atomic_ref<std::uint32_t> upper = upper_of(payload);
    std::uint32_t half = upper.load(std::memory_order_relaxed);  // what is done with it looks again
    // Release, here and below, pairs with the acquire of who looks whether the object may move.
    if (!is_short(half)) {
        upper.fetch_sub(kOnePinInUpper, std::memory_order_release);
        return;
    }
    do {
        if (HEAPWRIGHT_UNLIKELY(ShortHeader::pins(half) == ShortHeader::kMany)) {
            Store::of(payload).many_pins.unpin(payload);
            return;
        }
    } while (!upper.compare_exchange_weak(half, half - ShortHeader::kOnePin, std::memory_order_release, std::memory_order_relaxed));
}

/// What was pinned. Requires: it was (checked, with a sentence that says why not).
[[nodiscard]] inline std::byte* checked_pin(const Result<std::byte*>& pinned) noexcept {
    HEAPWRIGHT_CHECK(pinned.has_value() || pinned.error().kind != Errc::out_of_memory,
                     "no memory to count the 31st pin of one more object, when over 256 have so many; use try_pin(), or a Borrow");
    HEAPWRIGHT_CHECK(pinned.has_value(), "an object has as many pins as can be counted, 1022; share one, or use a Borrow");
    return *pinned;
}

}  // namespace movable

/// Holds one object where it is, for as long as it is wanted; following it costs nothing. The object's owner must not end it
/// meanwhile. May be moved to other threads.
///
/// A compaction leaves pinned objects where they are and says how many: pins that stay keep pages that would have gone back.
/// Example:  auto pin = handle.pin();  ::read(fd, pin->bytes, sizeof pin->bytes);
template <class T>
class [[nodiscard]] Pin {
public:
    Pin() noexcept = default;
    Pin(Pin&& other) noexcept : payload_(std::exchange(other.payload_, nullptr)) {}
    Pin& operator=(Pin&& other) noexcept {
        Pin gone(std::exchange(payload_, std::exchange(other.payload_, nullptr)));
        return *this;
    }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    ~Pin() {
        if (payload_ != nullptr) {
            movable::unpin(payload_);
        }
    }

    [[nodiscard]] T& operator*() const noexcept { return *get(); }
    [[nodiscard]] T* operator->() const noexcept { return get(); }
    [[nodiscard]] T* get() const noexcept { return reinterpret_cast<T*>(payload_); }
    [[nodiscard]] explicit operator bool() const noexcept { return payload_ != nullptr; }

    /// Takes over a pin that was counted already.
    [[nodiscard]] static Pin adopt(std::byte* payload) noexcept { return Pin(payload); }

private:
    explicit Pin(std::byte* payload) noexcept : payload_(payload) {}
    std::byte* payload_ = nullptr;
};

}  // namespace heapwright
