// A child of fork may find each of these half done, between two words.
#include <heapwright/alloc/heap/detail/granule_bits.hpp>

#include <algorithm>
#include <atomic>
#include <bit>

namespace heapwright::heap {

namespace {

void in_this_order() noexcept { std::atomic_signal_fence(std::memory_order_acq_rel); }

}  // namespace

std::uint32_t GranuleBits::behind_set_before(std::uint32_t end) const noexcept {
    if (end == 0) {
        return 0;
    }
    std::uint32_t number = (end - 1) / kBits;
    std::uint64_t rest = word(number) & (~std::uint64_t{0} >> (kBits - 1 - (end - 1) % kBits));
    while (rest == 0) {
        if (number-- == 0) {
            return 0;
        }
        rest = word(number);
    }
    return number * kBits + kBits - static_cast<std::uint32_t>(std::countl_zero(rest));
}

void GranuleBits::set(std::uint32_t first, std::uint32_t count) noexcept {
    while (count != 0) {
        const std::uint32_t end = first + count;
        const std::uint32_t here = std::min(count, (end - 1) % kBits + 1);
        const std::uint64_t mask = (~std::uint64_t{0} >> (kBits - here)) << (end - here) % kBits;
        write((end - 1) / kBits, word((end - 1) / kBits) | mask);
        in_this_order();
        count -= here;
    }
}

void GranuleBits::clear(std::uint32_t first, std::uint32_t count) noexcept {
    while (count != 0) {
        const std::uint32_t bit = first % kBits;
        const std::uint32_t here = std::min(count, kBits - bit);
        const std::uint64_t mask = (~std::uint64_t{0} >> (kBits - here)) << bit;
        write(first / kBits, word(first / kBits) & ~mask);
        in_this_order();
        first += here;
        count -= here;
    }
}

std::uint32_t GranuleBits::count() const noexcept {
    std::uint32_t sum = 0;
    for (std::uint32_t number = 0; number < kWords; ++number) {
        sum += static_cast<std::uint32_t>(std::popcount(word(number)));
    }
    return sum;
}

}  // namespace heapwright::heap
