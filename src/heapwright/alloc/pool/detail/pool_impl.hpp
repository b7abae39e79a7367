// The bodies of Pool that run once per magazine, once per slab, or never in a correct program.
// Included at the end of the header that declares them, and nowhere else.
#pragma once

namespace heapwright {

inline Pool::~Pool() {
    if (live_blocks() > 0 && options_.leaks == Leaks::refuse) {
        const void* first = nullptr;
        for_each_live([&](const void* block) { first = first == nullptr ? block : first; });
        detail::refuse_leak(live_blocks(), block_bytes(), first);
    }
}

HEAPWRIGHT_NOINLINE inline void* Pool::allocate_slow() noexcept { return refill() ? try_allocate() : nullptr; }

inline bool Pool::refill() noexcept {
    // The magazine is empty, so what is outstanding is live.
    const std::size_t room = options_.limit_blocks - store_.outstanding_blocks();
    const std::size_t taken = room == 0 ? 0 : store_.take(blocks_.data(), states_.data(), room < kRefill ? room : kRefill);
    if (taken == 0) {
        const Errc below = store_.is_usable() ? Errc::out_of_memory : Errc::invalid_argument;
        why_refused_ = room == 0 ? Errc::limit_reached : below;
        ++refusals_;
        return false;
    }
    in_magazine_ = taken;
    store_.drop_retired();
    peak_blocks_ = peak_blocks_ < store_.outstanding_blocks() ? store_.outstanding_blocks() : peak_blocks_;
    HEAPWRIGHT_AUDIT(*this);
    return true;
}

HEAPWRIGHT_NOINLINE inline void Pool::deallocate_slow(void* block) noexcept {
    if (!try_deallocate_slow(block)) {
        detail::refuse_foreign_block(block, block_bytes());
    }
}

HEAPWRIGHT_NOINLINE inline bool Pool::try_deallocate_slow(void* block) noexcept {
    const Place place = find_live(block);
    if (place.slab == nullptr) {
        return false;
    }
    take_back(place, block);
    return true;
}

/// Returns:  no slab for a foreign address; does not return when the block is none, or not live.
HEAPWRIGHT_NOINLINE inline Pool::Place Pool::find_live(const void* block) const noexcept {
    const Place place = store_.try_locate(block);
    if (place.slab != nullptr && HEAPWRIGHT_UNLIKELY(place.slab->states()[place.index] != detail::SlotState::live)) {
        store_.refuse(block);
    }
    return place;
}

/// The magazine is full: into the slab. Refuses a block that is not live.
HEAPWRIGHT_NOINLINE inline void Pool::put_past_magazine(Place place, void* block) noexcept {
    free_slot(place.slab->states() + place.index, block);
    poison(block, store_.block_bytes());
    if (store_.put(place.slab, place.index) && HEAPWRIGHT_UNLIKELY(place.slab->outstanding <= kMagazine)) {
        slab_nearly_empty(place.slab);
    }
}

/// Into the magazine where there is room, else into the slab; and looks after a slab that may have no live block left.
HEAPWRIGHT_NOINLINE inline void Pool::take_back(Place place, void* block) noexcept {
    detail::PoolSlab* const slab = place.slab;
    if (in_magazine_ == kMagazine) {
        put_past_magazine(place, block);
        return;
    }
    push(static_cast<std::byte*>(block), slab->states() + place.index);
    if (slab->outstanding <= kMagazine) {
        slab_nearly_empty(slab);
    } else {
        store_.note_busy(slab);
    }
}

inline void Pool::slab_nearly_empty(detail::PoolSlab* slab) noexcept {
    // The count below costs 64 looks; check_in says how many frees at least lie before the next one can matter.
    if (slab->check_in > 1) {
        --slab->check_in;
        return;
    }
    std::size_t waiting = 0;
    for (std::size_t at = 0; at < in_magazine_; ++at) {
        waiting += store_.slab_of(blocks_[at]) == slab ? 1U : 0U;
    }
    if (waiting < slab->outstanding) {
        slab->check_in = static_cast<std::uint32_t>(slab->outstanding - waiting);
        return;
    }
    empty_magazine_of(slab);
    HEAPWRIGHT_AUDIT(*this);  // on the slow ways only: after every free it would make programs quadratic
}

inline void Pool::empty_magazine_of(const detail::PoolSlab* slab) noexcept {
    std::size_t kept = 0;
    for (std::size_t at = 0; at < in_magazine_; ++at) {
        const auto place = store_.place_of(blocks_[at]);
        if (place.slab == slab) {
            store_.put(place.slab, place.index);
        } else {
            blocks_[kept] = blocks_[at];
            states_[kept++] = states_[at];
        }
    }
    in_magazine_ = kept;
}

inline void Pool::release_all() noexcept {
    in_magazine_ = 0;
    store_.release_all();
    HEAPWRIGHT_AUDIT(*this);
}

inline std::size_t Pool::trim() noexcept {
    for (; in_magazine_ > 0; --in_magazine_) {
        const auto [slab, index] = store_.place_of(blocks_[in_magazine_ - 1]);
        store_.put(slab, index);
    }
    const std::size_t returned_bytes = store_.trim();
    HEAPWRIGHT_AUDIT(*this);
    return returned_bytes;
}

inline PoolStats Pool::stats() const noexcept {
    PoolStats stats{};
    stats.block_bytes = block_bytes();
    stats.live_blocks = live_blocks();
    stats.peak_blocks = peak_blocks_;
    stats.slabs = store_.slabs();
    stats.free_blocks = stats.slabs * store_.slab_slots() - stats.live_blocks;
    stats.spare_slabs = store_.spare_slabs();
    stats.owned_bytes = stats.slabs * store_.slab_bytes();
    stats.refusals = refusals_;
    return stats;
}

inline const char* Pool::broken_invariant() const noexcept {
    for (std::size_t at = 0; at < in_magazine_; ++at) {
        const auto [slab, index] = store_.place_of(blocks_[at]);
        bool is_wrong = states_[at] != slab->states() + index || *states_[at] == detail::SlotState::live || store_.is_free(slab, index);
        for (std::size_t other = 0; other < at; ++other) {
            is_wrong = is_wrong || blocks_[other] == blocks_[at];
        }
        if (is_wrong) {
            return "P1: a block in the magazine is live, free in its slab, or there twice";
        }
    }
    if (store_.has_dead_slab()) {
        return "P2: a slab without live blocks is neither home nor spare";
    }
    if (in_magazine_ > store_.outstanding_blocks() || store_.outstanding_blocks() > options_.limit_blocks) {
        return "P3: the magazine holds more than is outstanding, or the limit is passed";
    }
    return store_.broken_invariant();
}

}  // namespace heapwright
