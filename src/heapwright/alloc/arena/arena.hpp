// Many blocks, one release: a cursor moves through chunks, and everything is given back at once.
//
//   chunk │ header │ arrays, bytes ──► low        free        high ◄── objects │
//
// Blocks whose size is known when the program is compiled come down from `high` in six instructions; the others go up
// from `low`, where the newest can grow in place however many objects were made meanwhile. No peer has both ends, so
// there each new object stops the growing array.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include <heapwright/alloc/arena/detail/chunk_chain.hpp>
#include <heapwright/alloc/arena/detail/cleanup.hpp>
#include <heapwright/alloc/arena/detail/use_history.hpp>
#include <heapwright/base/bits.hpp>
#include <heapwright/base/block_source.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/base/poison.hpp>

namespace heapwright {

/// All in bytes unless the name says otherwise.
struct ArenaStats {
    std::size_t used_bytes;       // in blocks, with what alignment cost
    std::size_t peak_used_bytes;  // seen at a reset, a rewind, a change of chunk or a call of stats()
    std::size_t lost_bytes;       // ends of chunks that were left because a request did not fit
    std::size_t owned_bytes;      // taken from the source, headers and retained chunks included
    std::size_t retained_bytes;   // of these, in chunks kept for later
    std::size_t chunks;           // taken from the source
    std::size_t destructors;      // objects and arrays that will be destroyed
    std::size_t refusals;         // requests that were answered with nullptr
    std::size_t resets;
};

/// One chunk of an arena. All in bytes.
struct ArenaChunk {
    std::size_t owned_bytes;  // as the source sees it, with its header
    std::size_t used_bytes;   // in blocks, with what alignment cost
    std::size_t free_bytes;   // between them
    bool is_current;          // where the next block comes from
    bool is_retained;         // kept for later
    bool is_borrowed;         // the caller's buffer
};

/// Blocks of any size from chunks, released together.
///
///   A1  begin <= low <= high <= end of the current chunk, or all are nullptr while there is none
///   A2  fence_low <= low and high <= fence_high: no block older than the newest mark is grown or reclaimed
///   A3  the current chunk is in use
///   A4  left_used_bytes is the sum over the chunks in use but the current one
///   A5  cleanup_count is the length of the list of cleanups
///
/// It stays where it was made, so that whatever stands on it may keep its address.
/// Thread safety: one thread at a time. SharedArena is for several.
class Arena {
public:
    /// What a caller-given buffer loses at most to the arena's own header.
    static constexpr std::size_t kBufferOverheadBytes = sizeof(detail::Chunk) + alignof(detail::Chunk) - 1;

    /// Example: `Arena arena{os::kPages};`
    constexpr explicit Arena(SourceRef source, ArenaOptions options = {}) noexcept : chain_({}, source, options) {}

    /// Uses `buffer` first, and then the source if there is one. Usable in constant expressions, where it refuses what
    /// would not fit into the buffer.
    ///
    /// Requires: the buffer outlives the arena.
    constexpr explicit Arena(std::span<std::byte> buffer, SourceRef source = {}, ArenaOptions options = {}) noexcept
        : chain_(buffer, source, options) {}

    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    constexpr ~Arena() { release(); }

    // ---- bytes

