// One bit for each granule of 16 bytes of a slice.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/size_class.hpp>

namespace heapwright::heap {

inline constexpr std::size_t kGranuleBytes = 16;
inline constexpr std::uint32_t kGranulesOfSlice = kSliceBytes / kGranuleBytes;

/// One bit for each granule of a slice. Words are written under the locks of their span; whoever has a block reads the bit of its
/// end without: so they are atomic, and no order is needed.
class GranuleBits {
public:
    [[nodiscard]] bool test(std::uint32_t granule) const noexcept { return (word(granule / kBits) >> (granule % kBits) & 1) != 0; }
    /// The first granule from `from` on whose bit is set, or clear; kGranulesOfSlice: none.
    [[nodiscard]] std::uint32_t next_set(std::uint32_t from) const noexcept { return next(from, 0); }
    [[nodiscard]] std::uint32_t next_clear(std::uint32_t from) const noexcept { return next(from, ~std::uint64_t{0}); }
    /// Behind the last granule before `end` whose bit is set; 0: none.
    [[nodiscard]] std::uint32_t behind_set_before(std::uint32_t end) const noexcept;
    /// From the last to the first.
    void set(std::uint32_t first, std::uint32_t count) noexcept;
    /// From the first to the last: who stops between two words leaves an end of what was set.
    void clear(std::uint32_t first, std::uint32_t count) noexcept;
    /// One.
    void set(std::uint32_t granule) noexcept { write(granule / kBits, word(granule / kBits) | std::uint64_t{1} << (granule % kBits)); }
    void clear(std::uint32_t granule) noexcept { write(granule / kBits, word(granule / kBits) & ~(std::uint64_t{1} << (granule % kBits))); }
    [[nodiscard]] std::uint32_t count() const noexcept;

private:
    static constexpr std::uint32_t kBits = 64;
    static constexpr std::uint32_t kWords = kGranulesOfSlice / kBits;

    [[nodiscard]] std::uint64_t word(std::uint32_t number) const noexcept { return __atomic_load_n(&words_[number], __ATOMIC_RELAXED); }
    [[nodiscard]] std::uint32_t next(std::uint32_t from, std::uint64_t flip) const noexcept;
    void write(std::uint32_t number, std::uint64_t bits) noexcept { __atomic_store_n(&words_[number], bits, __ATOMIC_RELAXED); }

    std::array<std::uint64_t, kWords> words_{};
};

inline std::uint32_t GranuleBits::next(std::uint32_t from, std::uint64_t flip) const noexcept {
    if (from >= kGranulesOfSlice) {
        return kGranulesOfSlice;
    }
    std::uint32_t number = from / kBits;
    std::uint64_t rest = (word(number) ^ flip) & (~std::uint64_t{0} << (from % kBits));
    while (rest == 0) {
        if (++number == kWords) {
            return kGranulesOfSlice;
        }
        rest = word(number) ^ flip;
    }
    return number * kBits + static_cast<std::uint32_t>(std::countr_zero(rest));
}

inline void GranuleBits::set(std::uint32_t first, std::uint32_t count) noexcept {
    while (count != 0) {
        const std::uint32_t end = first + count;
        const std::uint32_t here = std::min(count, (end - 1) % kBits + 1);
        const std::uint64_t mask = (~std::uint64_t{0} >> (kBits - here)) << (end - here) % kBits;
        write((end - 1) / kBits, word((end - 1) / kBits) | mask);
        std::atomic_signal_fence(std::memory_order_acq_rel);  // a child of fork may find it half done, between two words
        count -= here;
    }
}

inline void GranuleBits::clear(std::uint32_t first, std::uint32_t count) noexcept {
    while (count != 0) {
        const std::uint32_t bit = first % kBits;
        const std::uint32_t here = std::min(count, kBits - bit);
        const std::uint64_t mask = (~std::uint64_t{0} >> (kBits - here)) << bit;
        write(first / kBits, word(first / kBits) & ~mask);
        std::atomic_signal_fence(std::memory_order_acq_rel);  // a child of fork may find it half done, between two words
        first += here;
        count -= here;
    }
}

}  // namespace heapwright::heap
