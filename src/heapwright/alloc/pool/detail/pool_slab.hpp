// A slab: an aligned piece of memory cut into slots of one size, with the truth about each slot at its front.
//
//   slab │ PoolSlab │ a state for each slot │ a free bit for each slot │ slot │ slot │ slot ...
//          index 0 ───────────────────────────────────────────────────► first_index
//
// Slots are numbered from the slab's start, so that an index is one multiplication away from an address. The few
// indices that the header covers are never free and never given.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright::detail {

/// Slots of one size and where they are. Division by the size is a multiplication: no division on any path.
struct SlotGeometry {
    std::size_t slot_bytes = 0;      // from one slot to the next
    std::size_t slab_bytes = 0;      // a power of two, also the slab's alignment
    std::uint64_t reciprocal = 0;    // 2^64 / slot_bytes, rounded up
    std::uint64_t largest_rest = 0;  // one less: a word of its own, so that both are operands and neither is loaded first
    std::uint32_t word_count = 0;
    std::uint32_t first_index = 0;  // the first slot that is not under the header
    std::uint32_t end_index = 0;
    std::uint32_t free_words_offset = 0;  // in bytes from the slab's start

    struct Slot {
        std::size_t index;
        bool is_start;  // the offset is where the slot begins
    };
    /// Exact for every offset into a slab. The upper half of the product is the quotient; the lower half is less than the
    /// reciprocal just when nothing remains, as slab_bytes is at most 2^30 and slot_bytes at most 2^25 (D. Lemire, O. Kaser,
    /// N. Kurz, "Faster remainder by direct computation", 2019).
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Slot slot_at(std::size_t offset_bytes) const noexcept {
#ifdef __SIZEOF_INT128__
        __extension__ using Wide = unsigned __int128;
        const Wide product = Wide{reciprocal} * offset_bytes;
        return {.index = static_cast<std::size_t>(product >> 64), .is_start = static_cast<std::uint64_t>(product) <= largest_rest};
#else
        return {.index = offset_bytes / slot_bytes, .is_start = offset_bytes % slot_bytes == 0};
#endif
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::size_t index_of(std::size_t offset_bytes) const noexcept {
        return slot_at(offset_bytes).index;
    }

    [[nodiscard]] constexpr std::uint32_t usable_slots() const noexcept { return end_index - first_index; }

    /// The bits of the word that stand for slots: not those under the header, nor those past the end.
    [[nodiscard]] constexpr std::uint64_t slots_of_word(std::size_t word) const noexcept {
        const std::size_t start = word * 64;
        const std::uint64_t above = first_index - start >= 64 ? 0 : ~std::uint64_t{0} << ((first_index - start) & 63);
        const std::uint64_t from = first_index <= start ? ~std::uint64_t{0} : above;
        const std::uint64_t until = end_index >= start + 64 ? ~std::uint64_t{0} : ~(~std::uint64_t{0} << (end_index - start));
        return from & until;
    }
};

/// What became of a slot. One byte each and not a bit: giving a block is then one store that waits for nothing, and its
/// free one load that the store feeds. Two changes of one bit in a row would wait for each other (1 ns a pair, measured).
enum class SlotState : std::uint8_t {
    freed = 0,
    live = 1,  // in the program's hands; one more than freed, and the only one with an odd number
    never_given = 4,
};

struct alignas(16) PoolSlab {
    PoolSlab* previous;  // on the list of slabs that have free slots, or of empty ones
    PoolSlab* next;
    PoolSlab* all_previous;  // on the list of all slabs
    PoolSlab* all_next;
    std::uint32_t outstanding;  // slots without a free bit, and kHome more while the pool refills from this slab
    std::uint32_t check_in;     // while outstanding is at most kFew: at least so many frees until no slot is live
    std::uint32_t lowest_word;  // no free word before it has a bit set
    bool is_listed;             // on the list of slabs that have free slots

    static constexpr std::uint32_t kHome = std::uint32_t{1} << 31;
    static constexpr std::uint32_t kFew = 64;

