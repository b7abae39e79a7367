// What stands behind a block's bytes: a word that only this process could have written there, and that knows their number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <heapwright/alloc/heap/detail/region.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright::heap {

/// Chosen by chance at the first block, the same in every child of fork.
struct Secret {
    std::uint64_t key = 0;
    std::uint64_t multiplier = 0;  ///< odd
    unsigned char freed = 0;       ///< fills freed blocks; eight of it are no address that a program can have
    unsigned char padding[32]{};   ///< one byte again and again; not zero: the most common byte to be written one too far is
};
extern HEAPWRIGHT_HIDDEN constinit Secret g_secret;

void ensure_secret() noexcept;

/// Behind the block's bytes up to its end:
///
///   [bytes that were asked for | padding, at most kPaddingBytes of it written and checked | word]
///
/// The word's two high bytes hide how many bytes lie between; the others are a mix of that, the address and the secret.
inline constexpr std::size_t kGuardBytes = 8;
inline constexpr std::size_t kPaddingBytes = sizeof(Secret::padding);

/// Requires: between < 65536, which the size classes and whole pages keep.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint64_t guard_word(const void* block, std::size_t between) noexcept {
    std::uint64_t mixed = (reinterpret_cast<std::uintptr_t>(block) + (std::uint64_t{between} << 48)) ^ g_secret.key;
    mixed *= g_secret.multiplier;
    mixed = (mixed ^ (mixed >> 29)) * g_secret.multiplier;
    const std::uint64_t hidden = (between ^ (g_secret.key >> 48)) << 48;
    return hidden | ((mixed >> 16) | 1);  // the first byte is not zero, as the padding
}

/// Requires: bytes + kGuardBytes <= capacity, which is a multiple of eight.
HEAPWRIGHT_ALWAYS_INLINE void write_guard(void* block, std::size_t capacity, std::size_t bytes) noexcept {
    const std::size_t between = capacity - kGuardBytes - bytes;
    char* const end = static_cast<char*>(block) + bytes;
    std::memset(end, g_secret.padding[0], between < kPaddingBytes ? between : kPaddingBytes);
    const std::uint64_t word = guard_word(block, between);
    std::memcpy(static_cast<char*>(block) + capacity - kGuardBytes, &word, sizeof(word));
}

/// How many bytes were asked for. Returns false when what stands behind them was written over.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool read_guard(const void* block, std::size_t capacity, std::size_t& bytes) noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, static_cast<const char*>(block) + capacity - kGuardBytes, sizeof(word));
    const std::size_t between = (word >> 48) ^ (g_secret.key >> 48);
    if (HEAPWRIGHT_UNLIKELY(between > capacity - kGuardBytes || word != guard_word(block, between))) {
        return false;
    }
    bytes = capacity - kGuardBytes - between;
    const auto* const padding = static_cast<const unsigned char*>(block) + bytes;
    const std::size_t count = between < kPaddingBytes ? between : kPaddingBytes;
    return std::memcmp(padding, g_secret.padding, count) == 0;
}

/// Fills a block that is free.
HEAPWRIGHT_ALWAYS_INLINE void fill_freed(void* block, std::size_t capacity) noexcept { std::memset(block, g_secret.freed, capacity); }
/// The first byte that is not as fill_freed() left it; `capacity` when all are.
[[nodiscard]] std::size_t first_change(const void* block, std::size_t capacity) noexcept;

}  // namespace heapwright::heap
