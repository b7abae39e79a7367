// Blocks of any size in constant time, cut from regions of memory that the caller gives: with or without an OS.
//
//   request ──► class by size ──► two looks at bits ──► a free block ──► split, the rest goes back into its list
//   free    ──► join with the free neighbours on both sides ──► into the list of its size
//
// Nothing is searched and nothing is looped over: the worst case is the usual case, whatever the heap went through.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include <heapwright/alloc/tlsf/detail/free_lists.hpp>
#include <heapwright/alloc/tlsf/detail/misuse.hpp>
#include <heapwright/alloc/tlsf/detail/tlsf_block.hpp>
#include <heapwright/base/block_source.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/base/poison.hpp>

namespace heapwright {

struct TlsfOptions {
    std::size_t region_bytes =
        std::size_t{1} << 20;       // asked of the source at one time: more for a larger block, at most what the heap holds
    std::size_t spare_regions = 1;  // empty ones of the source kept for later; the others go back at once
};

struct TlsfStats {
    std::size_t live_blocks;
    std::size_t used_bytes;       // in live blocks with their headers
    std::size_t peak_used_bytes;  // at one time
    std::size_t free_bytes;       // in free blocks
    std::size_t largest_free_bytes;
    std::size_t owned_bytes;  // of all regions
    std::size_t regions;
    std::size_t refusals;  // requests that were answered with nullptr
    /// External fragmentation: how much of the free memory lies outside the largest free run, in thousandths. 0 when there
    /// is no free memory, or when it is in one piece.
    std::size_t fragmentation_permille;
};

/// A heap of blocks smaller than 2^LargestBits bytes. FineBits says how finely sizes are told apart: more is denser, and
/// the heap's own size is about 2^FineBits words for each power of two up to the largest.
///
///   T1  a region's blocks follow each other from its first one to its end mark
///   T2  no two neighbours are free; a block knows whether the one before it is; a free one's footer holds its size
///   T3  every free block is in the list of its class, and lists, links and bits agree
///   T4  live blocks and their bytes add up
///
/// It stays where it was made, so that whatever stands on it may keep its address. Blocks end with the heap.
/// Thread safety: one thread at a time.
template <unsigned LargestBits, unsigned FineBits>
class BasicTlsf {
    using Block = detail::TlsfBlock;
    using Region = detail::TlsfRegion;
    using Lists = detail::FreeLists<LargestBits, FineBits>;
    using Found = typename Lists::Found;

public:
    /// What every block is aligned to; stricter alignments cost a split.
    static constexpr std::size_t kAlignment = Block::kWord;
    /// The largest size that can be asked for.
    static constexpr std::size_t kLargestBytes = Lists::kBeyondBytes - 2 * Block::kWord;
    /// What a region loses to the heap; a region must be larger by at least 4 words.
    static constexpr std::size_t kRegionOverheadBytes = sizeof(Region) + Region::kEndBytes;

    /// A heap without memory: add_region gives it some.
    ///
    /// Example: `Tlsf heap; heap.add_region(buffer); void* block = heap.try_allocate({100, 8});`
    constexpr BasicTlsf() noexcept = default;
    /// As above, and when its regions are full it takes more from the source.
    explicit BasicTlsf(SourceRef source, TlsfOptions options = {}) noexcept : source_(source), options_(options) {}
    BasicTlsf(const BasicTlsf&) = delete;
    BasicTlsf& operator=(const BasicTlsf&) = delete;
    ~BasicTlsf();

    // ---- regions

    /// How large a region must be so that nothing is ever refused while at most `live_blocks` blocks are live, none of them asked
    /// for with more than `largest_bytes`, and all together with `live_bytes`, whatever was taken and freed before.
    ///
    /// Two free blocks never lie side by side, so there is at most one for each live block and one more; and a request is refused
    /// only when each of them is smaller than it, rounded up to the next class. The sum of both is what can be lost.
    /// Requires: alignments up to kAlignment, and one region. Returns: SIZE_MAX when no number says it.
    /// Example:  `static std::byte memory[SmallTlsf::sufficient_bytes(8'000, 100, 512)];`
    [[nodiscard]] static constexpr std::size_t sufficient_bytes(std::size_t live_bytes, std::size_t live_blocks,
                                                                std::size_t largest_bytes) noexcept;

