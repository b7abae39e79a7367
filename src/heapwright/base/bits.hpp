// Powers of two, alignment and arithmetic that says when it overflows.
//
// Written without <bit>: std::has_single_bit and std::popcount become a call into libgcc on plain x86-64, which a
// freestanding floor may not make. Everything here compiles to a few instructions and works in constant expressions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapwright {

/// Zero is no power of two.
[[nodiscard]] constexpr bool is_power_of_two(std::uint64_t number) noexcept { return number != 0 && (number & (number - 1)) == 0; }

/// Requires: number > 0.
/// Returns:  the index of the highest set bit.
[[nodiscard]] constexpr unsigned log2_floor(std::uint64_t number) noexcept { return 63U - static_cast<unsigned>(__builtin_clzll(number)); }

/// Requires: number > 0.
/// Returns:  the smallest n with 2^n >= number.
[[nodiscard]] constexpr unsigned log2_ceil(std::uint64_t number) noexcept { return number == 1 ? 0U : log2_floor(number - 1) + 1U; }

/// Requires: alignment is a power of two.
[[nodiscard]] constexpr std::size_t align_down(std::size_t number, std::size_t alignment) noexcept { return number & ~(alignment - 1); }

/// Requires: alignment is a power of two; number + alignment - 1 does not wrap (else use align_up_overflows).
[[nodiscard]] constexpr std::size_t align_up(std::size_t number, std::size_t alignment) noexcept {
    return (number + (alignment - 1)) & ~(alignment - 1);
}

/// Requires: alignment is a power of two.
[[nodiscard]] constexpr bool is_aligned(std::size_t number, std::size_t alignment) noexcept { return (number & (alignment - 1)) == 0; }

[[nodiscard]] inline bool is_aligned(const void* address, std::size_t alignment) noexcept {
    return is_aligned(reinterpret_cast<std::uintptr_t>(address), alignment);
}

/// Moves within the same object, so that the compiler keeps knowing what the pointer points into.
[[nodiscard]] inline std::byte* align_up(std::byte* address, std::size_t alignment) noexcept {
    const auto number = reinterpret_cast<std::uintptr_t>(address);
    return address + (align_up(number, alignment) - number);
}

[[nodiscard]] inline std::byte* align_down(std::byte* address, std::size_t alignment) noexcept {
    const auto number = reinterpret_cast<std::uintptr_t>(address);
    return address - (number - align_down(number, alignment));
}

/// Returns:  whether a + b does not fit; `sum` is the wrapped sum.
template <class Integer>
[[nodiscard]] constexpr bool add_overflows(Integer a, Integer b, Integer* sum) noexcept {
    return __builtin_add_overflow(a, b, sum);
}

/// Returns:  whether a - b does not fit; `difference` is the wrapped difference.
template <class Integer>
[[nodiscard]] constexpr bool subtract_overflows(Integer a, Integer b, Integer* difference) noexcept {
    return __builtin_sub_overflow(a, b, difference);
}

/// Returns:  whether a * b does not fit; `product` is the wrapped product.
template <class Integer>
[[nodiscard]] constexpr bool multiply_overflows(Integer a, Integer b, Integer* product) noexcept {
    return __builtin_mul_overflow(a, b, product);
}

/// Requires: alignment is a power of two.
/// Returns:  whether rounding up does not fit.
[[nodiscard]] constexpr bool align_up_overflows(std::size_t number, std::size_t alignment, std::size_t* rounded) noexcept {
    std::size_t sum = 0;
    const bool overflows = add_overflows(number, alignment - 1, &sum);
    *rounded = align_down(sum, alignment);
    return overflows;
}

}  // namespace heapwright
