// Chunks that are filled, left behind, and taken out when their last block dies.
#include <heapwright/alloc/heap/detail/bump.hpp>

#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/misuse.hpp>
#include <heapwright/alloc/heap/detail/span_chain.hpp>
#include <heapwright/alloc/heap/detail/thread_state.hpp>

namespace heapwright::heap {

namespace {

constexpr std::uintptr_t kThreadBits = ~std::uintptr_t{15};
constexpr std::uint32_t kUnitsMask = (1U << kWeightBlockLog2) - 1;

BumpHome* home_of(const Span* chunk) noexcept { return reinterpret_cast<BumpHome*>(chunk->sink); }

/// The weight of the live blocks. Their threads may free meanwhile.
#if HEAPWRIGHT_UNDER_TSAN
__attribute__((no_sanitize("thread")))
#endif
std::uint32_t
weight_in(const Span& chunk) noexcept {
    return chunk.countdown + static_cast<std::uint32_t>(chunk.remote.load(std::memory_order_relaxed));  // a figure
}

/// Takes over what others freed. Returns whether there was any. Requires: the caller owns the chunk.
bool fold(Span* chunk) noexcept {
    if (chunk->remote.load(std::memory_order_relaxed) == 0) {  // a hint; the exchange acquires
        return false;
    }
    const std::uintptr_t freed = chunk->remote.exchange(0, std::memory_order_acquire);  // pairs with release_of_another()
    chunk->countdown += static_cast<std::uint32_t>(freed);                              // which is minus their weight
    return true;
}

/// From header to header, as far as there are any: what lies behind the last block is none, or that of a block that was freed.
/// Threads make and free blocks meanwhile: the figures lag, nothing else depends on them.
#if HEAPWRIGHT_UNDER_TSAN
__attribute__((no_sanitize("thread")))
#endif
void add_chunk(std::span<SiteFigures> sites, const Span* chunk, std::uint64_t times, bool is_overtaken) noexcept {
    const char* const end = chunk->start + kSliceBytes;
    for (const char* block = chunk->start + kBumpUnit; block < end;) {
        const BumpHeader header = *bump_header(static_cast<const void*>(block));
        if ((header.tag != BumpHeader::kLive && header.tag != BumpHeader::kFreed) || header.units == 0) {
            return;
        }
        if (header.tag == BumpHeader::kLive && header.site < sites.size()) {
            SiteFigures& site = sites[header.site];
            site.live_blocks += times;
            site.live_bytes += times * (header.units * kBumpUnit - kBumpHeaderBytes);
            site.held_back += chunk->state == SpanState::full && site.last != chunk ? times : 0;
            site.lost += is_overtaken ? times : 0;
            site.last = chunk;
        }
        block += header.units * kBumpUnit;
    }
}

}  // namespace

Span* BumpPlace::take_chunk(BumpHome& home) noexcept {
    bool is_zero = false;
    Span* const chunk = g_default_core.take(1, 1, is_zero);
    if (chunk == nullptr) {
        return nullptr;
    }
    // Nobody holds a block in it yet.
    chunk->sink = reinterpret_cast<Sink*>(&home);
    chunk->local_free = nullptr;
    chunk->countdown = 0;
    chunk->floor = 0;
    chunk->block_bytes = kBumpUnit;
    chunk->capacity = kSliceBytes / kBumpUnit;
    chunk->carved = chunk->capacity;
    chunk->size_class = 0;
    chunk->state = SpanState::active;
    chunk->is_fresh = is_zero;
    chunk->is_private = true;
    chunk->is_noticed = false;
    chunk->stamp = 0;
    chunk->pages = number_;
    chunk->cache.store(nullptr, std::memory_order_relaxed);
    chunk->remote.store(0, std::memory_order_relaxed);
    const os::LockGuard guard(lock_);
    chunk->owner.store(thread_pointer() | owner::kBump, std::memory_order_relaxed);  // only this thread compares it for equality
    CacheChain::push(chunks_, chunk);
    return chunk;
}

/// From the first place whose block lies at a multiple of 16 behind its header.
void BumpPlace::fill_again(BumpHome& home) noexcept {
    home.cursor = home.chunk->start + kBumpUnit;
    home.end = home.chunk->start + kSliceBytes;
}

void* BumpPlace::take_slow(BumpHome& home, std::size_t bytes, std::uint32_t site) noexcept {
    if (home.chunk != nullptr) {
        home.others_free = fold(home.chunk) || home.others_free;
        if (home.chunk->countdown == 0) {
            won_.fetch_add(1, std::memory_order_relaxed);     // a figure
            filled_.fetch_add(1, std::memory_order_relaxed);  // as above
            fill_again(home);
            return home.take(bytes, site);
        }
    }
    if (home.has_notices.load(std::memory_order_relaxed)) {  // a hint; the lock orders
        answer_notices(home);
    }
    Span* const chunk = take_chunk(home);
    if (chunk == nullptr) {
        return nullptr;
    }
    if (home.chunk != nullptr) {
        close(home);
    }
    home.chunk = chunk;
    home.others_free = false;
    fill_again(home);
    return home.take(bytes, site);
}

void BumpPlace::stop_no_block(const char* what, const void* block) noexcept {
    if (bump_header(block)->tag == BumpHeader::kFreed) {
        stop_not_a_block(what, block);
    }
    stop_interior(what, block);
}

/// Leaves the home's chunk behind, to those who free into it.
void BumpPlace::close(BumpHome& home) noexcept {
    Span* const chunk = home.chunk;
    bool is_empty = false;
    {
        const os::LockGuard guard(lock_);
        chunk->state = SpanState::full;
        chunk->stamp = filled_.fetch_add(1, std::memory_order_relaxed) + 1;  // a figure
        if (home.others_free) {
            is_empty = give_to_all(chunk);
        }
        if (is_empty) {
            unlist(chunk);
        }
    }
    if (is_empty) {
        give_back(chunk);
    }
}

/// Every free is counted in `remote` from now on. Returns whether there is none to come.
bool BumpPlace::give_to_all(Span* chunk) noexcept {
    const std::uintptr_t weight = chunk->countdown;
    chunk->countdown = 0;
    chunk->owner.store(owner::kBump, std::memory_order_relaxed);  // only its thread compares for equality
    // Release: what its thread did to the blocks comes before what the last to free does to the chunk. Acquire: the other way round.
    return chunk->remote.fetch_add(weight, std::memory_order_acq_rel) + weight == 0;
}

void BumpPlace::unlist(Span* chunk) noexcept {
    CacheChain::erase(chunks_, chunk);
    if (chunk->is_noticed) {
        Span** link = &home_of(chunk)->noticed;
        while (*link != chunk) {
            link = &(*link)->notice_next;
        }
        *link = chunk->notice_next;
        chunk->is_noticed = false;
    }
}

/// A filled chunk that is empty and in no list.
void BumpPlace::give_back(Span* chunk) noexcept {
    won_.fetch_add(1, std::memory_order_relaxed);  // a figure
    g_default_core.give(chunk);
}

void BumpPlace::release_of_another(Span* chunk, std::uint32_t weight) noexcept {
    const std::uint32_t number = chunk->pages;  // does not change while the block lives
    // Release: what was done to the block comes before its memory is used again. Acquire: for who takes the chunk out.
    const std::uintptr_t before = chunk->remote.fetch_sub(weight, std::memory_order_acq_rel);
    if (before == 0) {
        bump_place(number)->notify(chunk);
    } else if (before == weight) {
        BumpPlace* const place = bump_place(number);
        {
            const os::LockGuard guard(place->lock_);
            place->unlist(chunk);
        }
        place->give_back(chunk);
    }
}

/// A filled chunk whose last block its owner freed.
void BumpPlace::take_out(Span* chunk, BumpHome& home) noexcept {
    {
        const os::LockGuard guard(home.place->lock_);
        home.place->unlist(chunk);
    }
    home.place->give_back(chunk);
}

/// Tells the owner of a chunk that others free into it. By now the chunk may be something else.
void BumpPlace::notify(Span* chunk) noexcept {
    const os::LockGuard guard(lock_);
    const std::uintptr_t owner = chunk->owner.load(std::memory_order_relaxed);  // chunks of this place change under the lock
    if (!owner::is_bump(owner) || owner == owner::kBump || chunk->pages != number_ || chunk->is_noticed) {
        return;
    }
    BumpHome* const home = home_of(chunk);
    chunk->is_noticed = true;
    chunk->notice_next = home->noticed;
    home->noticed = chunk;
    home->has_notices.store(true, std::memory_order_relaxed);  // a hint
}

void BumpPlace::answer_notices(BumpHome& home) noexcept {
    Span* empty = nullptr;
    {
        const os::LockGuard guard(lock_);
        home.has_notices.store(false, std::memory_order_relaxed);  // under the lock
        while (Span* const chunk = home.noticed) {
            home.noticed = chunk->notice_next;
            chunk->is_noticed = false;
            if (chunk != home.chunk && give_to_all(chunk)) {
                unlist(chunk);
                chunk->notice_next = empty;
                empty = chunk;
            }
        }
    }
    while (empty != nullptr) {
        Span* const chunk = empty;
        empty = chunk->notice_next;
        give_back(chunk);
    }
}

std::size_t BumpPlace::usable_bytes(const void* block, const char* what) noexcept {
    if (bump_header(block)->tag != BumpHeader::kLive) {
        stop_no_block(what, block);
    }
    return bump_header(block)->units * kBumpUnit - kBumpHeaderBytes;
}

bool BumpPlace::resize(BumpHome& home, void* block, std::size_t bytes) noexcept {
    BumpHeader* const header = bump_header(block);
    const std::size_t before = header->units * kBumpUnit;
    char* const start = static_cast<char*>(block);
    if (home.chunk == nullptr || start + before != home.cursor || bytes > kSliceBytes) {
        return false;
    }
    const std::size_t whole = bump_bytes_for(bytes);
    if (whole > static_cast<std::size_t>(home.end - start)) {
        return false;
    }
    const auto units = static_cast<std::uint32_t>(whole / kBumpUnit);
    home.chunk->countdown += units - header->units;
    header->units = static_cast<std::uint16_t>(units);
    home.cursor = start + whole;
    return true;
}

void BumpPlace::shed(BumpHome& home) noexcept {
    answer_notices(home);
    Span* const chunk = home.chunk;
    if (chunk == nullptr) {
        return;
    }
    home.others_free = fold(chunk) || home.others_free;
    if (chunk->countdown != 0) {
        return;
    }
    home.chunk = nullptr;
    home.cursor = nullptr;
    home.end = nullptr;
    {
        const os::LockGuard guard(lock_);
        unlist(chunk);
    }
    g_default_core.give(chunk);  // it was not filled: no bet was won
}

void BumpPlace::leave(std::uintptr_t thread, bool others) noexcept {
    Span* empty = nullptr;
    {
        const os::LockGuard guard(lock_);
        Span* following = nullptr;
        for (Span* chunk = chunks_; chunk != nullptr; chunk = following) {
            following = chunk->cache_next;
            const std::uintptr_t owner = chunk->owner.load(std::memory_order_relaxed);  // under the lock
            if (owner == owner::kBump || ((owner & kThreadBits) == thread) == others) {
                continue;
            }
            if (chunk->state == SpanState::active) {
                chunk->state = SpanState::full;
                chunk->stamp = filled_.fetch_add(1, std::memory_order_relaxed) + 1;  // a figure
            }
            const bool is_empty = give_to_all(chunk);
            if (is_empty || chunk->is_noticed) {
                unlist(chunk);  // out of the notices in any case
                if (is_empty) {
                    chunk->notice_next = empty;
                    empty = chunk;
                } else {
                    CacheChain::push(chunks_, chunk);
                }
            }
        }
    }
    while (empty != nullptr) {
        Span* const chunk = empty;
        empty = chunk->notice_next;
        give_back(chunk);
    }
}

void BumpPlace::add_figures(BumpFigures& sum) noexcept {
    const os::LockGuard guard(lock_);
    const std::uint32_t filled = filled_.load(std::memory_order_relaxed);  // under the lock
    for (const Span* chunk = chunks_; chunk != nullptr; chunk = chunk->cache_next) {
        const std::uint32_t weight = weight_in(*chunk);
        const std::uint64_t blocks = weight >> kWeightBlockLog2;
        const bool is_filled = chunk->state == SpanState::full;
        sum.live_blocks += blocks;
        sum.live_bytes += (weight & kUnitsMask) * kBumpUnit - blocks * kBumpHeaderBytes;
        ++sum.chunks;
        sum.held_back += is_filled ? 1U : 0U;
        sum.lost += is_filled && filled - chunk->stamp >= kOvertaken ? 1U : 0U;
    }
    sum.won += won_.load(std::memory_order_relaxed);  // a figure
}

void BumpPlace::add_sites(std::span<SiteFigures> sites) noexcept {
    const os::LockGuard guard(lock_);
    std::uint64_t chunks = 0;
    for (const Span* chunk = chunks_; chunk != nullptr; chunk = chunk->cache_next) {
        ++chunks;
    }
    const std::uint64_t times = (chunks + kMostWalked - 1) / kMostWalked;
    const std::uint32_t filled = filled_.load(std::memory_order_relaxed);  // under the lock
    std::uint64_t number = 0;
    for (const Span* chunk = chunks_; chunk != nullptr; chunk = chunk->cache_next) {
        if (number++ % times == 0) {
            add_chunk(sites, chunk, times, chunk->state == SpanState::full && filled - chunk->stamp >= kOvertaken);
        }
    }
}

const char* BumpPlace::broken_invariant() noexcept {
    const os::LockGuard guard(lock_);
    for (const Span* chunk = chunks_; chunk != nullptr; chunk = chunk->cache_next) {
        const std::uintptr_t owner = chunk->owner.load(std::memory_order_relaxed);  // under the lock
        if (!owner::is_bump(owner) || chunk->pages != number_ || (owner == owner::kBump && chunk->countdown != 0)) {
            return "BP2: the list of a bump place holds another span";
        }
        const std::uint32_t weight = weight_in(*chunk);
        const std::uint32_t units = weight & kUnitsMask;
        if (units >= kSliceBytes / kBumpUnit || weight >> kWeightBlockLog2 > units || (units == 0 && chunk->state == SpanState::full)) {
            return "BP1: the weight of a bump chunk is none that its blocks can have";
        }
    }
    return nullptr;
}

}  // namespace heapwright::heap
