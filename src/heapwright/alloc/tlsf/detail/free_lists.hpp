// Free blocks by size: a list for each class of sizes, and bits that say which lists hold a block.
//
// Classes are as wide as a word up to 2^(FineBits) words, and above that each power of two is cut into 2^FineBits of them.
// Two looks at bits find the first list whose blocks all suffice: M. Masmano, I. Ripoll, A. Crespo, J. Real, "TLSF: a new
// dynamic memory allocator for real-time systems" (2004). Numbering the classes straight through makes "the next larger
// class" an increment, so that a request is rounded up without a second logarithm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <heapwright/alloc/tlsf/detail/tlsf_block.hpp>
#include <heapwright/base/bits.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright::detail {

/// `LargestBits`: blocks are smaller than 2^LargestBits bytes.
template <unsigned LargestBits, unsigned FineBits>
class FreeLists {
public:
    static constexpr unsigned kFine = 1U << FineBits;
    static constexpr unsigned kSmallBits = FineBits + log2_floor(TlsfBlock::kWord);
    static constexpr unsigned kRows = LargestBits - kSmallBits + 1;
    static constexpr std::size_t kClasses = std::size_t{kRows} * kFine;
    static constexpr std::size_t kBeyondBytes = std::size_t{1} << LargestBits;
    static_assert(FineBits >= 2 && FineBits <= 5, "a row of classes has a word of 32 bits");
    static_assert(LargestBits > kSmallBits && LargestBits < sizeof(std::size_t) * 8, "sizes must fit, and more than one row must be there");
    static_assert(kRows < 64);

    /// Requires: bytes < kBeyondBytes, and a multiple of a word.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static std::size_t class_of(std::size_t bytes) noexcept {
        const unsigned log = word_log(bytes | (std::size_t{1} << kSmallBits));
        return (std::size_t{log - kSmallBits} << FineBits) + (bytes >> (log - FineBits));
    }

    struct Found {
        TlsfBlock* block;
        std::size_t at;  // its class
    };

    /// Returns:  a block of at least so many bytes, still in its list; nullptr when only the block's own class might have one.
    /// Cost:     two looks at bits.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Found find(std::size_t bytes) const noexcept {
        const std::size_t least = class_of(bytes - TlsfBlock::kWord) + 1;
        std::size_t row = least >> FineBits;
        std::uint32_t fine = fine_[row] & (~std::uint32_t{0} << (least & (kFine - 1)));
        if (fine == 0) {
            const Rows rows = rows_ & (~Rows{1} << row);
            if (HEAPWRIGHT_UNLIKELY(rows == 0)) {
                return {.block = nullptr, .at = 0};
            }
            row = lowest(rows);
            fine = fine_[row];
        }
        const std::size_t at = (row << FineBits) + static_cast<unsigned>(__builtin_ctz(fine));
        return {.block = first_[at], .at = at};
    }

    /// As find, among the first few blocks of the class whose blocks may be too small: what a nearly full heap has left.
    [[nodiscard]] Found find_close(std::size_t bytes) const noexcept {
        constexpr int kLooks = 8;
        const std::size_t at = class_of(bytes);
        TlsfBlock* block = first_[at];
        for (int look = 0; block != nullptr && block->bytes() < bytes; block = block->next) {
            if (++look == kLooks) {
                return {.block = nullptr, .at = at};
            }
        }
        return {.block = block, .at = at};
    }

    void insert(TlsfBlock* block, std::size_t at) noexcept {
        TlsfBlock* const head = first_[at];
        block->next = head;
        block->previous = nullptr;
        first_[at] = block;
        // Whether a list was empty is as good as random: a write that is not needed costs less than a branch that is foreseen wrongly.
        or_nobody(head)->previous = block;
        rows_ |= Rows{1} << (at >> FineBits);
        fine_[at >> FineBits] |= std::uint32_t{1} << (at & (kFine - 1));
    }

    void remove(TlsfBlock* block, std::size_t at) noexcept {
        TlsfBlock* const next = block->next;
        TlsfBlock* const previous = block->previous;
        or_nobody(next)->previous = previous;
        if (previous != nullptr) {
            previous->next = next;
        } else {
            replace_first(at, next);
        }
    }

    /// Puts `block`, of class `at`, into a list instead of `old`, of class `old_at`: mostly the same, and then no bit changes.
    void exchange(TlsfBlock* old, std::size_t old_at, TlsfBlock* block, std::size_t at) noexcept {
        if (old_at != at) {
            remove(old, old_at);
            insert(block, at);
            return;
        }
        TlsfBlock* const next = old->next;
        TlsfBlock* const previous = old->previous;
        block->next = next;
        block->previous = previous;
        or_nobody(next)->previous = block;
        (previous == nullptr ? first_[at] : previous->next) = block;
    }

    /// Cost:     O(blocks in the highest list).
    [[nodiscard]] std::size_t largest_bytes() const noexcept {
        std::size_t largest = 0;
        for (std::size_t at = kClasses; at > 0 && largest == 0; --at) {
            for (const TlsfBlock* block = first_[at - 1]; block != nullptr; block = block->next) {
                largest = block->bytes() > largest ? block->bytes() : largest;
            }
        }
        return largest;
    }

    /// Whether lists, links and bits agree. `count` becomes the number of blocks in all lists.
    [[nodiscard]] bool is_sound(std::size_t* count) const noexcept {
        *count = 0;
        for (std::size_t at = 0; at < kClasses; ++at) {
            const bool has_bit = (fine_[at >> FineBits] >> (at & (kFine - 1)) & 1U) != 0;
            const bool has_row = (rows_ >> (at >> FineBits) & 1U) != 0;
            if (has_bit != (first_[at] != nullptr) || (has_bit && !has_row) || (has_row && fine_[at >> FineBits] == 0)) {
                return false;
            }
            const TlsfBlock* previous = nullptr;
            for (const TlsfBlock* block = first_[at]; block != nullptr; block = block->next) {
                if (!block->is_free() || class_of(block->bytes()) != at || block->previous != previous) {
                    return false;
                }
                previous = block;
                ++*count;
            }
        }
        return true;
    }