    /// Gives the heap this memory to cut blocks from. It need not be aligned; what alignment costs is left unused.
    ///
    /// Requires: the memory outlives the heap or its removal, and nobody else uses it.
    /// Fails:    invalid_argument when it is too small for a block, 2^LargestBits or more, or overlaps a region that is here.
    /// Cost:     O(regions).
    [[nodiscard]] Result<void> add_region(std::span<std::byte> memory) noexcept;

    /// Takes a region away again, by any address in it.
    ///
    /// Returns:  false when there is no such region, or a block of it is live; then nothing changed.
    /// Cost:     O(regions).
    [[nodiscard]] bool remove_region(const void* inside) noexcept;

    // ---- blocks

    /// Returns:  a block, aligned; nullptr when no region has room and the source refuses, and then nothing changed.
    /// Cost:     O(1), without a loop; but for what the source takes, if there is one.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* try_allocate(Layout layout) noexcept {
        HEAPWRIGHT_ASSERT(layout.is_valid(), "a layout's alignment must be a power of two and its size in range");
        if (HEAPWRIGHT_UNLIKELY(layout.size > kLargestBytes - kFenceBytes) || HEAPWRIGHT_UNLIKELY(layout.alignment > kAlignment)) {
            return allocate_aligned(layout);
        }
        return allocate_usual(layout.size);
    }

    /// As try_allocate, for callers that cannot go on without.
    ///
    /// Requires: there is room (checked).
    [[nodiscard]] void* allocate(Layout layout) noexcept {
        void* const block = try_allocate(layout);
        HEAPWRIGHT_CHECK(block != nullptr, "out of memory: no region of the heap has room; call try_allocate to go on without");
        return block;
    }

    /// The whole block is the caller's, so what was rounded up need not be lost.
    [[nodiscard]] SizedBlock try_allocate_at_least(Layout layout) noexcept;

    /// Takes a block back and joins it with its free neighbours.
    ///
    /// Requires: it is one of this heap's live blocks (checked as far as its header can tell: a second free stops here).
    /// Cost:     O(1), without a loop; an empty region of the source may go back.
    void deallocate(void* memory) noexcept;
    /// The same, and checks that the block can have been asked for with this size.
    HEAPWRIGHT_ALWAYS_INLINE void deallocate(void* block, Layout layout) noexcept {
        if (HEAPWRIGHT_UNLIKELY(block_of(block)->usable_bytes() < layout.size)) {
            refuse_size(block, layout.size);
        }
        deallocate(block);
    }

    /// Grows or shrinks in place. Growing needs free memory right behind the block.
    ///
    /// Cost:     O(1).
    [[nodiscard]] bool try_expand(void* memory, Layout layout, std::size_t new_size) noexcept;

    /// Resizes in place where possible, else copies.
    ///
    /// Returns:  where the contents are now; nullptr when refused, and then `block` is as it was.
    /// Cost:     O(1) in place, else O(size).
    [[nodiscard]] void* try_reallocate(void* block, Layout layout, std::size_t new_size) noexcept;

    /// What the block may use: at least what was asked for.
    [[nodiscard]] static std::size_t usable_size(const void* block) noexcept { return Block::of(block)->usable_bytes() - kFenceBytes; }

    // ---- facts

    /// Whether the address lies in a region.
    ///
    /// Cost:     O(regions).
    [[nodiscard]] bool owns(const void* address) const noexcept { return region_of(address) != nullptr; }

    /// Calls `visit(const void* memory, std::size_t usable_bytes, bool is_live)` for each block, region by region.
    ///
    /// Requires: `visit` neither allocates nor frees.
    template <class Visit>
    void for_each_block(Visit visit) const {
        for (Region* region = regions_; region != nullptr; region = region->next) {
            for (Block* block = region->first(); block != region->end_mark(); block = block->at(block->bytes())) {
                visit(static_cast<const void*>(block->memory()), block->usable_bytes(), !block->is_free());
            }
        }
    }