    /// One a slot, at a constant offset because every block writes one; and one more that is never given, for an address
    /// in the bytes at the slab's end that are too few for a slot.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE SlotState* states() noexcept { return reinterpret_cast<SlotState*>(this + 1); }
    [[nodiscard]] const SlotState* states() const noexcept { return reinterpret_cast<const SlotState*>(this + 1); }
    /// One bit a slot: in the slab, to be given. A slot that is neither free nor live waits in a magazine.
    [[nodiscard]] std::uint64_t* free_words(const SlotGeometry& geometry) noexcept {
        return reinterpret_cast<std::uint64_t*>(reinterpret_cast<std::byte*>(this) + geometry.free_words_offset);
    }
    [[nodiscard]] const std::uint64_t* free_words(const SlotGeometry& geometry) const noexcept {
        return reinterpret_cast<const std::uint64_t*>(reinterpret_cast<const std::byte*>(this) + geometry.free_words_offset);
    }
    /// A bit for each of 64 slots, set where the slot is live: so that who visits live slots leaves a loop, which processors
    /// predict badly, once for 64 of them and not once for eight.
    [[nodiscard]] std::uint64_t live_word(std::size_t word, const SlotGeometry& geometry) const noexcept {
        constexpr std::uint64_t kLiveBits = 0x0101'0101'0101'0101U;  // of eight states; only live ones are odd
        constexpr std::uint64_t kGather = 0x0102'0408'1020'4080U;    // brings the lowest bits of eight bytes together in the highest byte
        std::uint64_t live = 0;
        for (std::size_t at = word * 64, shift = 0; shift < 64 && at < geometry.end_index; at += 8, shift += 8) {
            std::uint64_t eight = 0;
            __builtin_memcpy(&eight, states() + at, sizeof(eight));  // past the states lie free words, which are masked
            live |= ((eight & kLiveBits) * kGather >> 56) << shift;
        }
        return live & geometry.slots_of_word(word);
    }
    [[nodiscard]] std::byte* slot(std::size_t index, const SlotGeometry& geometry) noexcept {
        return reinterpret_cast<std::byte*>(this) + index * geometry.slot_bytes;
    }
    [[nodiscard]] std::uint32_t free_slots(const SlotGeometry& geometry) const noexcept {
        return geometry.usable_slots() - (outstanding & ~kHome);
    }

    /// Every slot free, as in a new slab.
    void free_all(const SlotGeometry& geometry) noexcept {
        outstanding = 0;
        check_in = 1;
        lowest_word = 0;
        is_listed = false;
        __builtin_memset(states(), static_cast<int>(SlotState::never_given), std::size_t{geometry.end_index} + 1);
        for (std::size_t word = 0; word < geometry.word_count; ++word) {
            free_words(geometry)[word] = geometry.slots_of_word(word);
        }
    }
};
static_assert(sizeof(PoolSlab) == 48 || sizeof(void*) != 8);

/// Number of set bits, without the call into libgcc that __builtin_popcountll becomes on plain x86-64.
[[nodiscard]] constexpr unsigned count_bits(std::uint64_t word) noexcept {
    word -= (word >> 1) & 0x5555'5555'5555'5555U;
    word = (word & 0x3333'3333'3333'3333U) + ((word >> 2) & 0x3333'3333'3333'3333U);
    word = (word + (word >> 4)) & 0x0F0F'0F0F'0F0F'0F0FU;
    return static_cast<unsigned>((word * 0x0101'0101'0101'0101U) >> 56);
}

/// Returns:  how slots of this layout lie in slabs of `slab_bytes` (0: chosen so that the header costs at most a
///           thirty-second); slab_bytes is 0 when no slab can hold them.
[[nodiscard]] constexpr SlotGeometry make_geometry(Layout block, std::size_t slab_bytes) noexcept {
    constexpr std::size_t kLeastSlot = 4;
    constexpr std::size_t kUsualSlab = std::size_t{64} << 10;
    constexpr std::size_t kLargestSlab = std::size_t{1} << 30;
    constexpr std::size_t kSlotsPerSlab = 32;

    SlotGeometry geometry;
    const std::size_t size = block.size < kLeastSlot ? kLeastSlot : block.size;
    if (!is_power_of_two(block.alignment) || size > kLargestSlab / kSlotsPerSlab || block.alignment > kLargestSlab / kSlotsPerSlab) {
        return geometry;
    }
    geometry.slot_bytes = align_up(size, block.alignment);
    if (slab_bytes == 0) {
        slab_bytes = std::size_t{1} << log2_ceil(geometry.slot_bytes * kSlotsPerSlab);
        slab_bytes = slab_bytes < kUsualSlab ? kUsualSlab : slab_bytes;
    }
    if (!is_power_of_two(slab_bytes) || slab_bytes > kLargestSlab || slab_bytes < block.alignment) {
        return geometry;
    }
    const std::size_t indices = slab_bytes / geometry.slot_bytes;
    const std::size_t words = (indices + 63) / 64;
    const std::size_t free_words_offset = align_up(sizeof(PoolSlab) + indices + 1, alignof(std::uint64_t));
    const std::size_t header_bytes = free_words_offset + words * sizeof(std::uint64_t);
    const std::size_t first = (header_bytes + geometry.slot_bytes - 1) / geometry.slot_bytes;
    if (first >= indices) {
        return geometry;
    }
    geometry.slab_bytes = slab_bytes;
    geometry.reciprocal = UINT64_MAX / geometry.slot_bytes + 1;
    geometry.largest_rest = geometry.reciprocal - 1;
    geometry.word_count = static_cast<std::uint32_t>(words);
    geometry.first_index = static_cast<std::uint32_t>(first);
    geometry.end_index = static_cast<std::uint32_t>(indices);
    geometry.free_words_offset = static_cast<std::uint32_t>(free_words_offset);
    return geometry;
}

}  // namespace heapwright::detail
