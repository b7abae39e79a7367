// The slabs whose frees need no second thought, found in four instructions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <heapwright/base/platform.hpp>

namespace heapwright::detail {

/// A part of a pool's slabs: at each place the one that was added last, of those that hash to it. An address that is not
/// here may still be a slab's; the directory knows.
///
/// Thread safety: one thread at a time.
class BusySlabs {
public:
    BusySlabs() noexcept { clear(); }

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool contains(std::uintptr_t slab) const noexcept { return slabs_[place_of(slab)] == slab; }
    void add(std::uintptr_t slab) noexcept { slabs_[place_of(slab)] = slab; }
    void drop(std::uintptr_t slab) noexcept {
        if (contains(slab)) {
            slabs_[place_of(slab)] = kNone;
        }
    }
    void clear() noexcept { slabs_.fill(kNone); }

    /// Calls `visit(std::uintptr_t slab)` for each.
    template <class Visit>
    void for_each(Visit visit) const {
        for (const std::uintptr_t slab : slabs_) {
            if (slab != kNone) {
                visit(slab);
            }
        }
    }

private:
    static constexpr std::uintptr_t kNone = 1;  // no slab has an odd address
    static constexpr unsigned kBits = 8;

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static std::size_t place_of(std::uintptr_t slab) noexcept {
        // Slabs mostly lie in a row. The multiplier's low bits are the golden section at each usual slab size, which sends
        // neighbours far apart: a row of 16 MiB has hardly two at one place.
        return (static_cast<std::uint32_t>(slab) * 0x9E39'9E37U) >> (32U - kBits);
    }

    std::array<std::uintptr_t, std::size_t{1} << kBits> slabs_;
};

}  // namespace heapwright::detail