    /// Cost:     O(regions + blocks in the list of the largest).
    [[nodiscard]] TlsfStats stats() const noexcept;
    /// What the last nullptr meant: overflow when no heap of this type holds such a block, else out_of_memory.
    [[nodiscard]] Errc why_refused() const noexcept { return why_refused_; }
    /// The name of the first invariant that does not hold, or nullptr. Walks every block; a damaged header is found and not followed.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    // Where poisoning is seen, blocks keep 8 poisoned bytes at their end, so that one byte too far is one fault.
    static constexpr std::size_t kFenceBytes = kPoisoning ? 8 : 0;

    [[nodiscard]] static constexpr std::size_t bytes_for(std::size_t size) noexcept {
        const std::size_t bytes = align_up(size + Block::kWord + kFenceBytes, Block::kWord);
        return bytes < Block::kLeastBytes ? Block::kLeastBytes : bytes;
    }

    /// Where poisoning is seen, a header may have become the poisoned inside of a larger free block.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static Block* block_of(void* memory) noexcept {
        if (kPoisoning && is_poisoned(Block::of(memory), Block::kWord)) {
            detail::refuse_freed_heap_block(memory);
        }
        return Block::of(memory);
    }
    [[nodiscard]] void* allocate_usual(std::size_t size) noexcept;
    [[nodiscard]] void* allocate_aligned(Layout layout) noexcept;
    [[nodiscard]] void* give(Block* block, std::size_t bytes, std::size_t size) noexcept;
    [[nodiscard]] Found find_slow(std::size_t bytes) noexcept;
    [[nodiscard]] static Block* cut(Block* block, std::size_t bytes, std::size_t rest_bytes) noexcept;
    static void write_free(Block* block, std::size_t bytes) noexcept;
    void release_tail(Block* block, std::size_t bytes) noexcept;
    [[nodiscard]] bool take_from_source(std::size_t bytes) noexcept;
    void enter_region(Region* region, std::size_t bytes, std::size_t from_source) noexcept;
    void leave_region(Region* region) noexcept;
    void region_emptied(Region* region) noexcept;
    [[nodiscard]] Region* region_of(const void* address) const noexcept;
    [[nodiscard]] const char* broken_region(const Region* region, std::size_t* live, std::size_t* used, std::size_t* free) const noexcept;
    [[noreturn]] HEAPWRIGHT_COLD static void refuse(void* block) noexcept;
    [[noreturn]] HEAPWRIGHT_COLD static void refuse_size(void* block, std::size_t size) noexcept;

    void count_given(std::size_t bytes) noexcept {
        used_bytes_ += bytes;
        peak_used_bytes_ = peak_used_bytes_ < used_bytes_ ? used_bytes_ : peak_used_bytes_;
    }

    std::size_t used_bytes_ = 0;
    std::size_t peak_used_bytes_ = 0;
    std::size_t live_blocks_ = 0;
    Lists lists_;
    Region* regions_ = nullptr;
    std::size_t refusals_ = 0;
    SourceRef source_;
    TlsfOptions options_;
    Errc why_refused_ = Errc::out_of_memory;
};

/// For any machine: blocks beyond 4 GiB where addresses have 64 bits; the heap itself takes 10 KiB there, 3 KiB on 32 bits.
using Tlsf = BasicTlsf<(sizeof(void*) == 8 ? 47 : 31), 5>;
/// For 64 KiB in one piece: the heap itself takes less than 900 bytes, on 32 bits less than half a KiB.
using SmallTlsf = BasicTlsf<17, 3>;

static_assert(BlockSource<Tlsf> && BlockSource<SmallTlsf>);
static_assert(sizeof(SmallTlsf) < 1024);

}  // namespace heapwright

#include <heapwright/alloc/tlsf/detail/tlsf_impl.hpp>
#include <heapwright/alloc/tlsf/detail/tlsf_regions_impl.hpp>