    /// Returns:  a block of at least one byte, aligned; nullptr when limits or source refuse, and then nothing changed.
    /// Cost:     about 10 instructions where the compiler knows the layout, 18 where it does not; a new chunk now and then.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* try_allocate(Layout layout) noexcept {
        HEAPWRIGHT_ASSERT(layout.is_valid(), "a layout's alignment must be a power of two and its size in range");
        return has_room(layout) ? take_low(layout) : allocate_low_slow(layout.size, layout.alignment);
    }
    /// As try_allocate from the current chunk; nullptr when that has no room, and then try_allocate may still find some.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* try_allocate_fast(Layout layout) noexcept {
        HEAPWRIGHT_ASSERT(layout.is_valid(), "a layout's alignment must be a power of two and its size in range");
        return has_room(layout) ? take_low(layout) : nullptr;
    }

    /// The same for a size known when the program is compiled.
    ///
    /// Cost:     6 instructions; a new chunk now and then.
    template <std::size_t SizeBytes, std::size_t Alignment>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* try_allocate_fixed() noexcept {
        static_assert(is_power_of_two(Alignment), "an alignment is a power of two");
        static_assert(SizeBytes <= Layout::kLargestSize / 2, "no chunk is that large");
        constexpr Layout kLayout{.size = SizeBytes, .alignment = Alignment};
        if (HEAPWRIGHT_UNLIKELY(static_cast<std::ptrdiff_t>(high_after(kLayout) - address(low_)) < 0)) {
            return allocate_slow(kLayout, &Arena::take_high);
        }
        return take_high(kLayout);
    }

    /// As try_allocate, for callers that cannot go on without.
    ///
    /// Requires: limits and source suffice (checked).
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* allocate(Layout layout) noexcept { return or_stop(try_allocate(layout)); }

    /// Returns:  what try_allocate returns, with the bytes that alignment of the next block would cost anyway.
    [[nodiscard]] SizedBlock try_allocate_at_least(Layout layout) noexcept;

    /// Takes the newest block at either end back; any other stays until the arena is emptied.
    ///
    /// Requires: `block` came from this arena with this layout, and no rewind or reset has ended it.
    void deallocate(void* block, Layout layout) noexcept;

    /// Grows or shrinks in place. Possible for the newest block from try_allocate if it is younger than the newest mark.
    [[nodiscard]] bool try_expand(void* block, Layout layout, std::size_t new_size) noexcept;

    /// Resizes in place where possible, else copies.
    ///
    /// Returns:  where the contents are now; nullptr when refused, and then `block` is as it was.
    /// Cost:     O(1) for the newest block, else O(size).
    [[nodiscard]] void* try_reallocate(void* block, Layout layout, std::size_t new_size) noexcept;

    // ---- objects

    /// Makes a T. Its destructor runs when the arena is emptied, rewound past it or destroyed, the newest object first;
    /// a T whose destructor does nothing costs no more than its bytes, any other 16 bytes more.
    ///
    /// Returns:  nullptr when limits or source refuse.
    template <class T, class... Args>
    [[nodiscard]] constexpr T* try_create(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>);
    template <class T, class... Args>
    constexpr T& create(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        return *or_stop(try_create<T>(std::forward<Args>(args)...));
    }

    /// A row of value-initialised T, destroyed like single ones. Never nullptr for a count of 0.
    template <class T>
    [[nodiscard]] constexpr T* try_create_array(std::size_t count) noexcept(std::is_nothrow_default_constructible_v<T>);
    template <class T>
    [[nodiscard]] constexpr std::span<T> create_array(std::size_t count) noexcept(std::is_nothrow_default_constructible_v<T>) {
        return {or_stop(try_create_array<T>(count)), count};
    }

    /// The same text in this arena, followed by a zero byte. `data()` of the try_ form is nullptr when refused.
    [[nodiscard]] constexpr std::string_view try_copy(std::string_view text) noexcept;
    [[nodiscard]] constexpr std::string_view copy(std::string_view text) noexcept {
        const std::string_view copied = try_copy(text);
        stop_unless(copied.data() != nullptr);
        return copied;
    }

    // ---- time

    /// A moment to come back to. A plain value: dropping it does nothing.
    class Mark {
        friend class Arena;
        const Arena* arena_;
        detail::Chunk* current_;
        detail::Chunk* last_;
        std::byte* low_;
        std::byte* high_;
        std::size_t cleanups_;
        std::uint64_t region_;
        std::size_t resets_;
    };

    /// After it, blocks that exist now neither grow in place nor are reclaimed: rewinding would cut them in two.
    [[nodiscard]] constexpr Mark mark() noexcept;

    /// Everything made since the mark is destroyed and its bytes are free. The mark may be used again.
    ///
    /// Requires: the mark is this arena's, nothing older has been rewound or reset since, and no Region opened before
    ///           it has been closed or after it is open (checked as far as it can be seen).
    /// Cost:     O(destructors run + chunks left).
    constexpr void rewind(const Mark& mark) noexcept;

    /// Empties the arena and keeps every chunk, the largest first.
    ///
    /// Requires: no Region is open (checked).
    constexpr void reset() noexcept;

    /// Returns retained chunks to the source, except what `percent` of the last 16 cycles between resets needed.
    ///
    /// Returns:  bytes returned.
    std::size_t trim(unsigned percent = 90) noexcept { return chain_.trim(history_.percentile(percent)); }

    /// Empties the arena and returns every chunk to the source.
    constexpr void release() noexcept;

    // ---- facts

    /// Whether the address lies in a chunk in use (not: in a live block, which an arena does not know).
    [[nodiscard]] bool owns(const void* address) const noexcept;
    [[nodiscard]] ArenaStats stats() const noexcept;
    /// Calls `visit(const ArenaChunk&)` for each chunk: those in use, the oldest first, then those kept for later.
    template <class Visit>
    void for_each_chunk(Visit visit) const;
    /// What the last nullptr meant: limit_reached, out_of_memory or overflow.
    [[nodiscard]] constexpr Errc why_refused() const noexcept { return chain_.why_refused(); }
    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    friend class Region;

    // Where poisoning is seen, blocks keep 8 poisoned bytes between them, so that one byte too far is one fault.
    static constexpr std::size_t kFenceBytes = kPoisoning ? 8 : 0;
    static constexpr std::size_t kLeastAlignment = kPoisoning ? 8 : 1;

    [[nodiscard]] static std::uintptr_t address(const std::byte* at) noexcept { return reinterpret_cast<std::uintptr_t>(at); }
    [[nodiscard]] static constexpr std::size_t at_least(std::size_t a, std::size_t b) noexcept { return a < b ? b : a; }

    /// What a block takes out of a chunk. Never 0, so that no two blocks share an address.
    [[nodiscard]] static constexpr std::size_t occupied(std::size_t size) noexcept {
        const std::size_t least_one = size + (size == 0 ? 1U : 0U);  // two instructions where a maximum is three
        return align_up(least_one, kLeastAlignment) + kFenceBytes;
    }
    /// An alignment is never 0, which the compiler cannot know.
    [[nodiscard]] static constexpr std::size_t block_alignment(std::size_t alignment) noexcept {
        return kLeastAlignment == 1 ? alignment : at_least(alignment, kLeastAlignment);
    }

    /// Where `high` would be after taking this block from it.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uintptr_t high_after(Layout layout) const noexcept {
        return align_down(address(high_) - occupied(layout.size), block_alignment(layout.alignment));
    }

    /// Where a block with this layout would begin at the low end, and where `low` would be after it.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uintptr_t low_start(Layout layout) const noexcept {
        return align_up(address(low_), block_alignment(layout.alignment));
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uintptr_t low_after(Layout layout) const noexcept {
        return low_start(layout) + occupied(layout.size);
    }

    /// Sizes that the compiler knows: the difference is signed, so that an arena without a chunk (low = high = 0) is full
    /// instead of endless; it cannot wrap for sizes up to half the largest. Others: what the block takes is compared with what
    /// is there, which cannot wrap for any valid layout, and leaves out a branch.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool has_room(Layout layout) const noexcept {
        if (__builtin_constant_p(layout.size) != 0 && layout.size <= Layout::kLargestSize / 2) {
            return HEAPWRIGHT_LIKELY(static_cast<std::ptrdiff_t>(address(high_) - low_after(layout)) >= 0);
        }
        return HEAPWRIGHT_LIKELY(low_after(layout) - address(low_) <= address(high_) - address(low_));
    }

    HEAPWRIGHT_ALWAYS_INLINE void* take_low(Layout layout) noexcept {
        // Not `low_ + ...`, for which compilers subtract what they have just added.
        auto* const block = reinterpret_cast<std::byte*>(low_start(layout));
        low_ = block + occupied(layout.size);
        unpoison(block, layout.size);
        return block;
    }

    HEAPWRIGHT_ALWAYS_INLINE void* take_high(Layout layout) noexcept {
        high_ -= address(high_) - high_after(layout);
        unpoison(high_, layout.size);
        return high_;
    }

    template <class Pointer>
    static constexpr Pointer or_stop(Pointer pointer) noexcept {
        stop_unless(pointer != nullptr);
        return pointer;
    }
    static constexpr void stop_unless(bool has_memory) noexcept {
        HEAPWRIGHT_CHECK(has_memory, "out of memory: the arena's limit or source refused; call the try_ form to go on without");
    }

    /// Two words and not a Layout: g++ would keep the whole of one in memory for it on the usual way.
    void* allocate_low_slow(std::size_t size, std::size_t alignment) noexcept;
    void* allocate_slow(Layout layout, void* (Arena::*take)(Layout) noexcept) noexcept;
    [[nodiscard]] bool is_last_low(const std::byte* block, std::size_t size) const noexcept;
    void enter(detail::Chunk* chunk) noexcept;
    void leave() noexcept;
    void restart_chunk() noexcept;
    constexpr void run_cleanups(std::size_t keep) noexcept;
    constexpr void adopt(detail::Cleanup* cleanup) noexcept;
    [[nodiscard]] std::size_t used_bytes() const noexcept;
    void note_peak() noexcept;
    [[nodiscard]] constexpr bool take_constant(Layout layout) noexcept;

    // Written by every block.
    std::byte* low_ = nullptr;
    std::byte* high_ = nullptr;
    // Written by marks and by objects with destructors.
    std::byte* fence_low_ = nullptr;
    std::byte* fence_high_ = nullptr;
    detail::Cleanup* cleanups_ = nullptr;
    std::size_t cleanup_count_ = 0;
    // Written once per chunk or less.
    detail::Chunk* current_ = nullptr;
    std::size_t left_used_bytes_ = 0;
    std::size_t peak_used_bytes_ = 0;
    std::size_t cycle_peak_bytes_ = 0;
    std::uint64_t open_region_ = 0;     // serial of the innermost open Region, 0: none
    std::uint64_t regions_opened_ = 0;  // serials are never used again
    detail::ChunkChain chain_;
    detail::UseHistory history_;
};

static_assert(BlockSource<Arena>);

/// A stretch of an arena's life: what is made while it is open ends with it.
///
/// Requires: closed in the reverse order of opening, as scopes do (checked).
/// Example:  `{ Region region{arena}; parse(arena); }`
class Region {
public:
    constexpr explicit Region(Arena& arena) noexcept;
    Region(const Region&) = delete;
    Region& operator=(const Region&) = delete;
    constexpr ~Region();

private:
    Arena& arena_;
    std::byte* outer_fence_low_;
    std::byte* outer_fence_high_;
    Arena::Mark mark_;
    std::uint64_t outer_;  // serial of the region around this one
    std::uint64_t serial_;
};

}  // namespace heapwright

#include <heapwright/alloc/arena/detail/arena_impl.hpp>
#include <heapwright/alloc/arena/detail/arena_objects_impl.hpp>
