// The slabs of a pool: made, filled, emptied and given back. What stands in front of them is the pool's business.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/pool/detail/busy_slabs.hpp>
#include <heapwright/alloc/pool/detail/misuse.hpp>
#include <heapwright/alloc/pool/detail/pool_slab.hpp>
#include <heapwright/alloc/pool/detail/slab_directory.hpp>
#include <heapwright/base/block_source.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/base/poison.hpp>

namespace heapwright::detail {

/// Slots of one size, given lowest first.
///
///   S1  in each slab no slot is live and free at once, only slots are either, and outstanding counts those not free
///   S2  a slab is listed if it has a free slot, is not home, and has a slot that is not free
///   S3  a slab whose slots are all free is home or a spare, and spares are no more than spare_bytes allow
///   S4  outstanding_blocks is the sum over the slabs
///   S5  the directory holds the slabs and nothing else
///   S6  a busy slab is a slab that is home or has more than PoolSlab::kFew slots outstanding
///
/// Thread safety: one thread at a time; any thread for try_locate(), which reads what does not change and the directory.
class SlabStore {
public:
    SlabStore(Layout block, SourceRef source, std::size_t slab_bytes, std::size_t spare_bytes) noexcept;
    SlabStore(const SlabStore&) = delete;
    SlabStore& operator=(const SlabStore&) = delete;
    ~SlabStore();

    /// Where a block of this store lies. Not checked.
    struct Place {
        PoolSlab* slab;
        std::size_t index;
    };
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Place place_of(const void* block) const noexcept {
        PoolSlab* const slab = slab_of(block);
        return {.slab = slab, .index = geometry_.index_of(offset_in(slab, block))};
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE PoolSlab* slab_of(const void* block) const noexcept {
        return reinterpret_cast<PoolSlab*>(reinterpret_cast<std::uintptr_t>(block) & slab_mask_);
    }

    /// As place_of, but the address may be anything: the slab is nullptr if it is in no slab of this store. Stops the
    /// program if it is in one, but not where a slot begins.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Place try_locate(const void* block) const noexcept {
        PoolSlab* const slab = slab_of(block);
        if (HEAPWRIGHT_UNLIKELY(!directory_.contains(reinterpret_cast<std::uintptr_t>(slab)))) {
            return {.slab = nullptr, .index = 0};
        }
        if (slab == nullptr) {
            __builtin_unreachable();  // no slab lies at address 0, so that callers need not look again
        }
        const SlotGeometry::Slot slot = slot_in(slab, block);
        if (HEAPWRIGHT_UNLIKELY(!slot.is_start)) {
            refuse(block);
        }
        return {.slab = slab, .index = slot.index};
    }
    /// Where the address lies in a slab. Requires: it does.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE SlotGeometry::Slot slot_in(const PoolSlab* slab, const void* block) const noexcept {
        return geometry_.slot_at(offset_in(slab, block));
    }

