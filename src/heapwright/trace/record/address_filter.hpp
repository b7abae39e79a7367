// Which released addresses deserve a closer look: one byte load answers "surely not this one".
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace heapwright::trace::record {

/// Counts addresses by a hash of their OS page. A zero says that no address entered shares the hash.
///
/// Used for large blocks (few, and each begins on a page of its own) and for memory that is not the allocator's.
/// A count that reached its limit stays: false alarms cost time, never truth.
///
/// Thread safety: any thread; relaxed, because an address is entered by the thread that got it and asked about by a
/// thread that was given it since, which orders the two.
class PageFilter {
public:
    static constexpr std::size_t kCounters = 8192;
    static constexpr std::uint8_t kStuck = 255;
    using Table = std::array<std::atomic<std::uint8_t>, kCounters>;

    [[nodiscard]] static std::size_t slot_of(const void* address) noexcept {
        return static_cast<std::size_t>(((reinterpret_cast<std::uintptr_t>(address) >> 12) * 0x9E3779B97F4A7C15U) >> 51);
    }

    void enter(const void* address) noexcept {
        auto& counter = counters_[slot_of(address)];
        std::uint8_t count = counter.load(std::memory_order_relaxed);  // see the class
        while (count != kStuck && !counter.compare_exchange_weak(count, static_cast<std::uint8_t>(count + 1), std::memory_order_relaxed)) {}
    }
    void leave(const void* address) noexcept {
        auto& counter = counters_[slot_of(address)];
        std::uint8_t count = counter.load(std::memory_order_relaxed);  // see the class
        while (count != 0 && count != kStuck &&
               !counter.compare_exchange_weak(count, static_cast<std::uint8_t>(count - 1), std::memory_order_relaxed)) {}
    }
    /// For addresses that never leave.
    void stick(const void* address) noexcept {
        counters_[slot_of(address)].store(kStuck, std::memory_order_relaxed);  // see the class
    }
    /// From now on every address deserves a look.
    void stick_all() noexcept {
        for (auto& counter : counters_) {
            counter.store(kStuck, std::memory_order_relaxed);  // see the class
        }
    }

    [[nodiscard]] bool may_hold(const void* address) const noexcept {
        return counters_[slot_of(address)].load(std::memory_order_relaxed) != 0;  // see the class
    }

private:
    Table counters_{};
};

}  // namespace heapwright::trace::record
