// The bodies of Arena that deal with chunks and time; those that make objects are in arena_objects_impl.hpp.
// Included at the end of the header that declares them, and nowhere else.
#pragma once

namespace heapwright {

// ---- chunks

HEAPWRIGHT_COLD inline void* Arena::allocate_slow(Layout layout, void* (Arena::*take)(Layout) noexcept) noexcept {
    // Both ends of a chunk are aligned for most; only a stricter block may have to skip bytes.
    std::size_t needed = 0;
    const std::size_t skipped = at_least(layout.alignment, alignof(detail::Chunk)) - alignof(detail::Chunk);
    if (!layout.is_valid() || add_overflows(align_up(occupied(layout.size), alignof(detail::Chunk)), skipped, &needed)) {
        chain_.count_refusal(Errc::overflow);
        return nullptr;
    }
    note_peak();
    detail::Chunk* const chunk = chain_.extend(needed);
    if (chunk == nullptr) {
        return nullptr;
    }
    detail::Chunk* const before = current_;
    leave();
    enter(chunk);
    void* const block = (this->*take)(layout);
    // Of the two chunks the one with more room stays current, so one large request does not waste the rest of a chunk.
    if (before != nullptr && static_cast<std::size_t>(before->high - before->low) > static_cast<std::size_t>(high_ - low_)) {
        leave();
        enter(before);
    }
    HEAPWRIGHT_AUDIT(*this);
    return block;
}

HEAPWRIGHT_COLD inline void* Arena::allocate_low_slow(std::size_t size, std::size_t alignment) noexcept {
    return allocate_slow({.size = size, .alignment = alignment}, &Arena::take_low);
}

inline void Arena::leave() noexcept {
    if (current_ != nullptr) {
        current_->low = low_;
        current_->high = high_;
        left_used_bytes_ += current_->used_bytes();
    }
    current_ = nullptr;
    low_ = nullptr;
    high_ = nullptr;
    fence_low_ = nullptr;
    fence_high_ = nullptr;
}

inline void Arena::enter(detail::Chunk* chunk) noexcept {
    left_used_bytes_ -= chunk->used_bytes();
    current_ = chunk;
    low_ = chunk->low;
    high_ = chunk->high;
    // Whether a mark stands in a chunk that is entered again is not remembered; taking it for granted costs a copy at most.
    fence_low_ = low_;
    fence_high_ = high_;
}

inline void Arena::restart_chunk() noexcept {
    low_ = current_->begin();
    high_ = current_->end();
    fence_low_ = low_;
    fence_high_ = high_;
    poison(low_, current_->capacity());
}

inline std::size_t Arena::used_bytes() const noexcept {
    const auto room = static_cast<std::size_t>(high_ - low_);
    return left_used_bytes_ + (current_ == nullptr ? 0 : current_->capacity() - room);
}

inline void Arena::note_peak() noexcept { cycle_peak_bytes_ = at_least(cycle_peak_bytes_, used_bytes()); }

// ---- resizing

inline bool Arena::is_last_low(const std::byte* block, std::size_t size) const noexcept {
    return block >= fence_low_ && block + occupied(size) == low_;
}

inline SizedBlock Arena::try_allocate_at_least(Layout layout) noexcept {
    constexpr std::size_t kGrain = alignof(std::max_align_t);
    void* const block = try_allocate(layout);
    std::size_t rounded = 0;
    if (block == nullptr || align_up_overflows(at_least(layout.size, 1), kGrain, &rounded) || !try_expand(block, layout, rounded)) {
        return {.start = block, .size_bytes = block == nullptr ? 0 : layout.size};
    }
    return {.start = block, .size_bytes = rounded};
}

inline void Arena::deallocate(void* block, Layout layout) noexcept {
    auto* const start = static_cast<std::byte*>(block);
    poison(start, layout.size);
    if (is_last_low(start, layout.size)) {
        low_ = start;
    } else if (start == high_ && start + occupied(layout.size) <= fence_high_) {
        high_ = start + occupied(layout.size);
    }
    HEAPWRIGHT_AUDIT(*this);
}

inline bool Arena::try_expand(void* block, Layout layout, std::size_t new_size) noexcept {
    auto* const start = static_cast<std::byte*>(block);
    if (new_size <= layout.size && !is_last_low(start, layout.size)) {
        return true;  // the tail stays part of the block, as nobody could use it
    }
    if (!is_last_low(start, layout.size) || new_size > static_cast<std::size_t>(high_ - start)) {
        return false;
    }
    if (occupied(new_size) > static_cast<std::size_t>(high_ - start)) {  // only a fence can be what does not fit
        return false;
    }
    low_ = start + occupied(new_size);
    if (new_size > layout.size) {
        unpoison(start + layout.size, new_size - layout.size);
    } else {
        poison(start + new_size, layout.size - new_size);
    }
    HEAPWRIGHT_AUDIT(*this);
    return true;
}

inline void* Arena::try_reallocate(void* block, Layout layout, std::size_t new_size) noexcept {
    if (try_expand(block, layout, new_size)) {
        return block;
    }
    void* const moved = try_allocate(Layout{.size = new_size, .alignment = layout.alignment});
    if (moved != nullptr) {
        __builtin_memcpy(moved, block, layout.size);  // it grew: a shrink never moves
        deallocate(block, layout);
    }
    return moved;
}

// ---- time

constexpr Arena::Mark Arena::mark() noexcept {
    Mark mark{};
    mark.arena_ = this;
    mark.current_ = current_;
    mark.last_ = nullptr;
    mark.low_ = low_;
    mark.high_ = high_;
    mark.cleanups_ = cleanup_count_;
    mark.region_ = open_region_;
    mark.resets_ = history_.cycles();
    if !consteval {
        mark.last_ = chain_.last();
    }
    fence_low_ = low_;
    fence_high_ = high_;
    return mark;
}

constexpr void Arena::rewind(const Mark& mark) noexcept {
    HEAPWRIGHT_CHECK(mark.arena_ == this, "foreign mark: it was made by another arena; rewind that one");
    HEAPWRIGHT_CHECK(mark.region_ == open_region_ && mark.resets_ == history_.cycles() && mark.cleanups_ <= cleanup_count_,
                     "stale mark: a region, rewind or reset has ended what it marks; take marks anew after each");
    run_cleanups(mark.cleanups_);
    if consteval {
        low_ = mark.low_;
        high_ = mark.high_;
        return;
    } else {
        HEAPWRIGHT_CHECK(mark.last_ == nullptr || chain_.is_in_use(mark.last_),
                         "stale mark: its chunk is no longer in use; take marks anew after each reset");
        note_peak();
        leave();
        for (const detail::Chunk* chunk = chain_.last(); chunk != mark.last_; chunk = chunk->previous) {
            left_used_bytes_ -= chunk->used_bytes();
        }
        chain_.retire_after(mark.last_);
        if (mark.current_ != nullptr) {
            enter(mark.current_);
            HEAPWRIGHT_CHECK(mark.low_ <= low_ && high_ <= mark.high_,
                             "stale mark: an older mark has been rewound since; take marks anew after each rewind");
            poison(mark.low_, static_cast<std::size_t>(low_ - mark.low_));
            poison(high_, static_cast<std::size_t>(mark.high_ - high_));
            low_ = mark.low_;
            high_ = mark.high_;
            fence_low_ = low_;
            fence_high_ = high_;
        }
        HEAPWRIGHT_AUDIT(*this);
    }
}

constexpr void Arena::reset() noexcept {
    HEAPWRIGHT_CHECK(open_region_ == 0, "arena reset while a region is open: its end would rewind to what is gone; close it first");
    run_cleanups(0);
    if consteval {
        low_ = nullptr;
        high_ = nullptr;
    } else {
        note_peak();
        history_.add(cycle_peak_bytes_);
        peak_used_bytes_ = at_least(peak_used_bytes_, cycle_peak_bytes_);
        cycle_peak_bytes_ = 0;
        if (current_ != nullptr && current_ == chain_.first() && current_ == chain_.last()) {
            // The usual cycle: all of it found room in one chunk, which stays the current one.
            restart_chunk();
        } else {
            leave();
            left_used_bytes_ = 0;
            chain_.retire_after(nullptr);
            chain_.promote_largest();
        }
        HEAPWRIGHT_AUDIT(*this);
    }
}

constexpr void Arena::release() noexcept {
    reset();
    if !consteval {
        leave();
        left_used_bytes_ = 0;
        chain_.release();
        HEAPWRIGHT_AUDIT(*this);
    }
}

constexpr Region::Region(Arena& arena) noexcept
    : arena_(arena),
      outer_fence_low_(arena.fence_low_),
      outer_fence_high_(arena.fence_high_),
      mark_(arena.mark()),
      outer_(arena.open_region_),
      serial_(++arena.regions_opened_) {
    arena.open_region_ = serial_;
}

constexpr Region::~Region() {
    HEAPWRIGHT_CHECK(arena_.open_region_ == serial_, "regions must be closed in the reverse order of opening");
    arena_.open_region_ = outer_;
    arena_.rewind(mark_);
    // The mark is gone, so what it held back may move again. The rewind has made its chunk current.
    arena_.fence_low_ = outer_fence_low_;
    arena_.fence_high_ = outer_fence_high_;
}

// ---- facts

inline bool Arena::owns(const void* address) const noexcept {
    const auto* const at = static_cast<const std::byte*>(address);
    for (detail::Chunk* chunk = chain_.last(); chunk != nullptr; chunk = chunk->previous) {
        if (chunk->begin() <= at && at < chunk->end()) {
            return true;
        }
    }
    return false;
}

inline ArenaStats Arena::stats() const noexcept {
    ArenaStats stats{};
    stats.used_bytes = used_bytes();
    stats.peak_used_bytes = at_least(peak_used_bytes_, at_least(cycle_peak_bytes_, stats.used_bytes));
    for (const detail::Chunk* chunk = chain_.last(); chunk != nullptr; chunk = chunk->previous) {
        stats.lost_bytes += chunk == current_ ? 0 : chunk->capacity() - chunk->used_bytes();
    }
    stats.owned_bytes = chain_.owned_bytes();
    stats.retained_bytes = chain_.retained_bytes();
    stats.chunks = chain_.owned_chunks();
    stats.destructors = cleanup_count_;
    stats.refusals = chain_.refusals();
    stats.resets = history_.cycles();
    return stats;
}

template <class Visit>
void Arena::for_each_chunk(Visit visit) const {
    bool is_retained = chain_.last() == nullptr;
    for (detail::Chunk* chunk = chain_.first(); chunk != nullptr; chunk = chunk->next) {
        const bool is_current = chunk == current_;
        const std::size_t left_used = is_retained ? 0 : chunk->used_bytes();
        const std::size_t used = is_current ? chunk->capacity() - static_cast<std::size_t>(high_ - low_) : left_used;
        visit(ArenaChunk{.owned_bytes = chunk->bytes,
                         .used_bytes = used,
                         .free_bytes = chunk->capacity() - used,
                         .is_current = is_current,
                         .is_retained = is_retained,
                         .is_borrowed = chunk->is_borrowed});
        is_retained = is_retained || chunk == chain_.last();
    }
}

inline const char* Arena::broken_invariant() const noexcept {
    if (current_ == nullptr ? (low_ != nullptr || high_ != nullptr)
                            : (low_ < current_->begin() || high_ < low_ || current_->end() < high_)) {
        return "A1: a cursor left the current chunk";
    }
    if (low_ < fence_low_ || fence_high_ < high_) {
        return "A2: a block older than the newest mark was reclaimed";
    }
    if (current_ != nullptr && !chain_.is_in_use(current_)) {
        return "A3: the current chunk is not in use";
    }
    std::size_t left_used_bytes = 0;
    for (const detail::Chunk* chunk = chain_.last(); chunk != nullptr; chunk = chunk->previous) {
        left_used_bytes += chunk == current_ ? 0 : chunk->used_bytes();
    }
    if (left_used_bytes != left_used_bytes_) {
        return "A4: the bytes used in the chunks left do not add up";
    }
    std::size_t cleanups = 0;
    for (const detail::Cleanup* cleanup = cleanups_; cleanup != nullptr && cleanups <= cleanup_count_; cleanup = cleanup->next) {
        ++cleanups;
    }
    if (cleanups != cleanup_count_) {
        return "A5: the list of destructors has lost its count";
    }
    return chain_.broken_invariant();
}

}  // namespace heapwright
