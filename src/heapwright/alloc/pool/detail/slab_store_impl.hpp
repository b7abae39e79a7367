// The bodies of SlabStore: what happens once per magazine, once per slab, or never in a correct program.
// Included at the end of the header that declares them, and nowhere else.
#pragma once

#include <new>

namespace heapwright::detail {

inline SlabStore::SlabStore(Layout block, SourceRef source, std::size_t slab_bytes, std::size_t spare_bytes) noexcept
    : geometry_(make_geometry(slot_layout(block), slab_bytes)),
      block_bytes_(is_power_of_two(block.alignment) ? align_up(block.size == 0 ? 1 : block.size, block.alignment) : 0),
      directory_(source),
      alignment_(block.alignment),
      spare_bytes_(spare_bytes),
      source_(source) {
    slab_mask_ = ~(geometry_.slab_bytes - 1);
}

inline SlabStore::~SlabStore() {
    while (all_.first != nullptr) {
        give_back(all_.first);
    }
}

// ---- giving

HEAPWRIGHT_NOINLINE inline std::size_t SlabStore::take(std::byte** blocks, SlotState** states, std::size_t count) noexcept {
    if (!choose_home()) {
        return 0;
    }
    const std::size_t taken = count < home_->free_slots(geometry_) ? count : home_->free_slots(geometry_);
    std::size_t left = taken;
    for (std::uint32_t at = home_->lowest_word; left > 0; ++at) {
        std::uint64_t free = home_->free_words(geometry_)[at];
        for (; free != 0 && left > 0; free &= free - 1) {
            const std::size_t index = std::size_t{at} * 64 + static_cast<std::size_t>(__builtin_ctzll(free));
            blocks[--left] = home_->slot(index, geometry_);
            if (states != nullptr) {
                states[left] = home_->states() + index;
            }
        }
        home_->free_words(geometry_)[at] = free;
        home_->lowest_word = at;
    }
    home_->outstanding += static_cast<std::uint32_t>(taken);
    outstanding_blocks_ += taken;
    return taken;
}

inline bool SlabStore::choose_home() noexcept {
    if (home_ != nullptr && home_->free_slots(geometry_) > 0) {
        return true;
    }
    PoolSlab* next = partial_.first;
    if (next != nullptr) {
        remove(partial_, next);
        next->is_listed = false;
    } else if (spare_.last != nullptr) {
        next = spare_.last;  // the one emptied last is the warmest
        remove(spare_, next);
        --spare_slabs_;
    } else {
        next = make_slab();
        if (next == nullptr) {
            return false;
        }
    }
    retire_home();
    home_ = next;
    home_->outstanding |= PoolSlab::kHome;  // never emptied, so that a pair at the brink does not move slabs about
    note_busy(home_);
    return true;
}

inline void SlabStore::retire_home() noexcept {
    PoolSlab* const old = home_;
    home_ = nullptr;
    if (old == nullptr) {
        return;
    }
    old->outstanding &= ~PoolSlab::kHome;
    old->check_in = 1;
    if (old->outstanding <= PoolSlab::kFew) {
        busy_.drop(reinterpret_cast<std::uintptr_t>(old));
    }
    if (old->outstanding == 0) {
        slab_emptied(old);
    } else if (old->free_slots(geometry_) > 0) {
        append(partial_, old);
        old->is_listed = true;
    }
}

inline PoolSlab* SlabStore::make_slab() noexcept {
    if (!is_usable()) {
        return nullptr;
    }
    const Layout layout{.size = geometry_.slab_bytes, .alignment = geometry_.slab_bytes};
    void* const memory = source_.try_allocate(layout);
    if (memory == nullptr) {
        return nullptr;
    }
    if (!directory_.insert(reinterpret_cast<std::uintptr_t>(memory))) {
        source_.deallocate(memory, layout);
        return nullptr;
    }
    auto* const slab = ::new (memory) PoolSlab{};
    slab->free_all(geometry_);
    poison(slab->slot(geometry_.first_index, geometry_), geometry_.usable_slots() * geometry_.slot_bytes);
    slab->all_previous = all_.last;
    (all_.last == nullptr ? all_.first : all_.last->all_next) = slab;
    all_.last = slab;
    return slab;
}

// ---- taking back

HEAPWRIGHT_NOINLINE inline bool SlabStore::put(PoolSlab* slab, std::size_t index) noexcept {
    slab->free_words(geometry_)[index / 64] |= bit_of(index);
    const auto word = static_cast<std::uint32_t>(index / 64);
    slab->lowest_word = word < slab->lowest_word ? word : slab->lowest_word;
    --outstanding_blocks_;
    --slab->outstanding;
    if (slab->outstanding == 0) {
        slab_emptied(slab);
        return false;
    }
    if (slab->outstanding == PoolSlab::kFew) {
        slab->check_in = 1;
        busy_.drop(reinterpret_cast<std::uintptr_t>(slab));
    }
    if (!slab->is_listed && slab != home_) {
        append(partial_, slab);
        slab->is_listed = true;
    }
    return true;
}

inline void SlabStore::slab_emptied(PoolSlab* slab) noexcept {
    if (slab->is_listed) {
        remove(partial_, slab);
        slab->is_listed = false;
    }
    if ((spare_slabs_ + 1) * geometry_.slab_bytes <= spare_bytes_) {
        append(spare_, slab);
        ++spare_slabs_;
    } else {
        give_back(slab);
    }
}

inline void SlabStore::give_back(PoolSlab* slab) noexcept {
    directory_.erase(reinterpret_cast<std::uintptr_t>(slab));
    (slab->all_previous == nullptr ? all_.first : slab->all_previous->all_next) = slab->all_next;
    (slab->all_next == nullptr ? all_.last : slab->all_next->all_previous) = slab->all_previous;
    unpoison(slab, geometry_.slab_bytes);  // the next owner of these addresses knows nothing of us
    source_.deallocate(slab, {.size = geometry_.slab_bytes, .alignment = geometry_.slab_bytes});
}

inline void SlabStore::release_all() noexcept {
    outstanding_blocks_ = 0;
    home_ = nullptr;
    partial_ = {};
    spare_ = {};
    spare_slabs_ = 0;
    busy_.clear();
    for (PoolSlab* slab = all_.first; slab != nullptr;) {
        PoolSlab* const next = slab->all_next;
        slab->free_all(geometry_);
        poison(slab->slot(geometry_.first_index, geometry_), geometry_.usable_slots() * geometry_.slot_bytes);
        slab_emptied(slab);
        slab = next;
    }
}

inline std::size_t SlabStore::trim() noexcept {
    const std::size_t before = directory_.count();
    retire_home();
    while (spare_.first != nullptr) {
        PoolSlab* const slab = spare_.first;
        remove(spare_, slab);
        --spare_slabs_;
        give_back(slab);
    }
    return (before - directory_.count()) * geometry_.slab_bytes;
}

HEAPWRIGHT_COLD inline void SlabStore::refuse(const void* block) const noexcept {
    const auto [slab, index] = place_of(block);
    const std::size_t offset = offset_in(slab, block);
    if (index < geometry_.first_index || index >= geometry_.end_index) {
        refuse_foreign_block(block, block_bytes_);  // the slab's own header or its unused end
    }
    if (index * geometry_.slot_bytes != offset) {
        refuse_interior_block(block, offset - index * geometry_.slot_bytes, block_bytes_);
    }
    if (slab->states()[index] == SlotState::never_given) {
        refuse_never_given(block, block_bytes_);
    }
    refuse_double_free(block, block_bytes_);
}

inline void SlabStore::append(List& list, PoolSlab* slab) noexcept {
    slab->previous = list.last;
    slab->next = nullptr;
    (list.last == nullptr ? list.first : list.last->next) = slab;
    list.last = slab;
}

inline void SlabStore::remove(List& list, PoolSlab* slab) noexcept {
    (slab->previous == nullptr ? list.first : slab->previous->next) = slab->next;
    (slab->next == nullptr ? list.last : slab->next->previous) = slab->previous;
}

// ---- facts

inline bool SlabStore::is_live(const void* block) const noexcept {
    PoolSlab* const slab = slab_of(block);
    if (!is_usable() || !directory_.contains(reinterpret_cast<std::uintptr_t>(slab))) {
        return false;
    }
    const SlotGeometry::Slot slot = slot_in(slab, block);
    return slot.is_start && slab->states()[slot.index] == SlotState::live;
}

template <class Visit>
void SlabStore::for_each_live(Visit visit) const {
    for (PoolSlab* slab = all_.first; slab != nullptr; slab = slab->all_next) {
        for (std::size_t word = 0; word < geometry_.word_count; ++word) {
            for (std::uint64_t live = slab->live_word(word, geometry_); live != 0; live &= live - 1) {
                visit(static_cast<void*>(slab->slot(word * 64 + static_cast<std::size_t>(__builtin_ctzll(live)), geometry_)));
            }
        }
    }
}

inline const char* SlabStore::broken_slab(const PoolSlab* slab) const noexcept {
    std::size_t free = 0;
    for (std::size_t at = 0; at < geometry_.word_count; ++at) {
        const std::uint64_t word = slab->free_words(geometry_)[at];
        if ((word & ~geometry_.slots_of_word(at)) != 0) {
            return "S1: what is no slot is free";
        }
        if (word != 0 && at < slab->lowest_word) {
            return "S1: a free slot lies before the lowest word";
        }
        free += count_bits(word);
    }
    for (std::size_t index = 0; index <= geometry_.end_index; ++index) {
        const bool is_slot = geometry_.first_index <= index && index < geometry_.end_index;
        if (slab->states()[index] == SlotState::live && (!is_slot || (slab->free_words(geometry_)[index / 64] & bit_of(index)) != 0)) {
            return "S1: a slot is live and free at once, or is no slot";
        }
    }
    if (slab->free_slots(geometry_) != free || (slab == home_) != ((slab->outstanding & PoolSlab::kHome) != 0)) {
        return "S1: a slab has lost count of its slots";
    }
    return slab->is_listed == (free > 0 && slab != home_ && slab->outstanding > 0)
               ? nullptr
               : "S2: a slab with free slots is not listed, or one without is";
}

inline const char* SlabStore::broken_invariant() const noexcept {
    std::size_t outstanding = 0;
    std::size_t slabs = 0;
    std::size_t empty = 0;
    for (const PoolSlab* slab = all_.first; slab != nullptr; slab = slab->all_next) {
        if (const char* broken = broken_slab(slab)) {
            return broken;
        }
        if (!directory_.contains(reinterpret_cast<std::uintptr_t>(slab))) {
            return "S5: a slab is not in the directory";
        }
        outstanding += geometry_.usable_slots() - slab->free_slots(geometry_);
        empty += slab->outstanding == 0 ? 1U : 0U;
        ++slabs;
    }
    if (empty != spare_slabs_ || spare_slabs_ * geometry_.slab_bytes > spare_bytes_) {
        return "S3: an empty slab is no spare, or there are too many spares";
    }
    if (outstanding != outstanding_blocks_) {
        return "S4: the blocks outside the slabs do not add up";
    }
    if (slabs != directory_.count()) {
        return "S5: the directory holds what is no slab";
    }
    if (has_wrong_busy_slab()) {
        return "S6: a busy slab is none of the store's, or has few slots outstanding";
    }
    return directory_.broken_invariant();
}

inline bool SlabStore::has_wrong_busy_slab() const noexcept {
    bool is_wrong = false;
    busy_.for_each([&](std::uintptr_t slab) {
        is_wrong = is_wrong || !directory_.contains(slab) || reinterpret_cast<const PoolSlab*>(slab)->outstanding <= PoolSlab::kFew;
    });
    return is_wrong;
}

inline bool SlabStore::has_dead_slab() const noexcept {
    for (const PoolSlab* slab = all_.first; slab != nullptr; slab = slab->all_next) {
        bool is_dead = slab != home_ && slab->outstanding > 0;
        for (std::size_t index = geometry_.first_index; index < geometry_.end_index && is_dead; ++index) {
            is_dead = slab->states()[index] != SlotState::live;
        }
        if (is_dead) {
            return true;
        }
    }
    return false;
}

}  // namespace heapwright::detail
