// A block of a heap with its neighbours, and the regions that blocks are cut from.
//
//   region │ TlsfRegion │ header │ the program's bytes │ header │ next │ previous │ ... │ size │ header ... │ end mark
//                         live block                     free block                      footer
//
// A header is one word: the block's size, and in its low bits whether the block and the one before it are free. The footer
// is in the last word of a free block only, where a live one has the program's bytes: so a live block costs one word.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright::detail {

struct TlsfBlock {
    static constexpr std::size_t kWord = sizeof(std::size_t);
    static constexpr std::size_t kFree = 1;
    static constexpr std::size_t kPreviousFree = 2;
    static constexpr std::size_t kFlags = kFree | kPreviousFree;
    static constexpr std::size_t kLeastBytes = 4 * kWord;  // header, two links, footer
    static_assert(kFlags < kWord, "sizes are multiples of a word, which leaves the low bits to the flags");

    std::size_t tagged_bytes;  // from this header to the next one, and the flags
    TlsfBlock* next;           // while free
    TlsfBlock* previous;

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static TlsfBlock* of(void* memory) noexcept {
        return reinterpret_cast<TlsfBlock*>(static_cast<std::byte*>(memory) - kWord);
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static const TlsfBlock* of(const void* memory) noexcept {
        return reinterpret_cast<const TlsfBlock*>(static_cast<const std::byte*>(memory) - kWord);
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::byte* memory() noexcept { return reinterpret_cast<std::byte*>(this) + kWord; }
    [[nodiscard]] std::size_t bytes() const noexcept { return tagged_bytes & ~kFlags; }
    [[nodiscard]] std::size_t usable_bytes() const noexcept { return bytes() - kWord; }
    [[nodiscard]] bool is_free() const noexcept { return (tagged_bytes & kFree) != 0; }
    [[nodiscard]] bool is_previous_free() const noexcept { return (tagged_bytes & kPreviousFree) != 0; }

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE TlsfBlock* at(std::size_t offset_bytes) noexcept {
        return reinterpret_cast<TlsfBlock*>(reinterpret_cast<std::byte*>(this) + offset_bytes);
    }
    [[nodiscard]] const TlsfBlock* at(std::size_t offset_bytes) const noexcept {
        return reinterpret_cast<const TlsfBlock*>(reinterpret_cast<const std::byte*>(this) + offset_bytes);
    }

    /// The last word of the block before this one.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::size_t* footer_before() noexcept {
        return reinterpret_cast<std::size_t*>(reinterpret_cast<std::byte*>(this) - kWord);
    }
    [[nodiscard]] const std::size_t* footer_before() const noexcept {
        return reinterpret_cast<const std::size_t*>(reinterpret_cast<const std::byte*>(this) - kWord);
    }
    /// Requires: is_previous_free().
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE TlsfBlock* block_before() noexcept {
        return reinterpret_cast<TlsfBlock*>(reinterpret_cast<std::byte*>(this) - *footer_before());
    }
};

/// At the start of each region. Its last two words are the end mark: a live block of no bytes, and where the region begins.
struct TlsfRegion {
    static constexpr std::size_t kEndBytes = 2 * TlsfBlock::kWord;

    TlsfRegion* next;
    TlsfRegion* previous;
    std::size_t bytes;        // from here past the end mark
    std::size_t from_source;  // what was asked of the source; 0: the caller's memory

    [[nodiscard]] TlsfBlock* first() noexcept { return reinterpret_cast<TlsfBlock*>(this + 1); }
    [[nodiscard]] const TlsfBlock* first() const noexcept { return reinterpret_cast<const TlsfBlock*>(this + 1); }
    [[nodiscard]] std::size_t block_bytes() const noexcept { return bytes - sizeof(TlsfRegion) - kEndBytes; }
    [[nodiscard]] TlsfBlock* end_mark() noexcept { return first()->at(block_bytes()); }
    [[nodiscard]] const TlsfBlock* end_mark() const noexcept { return first()->at(block_bytes()); }
    [[nodiscard]] static TlsfRegion* of_end_mark(const TlsfBlock* mark) noexcept { return reinterpret_cast<TlsfRegion*>(mark->next); }
    [[nodiscard]] bool is_empty() const noexcept { return first()->is_free() && first()->bytes() == block_bytes(); }
    [[nodiscard]] bool holds(const void* address) const noexcept {
        return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(this) < bytes;
    }
};
static_assert(sizeof(TlsfRegion) == 4 * TlsfBlock::kWord);

}  // namespace heapwright::detail
