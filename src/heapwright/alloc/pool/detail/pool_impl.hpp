// The bodies of Pool that run once per magazine, once per slab, or never in a correct program.
#pragma once

#include <new>

#include <heapwright/alloc/pool/pool.hpp>

namespace heapwright {

inline Pool::Pool(Layout block, SourceRef source, PoolOptions options) noexcept
    : geometry_(detail::make_geometry(slot_layout(block), options.slab_bytes)),
      directory_(source),
      block_bytes_(is_power_of_two(block.alignment) ? align_up(block.size == 0 ? 1 : block.size, block.alignment) : 0),
      alignment_(block.alignment),
      options_(options),
      source_(source) {
    slab_mask_ = ~(geometry_.slab_bytes - 1);
}

inline Pool::~Pool() {
    const std::size_t live_blocks = outstanding_blocks_ - in_magazine_;
    if (live_blocks > 0 && options_.leaks == Leaks::refuse) {
        const void* first = nullptr;
        for_each_live([&](const void* block) { first = first == nullptr ? block : first; });
        detail::refuse_leak(live_blocks, block_bytes_, first);
    }
    while (all_.first != nullptr) {
        give_back(all_.first);
    }
}

// ---- filling the magazine

inline bool Pool::refuse_request(Errc why) noexcept {
    why_refused_ = why;
    ++refusals_;
    return false;
}

HEAPWRIGHT_NOINLINE inline bool Pool::refill() noexcept {
    if (outstanding_blocks_ >= options_.limit_blocks) {
        return refuse_request(Errc::limit_reached);
    }
    if (!choose_home()) {
        return false;
    }
    std::size_t blocks = options_.limit_blocks - outstanding_blocks_;
    blocks = blocks < kRefill ? blocks : kRefill;
    blocks = blocks < home_->free_slots(geometry_) ? blocks : home_->free_slots(geometry_);
    // The lowest slots, the lowest on top: what is allocated in a row lies in a row.
    std::size_t left = blocks;
    for (std::uint32_t at = home_->lowest_word; left > 0; ++at) {
        std::uint64_t free = home_->free_words(geometry_)[at];
        for (; free != 0 && left > 0; free &= free - 1) {
            const auto bit = static_cast<std::size_t>(__builtin_ctzll(free));
            magazine_[--left] = home_->slot(std::size_t{at} * 64 + bit, geometry_);
        }
        home_->free_words(geometry_)[at] = free;
        home_->lowest_word = at;
    }
    in_magazine_ = blocks;
    home_->outstanding += static_cast<std::uint32_t>(blocks);
    outstanding_blocks_ += blocks;
    peak_blocks_ = peak_blocks_ < outstanding_blocks_ ? outstanding_blocks_ : peak_blocks_;
    HEAPWRIGHT_AUDIT(*this);
    return true;
}

inline bool Pool::choose_home() noexcept {
    if (home_ != nullptr && home_->free_slots(geometry_) > 0) {
        return true;
    }
    detail::PoolSlab* next = partial_.first;
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
    home_->outstanding |= detail::PoolSlab::kHome;  // never emptied, so that a pair at the brink does not move slabs about
    return true;
}

inline void Pool::retire_home() noexcept {
    detail::PoolSlab* const old = home_;
    home_ = nullptr;
    if (old == nullptr) {
        return;
    }
    old->outstanding &= ~detail::PoolSlab::kHome;
    old->check_in = 1;
    if (old->outstanding == count_in_magazine(old)) {
        slab_emptied(old);
    } else if (old->free_slots(geometry_) > 0) {
        append(partial_, old);
        old->is_listed = true;
    }
}

inline detail::PoolSlab* Pool::make_slab() noexcept {
    if (geometry_.slab_bytes == 0) {
        static_cast<void>(refuse_request(Errc::invalid_argument));
        return nullptr;
    }
    const Layout layout{.size = geometry_.slab_bytes, .alignment = geometry_.slab_bytes};
    void* const memory = source_.try_allocate(layout);
    if (memory == nullptr) {
        static_cast<void>(refuse_request(Errc::out_of_memory));
        return nullptr;
    }
    if (!directory_.insert(reinterpret_cast<std::uintptr_t>(memory))) {
        source_.deallocate(memory, layout);
        static_cast<void>(refuse_request(Errc::out_of_memory));
        return nullptr;
    }
    auto* const slab = ::new (memory) detail::PoolSlab{};
    slab->free_all(geometry_);
    poison(slab->slot(geometry_.first_index, geometry_), geometry_.usable_slots() * geometry_.slot_bytes);
    slab->all_previous = all_.last;
    (all_.last == nullptr ? all_.first : all_.last->all_next) = slab;
    all_.last = slab;
    return slab;
}

// ---- taking blocks back

HEAPWRIGHT_NOINLINE inline void Pool::put_into_slab(detail::PoolSlab* slab, std::size_t index) noexcept {
    slab->free_words(geometry_)[index / 64] |= bit_of(index);
    --outstanding_blocks_;
    if (--slab->outstanding == kMagazine) {
        slab->check_in = 1;
    }
    const auto word = static_cast<std::uint32_t>(index / 64);
    slab->lowest_word = word < slab->lowest_word ? word : slab->lowest_word;
    if (!slab->is_listed && slab != home_) {
        append(partial_, slab);
        slab->is_listed = true;
    }
}

HEAPWRIGHT_NOINLINE inline void Pool::slab_nearly_empty(detail::PoolSlab* slab) noexcept {
    // The count below costs 64 looks; check_in says how many frees at least lie before the next one can matter.
    if (slab->check_in > 1) {
        --slab->check_in;
        return;
    }
    const std::size_t live = slab->outstanding - count_in_magazine(slab);
    if (live > 0) {
        slab->check_in = static_cast<std::uint32_t>(live);
        return;
    }
    slab_emptied(slab);
    HEAPWRIGHT_AUDIT(*this);  // on the slow ways only: after every free it would make programs quadratic
}

inline std::size_t Pool::count_in_magazine(const detail::PoolSlab* slab) const noexcept {
    std::size_t count = 0;
    for (std::size_t at = 0; at < in_magazine_; ++at) {
        count += slab_of(magazine_[at]) == slab ? 1U : 0U;
    }
    return count;
}

inline void Pool::slab_emptied(detail::PoolSlab* slab) noexcept {
    empty_magazine_of(slab);
    if (slab->is_listed) {
        remove(partial_, slab);
        slab->is_listed = false;
    }
    if ((spare_slabs_ + 1) * geometry_.slab_bytes <= options_.spare_bytes) {
        append(spare_, slab);
        ++spare_slabs_;
    } else {
        give_back(slab);
    }
}

inline void Pool::empty_magazine_of(const detail::PoolSlab* slab) noexcept {
    std::size_t kept = 0;
    for (std::size_t at = 0; at < in_magazine_; ++at) {
        std::byte* const block = magazine_[at];
        if (slab_of(block) == slab) {
            put_into_slab(slab_of(block), index_of(block));
        } else {
            magazine_[kept++] = block;
        }
    }
    in_magazine_ = kept;
}

inline void Pool::give_back(detail::PoolSlab* slab) noexcept {
    directory_.erase(reinterpret_cast<std::uintptr_t>(slab));
    (slab->all_previous == nullptr ? all_.first : slab->all_previous->all_next) = slab->all_next;
    (slab->all_next == nullptr ? all_.last : slab->all_next->all_previous) = slab->all_previous;
    unpoison(slab, geometry_.slab_bytes);  // the next owner of these addresses knows nothing of us
    source_.deallocate(slab, {.size = geometry_.slab_bytes, .alignment = geometry_.slab_bytes});
}

HEAPWRIGHT_COLD inline void Pool::refuse(const void* block) const noexcept {
    const std::size_t offset = offset_in(slab_of(block), block);
    const std::size_t index = geometry_.index_of(offset);
    if (index < geometry_.first_index || index >= geometry_.end_index) {
        detail::refuse_foreign_block(block, block_bytes_);  // the slab's own header or its unused end
    }
    if (index * geometry_.slot_bytes != offset) {
        detail::refuse_interior_block(block, offset - index * geometry_.slot_bytes, block_bytes_);
    }
    if (slab_of(block)->states()[index] == detail::SlotState::never_given) {
        detail::refuse_never_given(block, block_bytes_);
    }
    detail::refuse_double_free(block, block_bytes_);
}

inline void Pool::release_all() noexcept {
    in_magazine_ = 0;
    outstanding_blocks_ = 0;
    home_ = nullptr;
    partial_ = {};
    spare_ = {};
    spare_slabs_ = 0;
    for (detail::PoolSlab* slab = all_.first; slab != nullptr;) {
        detail::PoolSlab* const next = slab->all_next;
        slab->free_all(geometry_);
        poison(slab->slot(geometry_.first_index, geometry_), geometry_.usable_slots() * geometry_.slot_bytes);
        slab_emptied(slab);
        slab = next;
    }
    HEAPWRIGHT_AUDIT(*this);
}

inline std::size_t Pool::trim() noexcept {
    const std::size_t before = directory_.count();
    for (; in_magazine_ > 0; --in_magazine_) {
        std::byte* const block = magazine_[in_magazine_ - 1];
        put_into_slab(slab_of(block), index_of(block));
    }
    retire_home();
    while (spare_.first != nullptr) {
        detail::PoolSlab* const slab = spare_.first;
        remove(spare_, slab);
        --spare_slabs_;
        give_back(slab);
    }
    HEAPWRIGHT_AUDIT(*this);
    return (before - directory_.count()) * geometry_.slab_bytes;
}

inline void Pool::append(List& list, detail::PoolSlab* slab) noexcept {
    slab->previous = list.last;
    slab->next = nullptr;
    (list.last == nullptr ? list.first : list.last->next) = slab;
    list.last = slab;
}

inline void Pool::remove(List& list, detail::PoolSlab* slab) noexcept {
    (slab->previous == nullptr ? list.first : slab->previous->next) = slab->next;
    (slab->next == nullptr ? list.last : slab->next->previous) = slab->previous;
}

// ---- facts

inline bool Pool::owns(const void* block) const noexcept {
    detail::PoolSlab* const slab = slab_of(block);
    if (geometry_.slab_bytes == 0 || !directory_.contains(reinterpret_cast<std::uintptr_t>(slab))) {
        return false;
    }
    const std::size_t offset = offset_in(slab, block);
    const std::size_t index = geometry_.index_of(offset);
    return index * geometry_.slot_bytes == offset && slab->states()[index] == detail::SlotState::live;
}

template <class Visit>
void Pool::for_each_live(Visit visit) const {
    constexpr std::uint64_t kLiveBits = 0x0101'0101'0101'0101U;  // of eight states; only live ones are odd
    for (detail::PoolSlab* slab = all_.first; slab != nullptr; slab = slab->all_next) {
        for (std::size_t at = 0; at < geometry_.end_index; at += 8) {
            std::uint64_t live = 0;
            __builtin_memcpy(&live, slab->states() + at, sizeof(live));  // past the states lie free words, which are masked
            live &=
                kLiveBits & (geometry_.end_index - at >= 8 ? ~std::uint64_t{0} : ~(~std::uint64_t{0} << (geometry_.end_index - at) * 8));
            for (; live != 0; live &= live - 1) {
                visit(static_cast<void*>(slab->slot(at + static_cast<std::size_t>(__builtin_ctzll(live)) / 8, geometry_)));
            }
        }
    }
}

inline PoolStats Pool::stats() const noexcept {
    PoolStats stats{};
    stats.block_bytes = block_bytes_;
    stats.live_blocks = outstanding_blocks_ - in_magazine_;
    stats.peak_blocks = peak_blocks_;
    stats.slabs = directory_.count();
    stats.free_blocks = stats.slabs * geometry_.usable_slots() - stats.live_blocks;
    stats.spare_slabs = spare_slabs_;
    stats.owned_bytes = stats.slabs * geometry_.slab_bytes;
    stats.refusals = refusals_;
    return stats;
}

inline const char* Pool::broken_slab(const detail::PoolSlab* slab) const noexcept {
    std::size_t live = 0;
    std::size_t free = 0;
    for (std::size_t at = 0; at < geometry_.word_count; ++at) {
        const std::uint64_t word = slab->free_words(geometry_)[at];
        if ((word & ~geometry_.slots_of_word(at)) != 0) {
            return "P1: what is no slot is free";
        }
        if (word != 0 && at < slab->lowest_word) {
            return "P1: a free slot lies before the lowest word";
        }
        free += detail::count_bits(word);
    }
    for (std::size_t index = 0; index < geometry_.end_index; ++index) {
        const bool is_live = slab->states()[index] == detail::SlotState::live;
        if (is_live && (index < geometry_.first_index || (slab->free_words(geometry_)[index / 64] & bit_of(index)) != 0)) {
            return "P1: a slot is live and free at once, or is no slot";
        }
        live += is_live ? 1U : 0U;
    }
    if (slab->free_slots(geometry_) != free || (slab == home_) != ((slab->outstanding & detail::PoolSlab::kHome) != 0)) {
        return "P1: a slab has lost count of its slots";
    }
    const bool is_empty = live == 0 && slab != home_;
    if (slab->is_listed != (free > 0 && slab != home_ && !is_empty)) {
        return "P3: a slab with free slots is not listed, or one without is";
    }
    return is_empty && free != geometry_.usable_slots() ? "P6: an empty slab has blocks in the magazine" : nullptr;
}

inline const char* Pool::broken_invariant() const noexcept {
    std::size_t outstanding = 0;
    std::size_t slabs = 0;
    std::size_t empty = 0;
    for (const detail::PoolSlab* slab = all_.first; slab != nullptr; slab = slab->all_next) {
        if (const char* broken = broken_slab(slab)) {
            return broken;
        }
        if (!directory_.contains(reinterpret_cast<std::uintptr_t>(slab))) {
            return "P5: a slab is not in the directory";
        }
        outstanding += geometry_.usable_slots() - slab->free_slots(geometry_);
        empty += slab->outstanding == 0 ? 1U : 0U;
        ++slabs;
    }
    for (std::size_t at = 0; at < in_magazine_; ++at) {
        const detail::PoolSlab* const slab = slab_of(magazine_[at]);
        const std::size_t index = index_of(magazine_[at]);
        if (slab->states()[index] == detail::SlotState::live || (slab->free_words(geometry_)[index / 64] & bit_of(index)) != 0) {
            return "P2: a block in the magazine is live or free elsewhere";
        }
        for (std::size_t other = 0; other < at; ++other) {
            if (magazine_[other] == magazine_[at]) {
                return "P2: a block is in the magazine twice";
            }
        }
    }
    if (outstanding != outstanding_blocks_ || in_magazine_ > outstanding) {
        return "P4: the blocks outside the slabs do not add up";
    }
    if (slabs != directory_.count()) {
        return "P5: the directory holds what is no slab";
    }
    if (empty != spare_slabs_ || spare_slabs_ * geometry_.slab_bytes > options_.spare_bytes) {
        return "P6: an empty slab is no spare, or there are too many spares";
    }
    return directory_.broken_invariant();
}

}  // namespace heapwright
