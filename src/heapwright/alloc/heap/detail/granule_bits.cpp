// Walks over a slice's bits.
#include <heapwright/alloc/heap/detail/granule_bits.hpp>

#include <bit>

namespace heapwright::heap {

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

std::uint32_t GranuleBits::count() const noexcept {
    std::uint32_t sum = 0;
    for (std::uint32_t number = 0; number < kWords; ++number) {
        sum += static_cast<std::uint32_t>(std::popcount(word(number)));
    }
    return sum;
}

}  // namespace heapwright::heap