    /// Whether it is a slab of this store, and not among those that a free may leave without a live slot. A slab that is not
    /// busy by this may have been displaced only: note_busy() brings it back.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool is_busy(const PoolSlab* slab) const noexcept {
        return busy_.contains(reinterpret_cast<std::uintptr_t>(slab));
    }
    void note_busy(const PoolSlab* slab) noexcept {
        if (slab->outstanding > PoolSlab::kFew) {
            busy_.add(reinterpret_cast<std::uintptr_t>(slab));
        }
    }

    /// Says what is wrong with an address that try_locate() or the state of its slot refused, and stops the program.
    [[noreturn]] void refuse(const void* block) const noexcept;

    /// Writes up to `count` free slots, the lowest last, so that a stack of them gives the lowest first; and where the state
    /// of each is, if `states` is not nullptr.
    ///
    /// Returns:  how many; 0 when there is none and the source refuses.
    [[nodiscard]] std::size_t take(std::byte** blocks, SlotState** states, std::size_t count) noexcept;

    /// Returns:  false when the slab was emptied by this, and is now home, a spare or given back.
    bool put(PoolSlab* slab, std::size_t index) noexcept;

    /// Every slot of every slab is free again.
    void release_all() noexcept;
    /// Returns every slab to the source whose slots are all free. Returns: bytes.
    std::size_t trim() noexcept;
    /// Returns tables that a growing directory left behind. Requires: no other thread is in try_locate().
    void drop_retired() noexcept { directory_.drop_retired(); }

    [[nodiscard]] bool is_live(const void* block) const noexcept;
    [[nodiscard]] bool is_free(const PoolSlab* slab, std::size_t index) const noexcept {
        return (slab->free_words(geometry_)[index / 64] & bit_of(index)) != 0;
    }
    template <class Visit>
    void for_each_live(Visit visit) const;

    [[nodiscard]] std::size_t block_bytes() const noexcept { return block_bytes_; }
    [[nodiscard]] std::size_t alignment() const noexcept { return alignment_; }
    [[nodiscard]] bool is_usable() const noexcept { return geometry_.slab_bytes != 0; }
    [[nodiscard]] std::size_t slab_bytes() const noexcept { return geometry_.slab_bytes; }
    [[nodiscard]] std::size_t slab_slots() const noexcept { return geometry_.usable_slots(); }
    [[nodiscard]] std::size_t slabs() const noexcept { return directory_.count(); }
    [[nodiscard]] std::size_t spare_slabs() const noexcept { return spare_slabs_; }
    [[nodiscard]] std::size_t outstanding_blocks() const noexcept { return outstanding_blocks_; }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept;
    [[nodiscard]] bool has_wrong_busy_slab() const noexcept;
    /// Whether some slab has no live slot, though it is neither home nor a spare. For audits: O(slots).
    [[nodiscard]] bool has_dead_slab() const noexcept;

private:
    struct List {
        PoolSlab* first = nullptr;
        PoolSlab* last = nullptr;
    };

    // Where poisoning is seen, blocks keep 8 poisoned bytes between them, so that one byte too far is one fault.
    [[nodiscard]] static constexpr Layout slot_layout(Layout block) noexcept {
        const std::size_t alignment = kPoisoning && block.alignment < 8 ? 8 : block.alignment;
        return kPoisoning && block.size < Layout::kLargestSize / 2 ? Layout{.size = block.size + 8, .alignment = alignment}
                                                                   : Layout{.size = block.size, .alignment = alignment};
    }
    [[nodiscard]] static constexpr std::uint64_t bit_of(std::size_t index) noexcept { return std::uint64_t{1} << (index % 64); }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static std::size_t offset_in(const PoolSlab* slab, const void* block) noexcept {
        return reinterpret_cast<std::uintptr_t>(block) - reinterpret_cast<std::uintptr_t>(slab);
    }

    [[nodiscard]] bool choose_home() noexcept;
    [[nodiscard]] PoolSlab* make_slab() noexcept;
    void retire_home() noexcept;
    void slab_emptied(PoolSlab* slab) noexcept;
    void give_back(PoolSlab* slab) noexcept;
    void append(List& list, PoolSlab* slab) noexcept;
    void remove(List& list, PoolSlab* slab) noexcept;
    [[nodiscard]] const char* broken_slab(const PoolSlab* slab) const noexcept;

    // Read by every block, never written.
    std::uintptr_t slab_mask_;
    SlotGeometry geometry_;
    std::size_t block_bytes_;
    BusySlabs busy_;
    SlabDirectory directory_;
    // Written once per magazine or less.
    PoolSlab* home_ = nullptr;  // where blocks are taken from
    List partial_;              // slabs with free slots, the longest waiting first
    List spare_;                // slabs whose slots are all free
    List all_;                  // through all_previous and all_next
    std::size_t spare_slabs_ = 0;
    std::size_t outstanding_blocks_ = 0;
    std::size_t alignment_;
    std::size_t spare_bytes_;
    SourceRef source_;
};

}  // namespace heapwright::detail

#include <heapwright/alloc/pool/detail/slab_store_impl.hpp>
