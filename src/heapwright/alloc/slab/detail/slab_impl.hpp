// The bodies of Slab.
// Included at the end of the header that declares them, and nowhere else.
#pragma once

#include <memory>
#include <new>

namespace heapwright {

/// Gives a place back unless an object was made in it: constructors may throw.
template <class T, class Key, std::size_t ChunkBytes>
struct Slab<T, Key, ChunkBytes>::Return {
    Slab& slab;
    Place place;
    Return(Slab& owner, Place taken) noexcept : slab(owner), place(taken) {}
    Return(const Return&) = delete;
    Return& operator=(const Return&) = delete;
    ~Return() {
        if (place.chunk != nullptr) {
            poison(Geometry::place(place.chunk, place.slot), sizeof(T));
            slab.put_back(place, false);
        }
    }
};

template <class T, class Key, std::size_t ChunkBytes>
Slab<T, Key, ChunkBytes>::~Slab() {
    while (!empty()) {
        clear();  // more than once if destructors insert
    }
    while (all_.first != nullptr) {
        Chunk* const chunk = all_.first;
        if (chunk->free > 0) {
            remove(chunk->is_open ? open_ : spare_, chunk);
        }
        give_back(chunk);
    }
}

// ---- making and destroying

template <class T, class Key, std::size_t ChunkBytes>
template <class... Args>
HEAPWRIGHT_ALWAYS_INLINE Key Slab<T, Key, ChunkBytes>::try_insert(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
    // The place is taken before the object is made, as its constructor may insert others.
    const Place place = take_place();
    if (HEAPWRIGHT_UNLIKELY(place.chunk == nullptr)) {
        return {};
    }
    std::byte* const memory = Geometry::place(place.chunk, place.slot);
    unpoison(memory, sizeof(T));
    if constexpr (std::is_nothrow_constructible_v<T, Args...>) {
        std::construct_at(reinterpret_cast<T*>(memory), std::forward<Args>(args)...);
    } else {
        Return guard{*this, place};
        std::construct_at(reinterpret_cast<T*>(memory), std::forward<Args>(args)...);
        guard.place.chunk = nullptr;
    }
    return begin_life(place);
}

template <class T, class Key, std::size_t ChunkBytes>
HEAPWRIGHT_ALWAYS_INLINE auto Slab<T, Key, ChunkBytes>::take_place() noexcept -> Place {
    if (HEAPWRIGHT_UNLIKELY(taken_places_ >= options_.limit_objects)) {
        why_refused_ = Errc::limit_reached;
        ++refusals_;
        return {.chunk = nullptr, .slot = 0};
    }
    if (HEAPWRIGHT_UNLIKELY(home_ == nullptr || home_->free == 0) && !choose_home()) {
        ++refusals_;
        return {.chunk = nullptr, .slot = 0};
    }
    Chunk* const chunk = home_;
    const std::size_t slot = chunk->take_lowest();
    if (HEAPWRIGHT_UNLIKELY(chunk->free == 0)) {
        remove(open_, chunk);
        chunk->is_open = false;
    }
    ++taken_places_;
    return {.chunk = chunk, .slot = slot};
}

template <class T, class Key, std::size_t ChunkBytes>
HEAPWRIGHT_ALWAYS_INLINE Key Slab<T, Key, ChunkBytes>::begin_life(Place place) noexcept {
    Generation& generation = place.chunk->generations[place.slot];
    generation = static_cast<Generation>(generation + 1);
    place.chunk->live_words[place.slot / 64] |= Chunk::bit_of(place.slot);
    ++live_objects_;
    peak_objects_ = peak_objects_ < live_objects_ ? live_objects_ : peak_objects_;
    return key_at(place.chunk, place.slot);
}

template <class T, class Key, std::size_t ChunkBytes>
HEAPWRIGHT_ALWAYS_INLINE bool Slab<T, Key, ChunkBytes>::erase(Key key) noexcept {
    const Place place = locate(key);
    if (HEAPWRIGHT_UNLIKELY(place.chunk == nullptr)) {
        return false;
    }
    const bool is_worn = end_life(place);
    put_back(place, is_worn);
    return true;
}

/// The key is dead before the destructor runs, which may look for it, and the place is free only after it.
template <class T, class Key, std::size_t ChunkBytes>
HEAPWRIGHT_ALWAYS_INLINE bool Slab<T, Key, ChunkBytes>::end_life(Place place) noexcept {
    Generation& generation = place.chunk->generations[place.slot];
    generation = static_cast<Generation>(generation + 1);
    const bool is_worn = generation == 0;
    if (HEAPWRIGHT_UNLIKELY(is_worn)) {
        generation = detail::kFirstGeneration;
    }
    place.chunk->live_words[place.slot / 64] &= ~Chunk::bit_of(place.slot);
    --live_objects_;
    T* const object = Geometry::object(place.chunk, place.slot);
    std::destroy_at(object);
    poison(object, sizeof(T));
    return is_worn;
}

template <class T, class Key, std::size_t ChunkBytes>
HEAPWRIGHT_ALWAYS_INLINE void Slab<T, Key, ChunkBytes>::put_back(Place place, bool is_worn) noexcept {
    Chunk* const chunk = place.chunk;
    --taken_places_;
    if (HEAPWRIGHT_UNLIKELY(is_worn)) {
        chunk->give_up();
    } else {
        chunk->put_back(place.slot);
    }
    if (HEAPWRIGHT_UNLIKELY(chunk->busy == 0) || HEAPWRIGHT_UNLIKELY(!chunk->is_open)) {
        settle(chunk);
    }
}

/// Puts a chunk where its counts say that it belongs.
template <class T, class Key, std::size_t ChunkBytes>
HEAPWRIGHT_NOINLINE void Slab<T, Key, ChunkBytes>::settle(Chunk* chunk) noexcept {
    if (chunk->busy > 0) {
        if (!chunk->is_open && chunk->free > 0) {
            append(open_, chunk);
            chunk->is_open = true;
        }
        return;
    }
    if (chunk == home_ && chunk->free > 0) {
        return;  // it stays open, so that a pair at the brink moves no chunk about
    }
    if (chunk->is_open) {
        remove(open_, chunk);
        chunk->is_open = false;
    }
    if (spare_chunks_ < options_.spare_chunks && chunk->free == kSlotsPerChunk) {
        append(spare_, chunk);
        ++spare_chunks_;
    } else {
        give_back(chunk);
    }
}

template <class T, class Key, std::size_t ChunkBytes>
template <class Condemn>
std::size_t Slab<T, Key, ChunkBytes>::erase_if(Condemn is_condemned) {
    std::size_t erased = 0;
    for (Chunk* chunk = all_.first; chunk != nullptr;) {
        const bool was_empty = chunk->busy == 0;
        ++chunk->busy;  // so that it is not given back while its places are visited
        for (std::size_t slot = 0; slot < kSlotsPerChunk; ++slot) {
            // Asked anew each time: a destructor may erase objects that were to come.
            const std::uint64_t live = chunk->live_words[slot / 64] & (~std::uint64_t{0} << (slot % 64));
            if (live == 0) {
                slot |= 63U;
                continue;
            }
            slot = slot / 64 * 64 + static_cast<std::size_t>(__builtin_ctzll(live));
            if (is_condemned(*Geometry::object(chunk, slot))) {
                const bool is_worn = end_life({.chunk = chunk, .slot = slot});
                put_back({.chunk = chunk, .slot = slot}, is_worn);
                ++erased;
            }
        }
        Chunk* const next = chunk->all_next;
        --chunk->busy;
        if (chunk->busy == 0 && !was_empty) {
            settle(chunk);
        }
        chunk = next;
    }
    HEAPWRIGHT_AUDIT(*this);
    return erased;
}

// ---- chunks

template <class T, class Key, std::size_t ChunkBytes>
HEAPWRIGHT_NOINLINE bool Slab<T, Key, ChunkBytes>::choose_home() noexcept {
    home_ = nullptr;
    if (open_.first != nullptr) {
        home_ = open_.first;  // the longest open one
        return true;
    }
    Chunk* chunk = spare_.last;  // the one emptied last is the warmest
    if (chunk != nullptr) {
        remove(spare_, chunk);
        --spare_chunks_;
    } else {
        chunk = make_chunk();
        if (chunk == nullptr) {
            return false;
        }
    }
    append(open_, chunk);
    chunk->is_open = true;
    home_ = chunk;
    return true;
}

template <class T, class Key, std::size_t ChunkBytes>
auto Slab<T, Key, ChunkBytes>::make_chunk() noexcept -> Chunk* {
    const std::uint32_t number = directory_.next_number();
    if (number == directory_.kNone) {
        why_refused_ = directory_.is_used_up() ? Errc::limit_reached : Errc::out_of_memory;
        return nullptr;
    }
    void* const memory = source_.try_allocate(Geometry::kLayout);
    if (memory == nullptr) {
        why_refused_ = Errc::out_of_memory;
        return nullptr;
    }
    auto* const chunk = ::new (memory) Chunk{number, directory_.first_generation(number)};
    poison(Geometry::place(chunk, 0), kChunkBytes - Geometry::kFirstOffset);
    directory_.enter(number, chunk);
    chunk->all_previous = all_.last;
    (all_.last == nullptr ? all_.first : all_.last->all_next) = chunk;
    all_.last = chunk;
    ++chunks_;
    return chunk;
}

template <class T, class Key, std::size_t ChunkBytes>
void Slab<T, Key, ChunkBytes>::give_back(Chunk* chunk) noexcept {
    // What comes to this number later goes on above every generation that was used here. A chunk in which a place was
    // given up takes its number with it: 16 to 24 bytes of the directory, for 64 KiB that need not be kept.
    Generation first = detail::kFirstGeneration;
    for (std::size_t slot = 0; slot < kSlotsPerChunk; ++slot) {
        first = chunk->generations[slot] > first ? chunk->generations[slot] : first;
    }
    const bool is_worn = chunk->busy == 0 && chunk->free < kSlotsPerChunk;
    directory_.leave(chunk->number, is_worn ? Generation{0} : first);
    (chunk->all_previous == nullptr ? all_.first : chunk->all_previous->all_next) = chunk->all_next;
    (chunk->all_next == nullptr ? all_.last : chunk->all_next->all_previous) = chunk->all_previous;
    home_ = home_ == chunk ? nullptr : home_;
    --chunks_;
    unpoison(chunk, kChunkBytes);  // the next owner of these addresses knows nothing of us
    source_.deallocate(chunk, Geometry::kLayout);
}

template <class T, class Key, std::size_t ChunkBytes>
std::size_t Slab<T, Key, ChunkBytes>::trim() noexcept {
    const std::size_t before = chunks_;
    while (spare_.first != nullptr) {
        Chunk* const chunk = spare_.first;
        remove(spare_, chunk);
        --spare_chunks_;
        give_back(chunk);
    }
    if (home_ != nullptr && home_->busy == 0) {
        Chunk* const chunk = home_;
        remove(open_, chunk);
        give_back(chunk);
    }
    HEAPWRIGHT_AUDIT(*this);
    return (before - chunks_) * kChunkBytes;
}

template <class T, class Key, std::size_t ChunkBytes>
void Slab<T, Key, ChunkBytes>::append(List& list, Chunk* chunk) noexcept {
    chunk->previous = list.last;
    chunk->next = nullptr;
    (list.last == nullptr ? list.first : list.last->next) = chunk;
    list.last = chunk;
}

template <class T, class Key, std::size_t ChunkBytes>
void Slab<T, Key, ChunkBytes>::remove(List& list, Chunk* chunk) noexcept {
    (chunk->previous == nullptr ? list.first : chunk->previous->next) = chunk->next;
    (chunk->next == nullptr ? list.last : chunk->next->previous) = chunk->previous;
}

// ---- facts

template <class T, class Key, std::size_t ChunkBytes>
Key Slab<T, Key, ChunkBytes>::key_of(const T& object) const noexcept {
    auto* const chunk = reinterpret_cast<Chunk*>(reinterpret_cast<std::uintptr_t>(&object) & ~(kChunkBytes - 1));
    const std::size_t slot =
        (reinterpret_cast<std::uintptr_t>(&object) - reinterpret_cast<std::uintptr_t>(Geometry::place(chunk, 0))) / Geometry::kStride;
    HEAPWRIGHT_CHECK(slot < kSlotsPerChunk && directory_.chunk_of(chunk->number) == chunk && chunk->is_live(slot),
                     "no object of this slab lives at this address; ask the slab that made it");
    return key_at(chunk, slot);
}

template <class T, class Key, std::size_t ChunkBytes>
SlabStats Slab<T, Key, ChunkBytes>::stats() const noexcept {
    SlabStats stats{};
    stats.live_objects = live_objects_;
    stats.peak_objects = peak_objects_;
    stats.chunks = chunks_;
    stats.refusals = refusals_;
    for (const Chunk* chunk = all_.first; chunk != nullptr; chunk = chunk->all_next) {
        stats.free_places += chunk->free;
        stats.given_up_places += kSlotsPerChunk - chunk->free - chunk->busy;
        stats.spare_chunks += chunk->busy == 0 ? 1U : 0U;
    }
    stats.owned_bytes = chunks_ * kChunkBytes + directory_.owned_bytes();
    return stats;
}

template <class T, class Key, std::size_t ChunkBytes>
const char* Slab<T, Key, ChunkBytes>::broken_chunk(const Chunk* chunk) const noexcept {
    std::size_t live = 0;
    std::size_t free = 0;
    for (std::size_t slot = 0; slot < kSlotsPerChunk; ++slot) {
        if ((chunk->is_live(slot) && chunk->is_free(slot)) || (chunk->generations[slot] % 2 == 1) != chunk->is_live(slot)) {
            return "SL1: a place is live and free at once, or its generation says otherwise";
        }
        if (chunk->is_free(slot) && slot / 64 < chunk->lowest_word) {
            return "SL2: a free place lies before the lowest word";
        }
        live += chunk->is_live(slot) ? 1U : 0U;
        free += chunk->is_free(slot) ? 1U : 0U;
    }
    if (chunk->free != free || chunk->busy != live || free + live > kSlotsPerChunk) {
        return "SL2: a chunk has lost count of its places";
    }
    const bool shall_be_open = free > 0 && (live > 0 || chunk == home_);
    return chunk->is_open == shall_be_open ? nullptr : "SL3: a chunk with free and busy places is not open, or another is";
}

template <class T, class Key, std::size_t ChunkBytes>
const char* Slab<T, Key, ChunkBytes>::broken_invariant() const noexcept {
    std::size_t live = 0;
    std::size_t chunks = 0;
    std::size_t spares = 0;
    for (const Chunk* chunk = all_.first; chunk != nullptr; chunk = chunk->all_next) {
        if (const char* broken = broken_chunk(chunk)) {
            return broken;
        }
        if (directory_.chunk_of(chunk->number) != chunk) {
            return "SL5: a chunk is not in the directory under its number";
        }
        live += chunk->busy;
        spares += chunk->busy == 0 && chunk != home_ ? 1U : 0U;
        ++chunks;
    }
    if (spares != spare_chunks_ || spares > options_.spare_chunks) {
        return "SL3: an empty chunk is no spare, or there are too many spares";
    }
    if (live != live_objects_ || live != taken_places_ || chunks != chunks_ || live > options_.limit_objects) {
        return "SL4: live objects or chunks do not add up";
    }
    return directory_.broken_invariant();
}

}  // namespace heapwright
