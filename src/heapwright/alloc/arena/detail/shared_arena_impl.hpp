// The bodies of SharedArena: finding a thread's lane, cutting runs.
// Included at the end of the header that declares them, and nowhere else.
#pragma once

namespace heapwright {
namespace detail {

inline void* RunSource::try_allocate(Layout layout) noexcept {
    std::size_t bytes = 0;
    if (layout.alignment > kCacheLineBytes || align_up_overflows(layout.size, kCacheLineBytes, &bytes) ||
        bytes > Layout::kLargestSize / 2) {
        return nullptr;
    }
    for (;;) {
        // Acquire pairs with the release in make_chunk: the chunk's header is written before it is seen.
        SharedChunk* const chunk = newest_.load(std::memory_order_acquire);
        if (chunk != nullptr) {
            // Relaxed: the addition alone decides whose the bytes are, and nobody has written to them.
            const std::size_t start = chunk->taken.fetch_add(bytes, std::memory_order_relaxed);
            if (start <= chunk->bytes && bytes <= chunk->bytes - start) {
                return reinterpret_cast<std::byte*>(chunk) + start;
            }
        }
        if (!make_chunk(chunk, bytes)) {
            return nullptr;
        }
    }
}

HEAPWRIGHT_NOINLINE inline bool RunSource::make_chunk(const SharedChunk* full, std::size_t run_bytes) noexcept {
    const os::LockGuard guard{growing_};
    // Relaxed: writes to newest_ happen under this lock only.
    SharedChunk* const newest = newest_.load(std::memory_order_relaxed);
    if (newest != full) {
        return true;  // another thread was faster: try its chunk
    }
    const std::size_t least = sizeof(SharedChunk) + run_bytes;
    const std::size_t bytes = least < options_.chunk_bytes ? options_.chunk_bytes : least;
    const std::size_t owned = owned_bytes_.load(std::memory_order_relaxed);
    if (bytes > options_.limit_bytes || owned > options_.limit_bytes - bytes) {
        return false;
    }
    void* const memory = source_.try_allocate({.size = bytes, .alignment = alignof(SharedChunk)});
    if (memory == nullptr) {
        return false;
    }
    owned_bytes_.store(owned + bytes, std::memory_order_relaxed);
    auto* const chunk = ::new (memory) SharedChunk{.next = newest, .bytes = bytes, .taken = sizeof(SharedChunk)};
    // Release pairs with the acquire in try_allocate.
    newest_.store(chunk, std::memory_order_release);
    return true;
}

inline void RunSource::release() noexcept {
    SharedChunk* chunk = newest_.exchange(nullptr, std::memory_order_acquire);  // pairs with the release in make_chunk
    while (chunk != nullptr) {
        SharedChunk* const next = chunk->next;
        const Layout layout{.size = chunk->bytes, .alignment = alignof(SharedChunk)};
        unpoison(chunk, layout.size);
        source_.deallocate(chunk, layout);
        chunk = next;
    }
    owned_bytes_.store(0, std::memory_order_relaxed);  // nobody else is here
}

inline const char* RunSource::broken_invariant() noexcept {
    const os::LockGuard guard{growing_};
    std::size_t bytes = 0;
    for (const SharedChunk* chunk = newest_.load(std::memory_order_relaxed); chunk != nullptr; chunk = chunk->next) {
        bytes += chunk->bytes;
    }
    return bytes == owned_bytes() && bytes <= options_.limit_bytes ? nullptr : "R1: the shared chunks do not add up, or exceed the limit";
}

}  // namespace detail

inline void SharedArena::thread_ended(os::LaneOwner& owner, os::ThreadToken thread) noexcept {
    auto& arena = static_cast<SharedArena&>(owner);  // NOLINT(cppcoreguidelines-pro-type-static-cast-downcast): it was given as one
    const os::LockGuard guard{arena.lanes_lock_};
    for (Lane* lane = arena.lanes_; lane != nullptr; lane = lane->next) {
        if (lane->thread == thread) {
            lane->thread = os::kNoThread;  // the next thread goes on where this one stopped
        }
    }
}

HEAPWRIGHT_NOINLINE inline Arena* SharedArena::find_lane() noexcept {
    const os::ThreadToken thread = os::current_thread();
    const os::LockGuard guard{lanes_lock_};
    Lane* mine = nullptr;
    Lane* deserted = nullptr;
    for (Lane* lane = lanes_; lane != nullptr && mine == nullptr; lane = lane->next) {
        mine = lane->thread == thread ? lane : nullptr;  // it was displaced from the thread's cache
        deserted = lane->thread == os::kNoThread ? lane : deserted;
    }
    mine = mine == nullptr ? deserted : mine;
    mine = mine == nullptr ? make_lane() : mine;
    if (mine == nullptr) {
        return nullptr;
    }
    mine->thread = thread;
    remember_lane(mine);
    return &mine->arena;
}

inline SharedArena::Lane* SharedArena::make_lane() noexcept {
    void* const memory = source_.try_allocate(Layout::of<Lane>());
    if (memory == nullptr) {
        return nullptr;
    }
    auto* const lane =
        ::new (memory) Lane{runs_, {.first_chunk_bytes = options_.first_run_bytes, .largest_chunk_bytes = options_.largest_run_bytes}};
    lane->next = lanes_;
    lanes_ = lane;
    return lane;
}

inline SharedArena::~SharedArena() {
    stop_listening();
    release();
    const os::LockGuard guard{lanes_lock_};
    for (Lane* lane = lanes_; lane != nullptr;) {
        Lane* const next = lane->next;
        lane->~Lane();
        source_.deallocate(lane, Layout::of<Lane>());
        lane = next;
    }
    lanes_ = nullptr;
}

inline void SharedArena::reset() noexcept {
    const os::LockGuard guard{lanes_lock_};
    for (Lane* lane = lanes_; lane != nullptr; lane = lane->next) {
        lane->arena.reset();
    }
}

inline void SharedArena::release() noexcept {
    {
        const os::LockGuard guard{lanes_lock_};
        for (Lane* lane = lanes_; lane != nullptr; lane = lane->next) {
            lane->arena.release();
        }
    }
    runs_.release();
}

inline ArenaStats SharedArena::stats() noexcept {
    const os::LockGuard guard{lanes_lock_};
    ArenaStats sum{};
    for (const Lane* lane = lanes_; lane != nullptr; lane = lane->next) {
        const ArenaStats one = lane->arena.stats();
        sum.used_bytes += one.used_bytes;
        sum.peak_used_bytes += one.peak_used_bytes;
        sum.lost_bytes += one.lost_bytes;
        sum.retained_bytes += one.retained_bytes;
        sum.chunks += one.chunks;
        sum.destructors += one.destructors;
        sum.refusals += one.refusals;
        sum.resets = sum.resets < one.resets ? one.resets : sum.resets;
    }
    sum.owned_bytes = runs_.owned_bytes();
    return sum;
}

inline std::size_t SharedArena::lanes() noexcept {
    const os::LockGuard guard{lanes_lock_};
    std::size_t count = 0;
    for (const Lane* lane = lanes_; lane != nullptr; lane = lane->next) {
        ++count;
    }
    return count;
}

inline const char* SharedArena::broken_invariant() noexcept {
    const os::LockGuard guard{lanes_lock_};
    for (const Lane* lane = lanes_; lane != nullptr; lane = lane->next) {
        if (const char* broken = lane->arena.broken_invariant()) {
            return broken;
        }
    }
    return runs_.broken_invariant();
}

}  // namespace heapwright