private:
    using Rows = std::conditional_t<(kRows < 32), std::uint32_t, std::uint64_t>;

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static unsigned word_log(std::size_t number) noexcept {
        if constexpr (sizeof(std::size_t) == 8) {
            return 63U - static_cast<unsigned>(__builtin_clzll(number));
        } else {
            return 31U - static_cast<unsigned>(__builtin_clz(static_cast<unsigned>(number)));
        }
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static std::size_t lowest(Rows rows) noexcept {
        if constexpr (sizeof(Rows) == 8) {
            return static_cast<std::size_t>(__builtin_ctzll(rows));
        } else {
            return static_cast<std::size_t>(__builtin_ctz(rows));
        }
    }

    void replace_first(std::size_t at, TlsfBlock* next) noexcept {
        first_[at] = next;
        const std::uint32_t fine = fine_[at >> FineBits] & ~(std::uint32_t{next == nullptr} << (at & (kFine - 1)));
        fine_[at >> FineBits] = fine;
        rows_ &= ~(Rows{fine == 0} << (at >> FineBits));
    }
    /// Where to write what belongs to a neighbour in the list, if there is one.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE TlsfBlock* or_nobody(TlsfBlock* block) noexcept { return block != nullptr ? block : &nobody_; }

    Rows rows_ = 0;
    TlsfBlock nobody_{};                  // written, never read
    std::uint32_t fine_[kRows + 1] = {};  // NOLINT(*-avoid-c-arrays): no checks in constant time; the row past the last stays empty
    TlsfBlock* first_[kClasses] = {};     // NOLINT(*-avoid-c-arrays)
};

}  // namespace heapwright::detail
