// A chunk of a slab: an aligned piece of memory that holds objects, and what is known about each place.
//
//   chunk │ SlabChunk: links, counts, a live bit, a free bit and a generation for each place │ object │ object │ ...
//
// Generations lie apart from the objects: 4 bytes a place whatever the object's alignment is, and as both addresses
// follow from the key alone, a lookup that misses the cache waits for both at once and not for one after the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/base/poison.hpp>

namespace heapwright::detail {

/// What a place's generation is before its first object, and for ever after its last. Odd ones are those of live objects.
inline constexpr unsigned kFirstGeneration = 2;

template <class Generation, std::size_t Slots>
struct SlabChunk {
    static constexpr std::size_t kWords = (Slots + 63) / 64;

    SlabChunk* previous = nullptr;  // on the list of chunks with free places, or of empty ones
    SlabChunk* next = nullptr;
    SlabChunk* all_previous = nullptr;
    SlabChunk* all_next = nullptr;
    std::uint32_t number = 0;          // its place in the directory
    std::uint32_t busy = 0;            // places with an object, or with one in the making
    std::uint32_t free = Slots;        // places that can be given; the others are busy or given up
    std::uint32_t lowest_word = 0;     // no free word before it has a bit set
    bool is_open = false;              // on the list of chunks with free places
    std::uint64_t live_words[kWords];  // NOLINT(*-avoid-c-arrays): std::array's checks would be in every lookup
    std::uint64_t free_words[kWords];  // NOLINT(*-avoid-c-arrays)
    Generation generations[Slots];     // NOLINT(*-avoid-c-arrays)

    SlabChunk(std::uint32_t own_number, Generation first) noexcept : number(own_number) {
        for (std::size_t at = 0; at < kWords; ++at) {
            live_words[at] = 0;
            const std::size_t left = Slots - at * 64;
            free_words[at] = left >= 64 ? ~std::uint64_t{0} : ~(~std::uint64_t{0} << left);
        }
        for (Generation& generation : generations) {
            generation = first;
        }
    }

    [[nodiscard]] static constexpr std::uint64_t bit_of(std::size_t slot) noexcept { return std::uint64_t{1} << (slot % 64); }
    [[nodiscard]] bool is_live(std::size_t slot) const noexcept { return (live_words[slot / 64] & bit_of(slot)) != 0; }
    [[nodiscard]] bool is_free(std::size_t slot) const noexcept { return (free_words[slot / 64] & bit_of(slot)) != 0; }

    /// Requires: a place is free.
    /// Returns:  the lowest one, which is now busy.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::size_t take_lowest() noexcept {
        std::uint32_t at = lowest_word;
        while (free_words[at] == 0) {
            ++at;
        }
        lowest_word = at;
        const std::uint64_t word = free_words[at];
        free_words[at] = word & (word - 1);
        --free;
        ++busy;
        return std::size_t{at} * 64 + static_cast<std::size_t>(__builtin_ctzll(word));
    }

    /// Requires: `slot` is busy and holds no object any more.
    HEAPWRIGHT_ALWAYS_INLINE void put_back(std::size_t slot) noexcept {
        const auto word = static_cast<std::uint32_t>(slot / 64);
        free_words[word] |= bit_of(slot);
        lowest_word = word < lowest_word ? word : lowest_word;
        ++free;
        --busy;
    }

    /// As put_back, for a place whose generations are used up: it is never given again.
    void give_up() noexcept { --busy; }
};

[[nodiscard]] consteval std::size_t slab_chunk_bytes(std::size_t wanted_bytes, std::size_t stride) {
    constexpr std::size_t kLeastSlots = 8;
    constexpr std::size_t kUsualBytes = std::size_t{64} << 10;
    if (wanted_bytes != 0) {
        return wanted_bytes;
    }
    const std::size_t least = std::size_t{1} << log2_ceil(stride * kLeastSlots * 2);
    return least < kUsualBytes ? kUsualBytes : least;
}

/// Returns:  how many places of `stride` bytes fit into a chunk behind what is known about them.
template <class Generation>
[[nodiscard]] consteval std::size_t slab_slots(std::size_t chunk_bytes, std::size_t stride, std::size_t alignment) {
    constexpr std::size_t kFixed = sizeof(SlabChunk<Generation, 1>);  // with one word of each kind, and one generation
    std::size_t count = chunk_bytes / (stride + sizeof(Generation));
    for (; count > 0; --count) {
        const std::size_t words = (count + 63) / 64;
        const std::size_t header =
            align_up(kFixed + (words - 1) * 16 + align_up(count * sizeof(Generation), 8), alignment < 8 ? 8 : alignment);
        if (header + count * stride <= chunk_bytes) {
            break;
        }
    }
    return count;
}

/// How objects of one type lie in a chunk. All of it is known when the program is compiled.
template <class T, class Generation, std::size_t WantedBytes>
struct SlabGeometry {
    // Where poisoning is seen, objects keep 8 poisoned bytes between them, so that one byte too far is one fault.
    static constexpr std::size_t kAlignment = kPoisoning && alignof(T) < 8 ? 8 : alignof(T);
    static constexpr std::size_t kStride = align_up(kPoisoning ? sizeof(T) + 8 : sizeof(T), kAlignment);
    static constexpr std::size_t kChunkBytes = slab_chunk_bytes(WantedBytes, kStride);
    static_assert(is_power_of_two(kChunkBytes), "a slab's chunks are a power of two, so that an object's address leads to its chunk");
    static constexpr std::size_t kSlots = slab_slots<Generation>(kChunkBytes, kStride, kAlignment);
    static_assert(kSlots > 0, "a slab's chunk must hold an object");
    static constexpr unsigned kSlotBits = log2_ceil(kSlots);
    static constexpr std::uint32_t kSlotMask = (std::uint32_t{1} << kSlotBits) - 1;
    static constexpr std::uint32_t kMostChunks = ~std::uint32_t{0} >> kSlotBits;

    using Chunk = SlabChunk<Generation, kSlots>;
    static constexpr std::size_t kFirstOffset = align_up(sizeof(Chunk), kAlignment);
    static_assert(kFirstOffset + kSlots * kStride <= kChunkBytes);
    static constexpr Layout kLayout{.size = kChunkBytes, .alignment = kChunkBytes};

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static std::byte* place(Chunk* chunk, std::size_t slot) noexcept {
        return reinterpret_cast<std::byte*>(chunk) + kFirstOffset + slot * kStride;
    }
    /// Requires: an object lives there.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static T* object(Chunk* chunk, std::size_t slot) noexcept {
        return std::launder(reinterpret_cast<T*>(place(chunk, slot)));
    }
};

}  // namespace heapwright::detail
