// An arena for any number of threads: each has an arena of its own, filled with runs from shared chunks.
//
//   chunk (1 MiB) │ run of thread A │ run of thread B │ run of thread A │ free ... │
//                                                                       ▲ one atomic addition for each run
//
// Allocating touches the thread's own lines only: no lock, no shared line. Everything is released together.
//
// The hosted companion of arena.hpp: it needs os for locks and for the end of threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <new>

#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/base/thread_safety.hpp>
#include <heapwright/os/lanes.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright {

struct SharedArenaOptions {
    static constexpr std::size_t kUnlimited = SIZE_MAX;

    std::size_t chunk_bytes = std::size_t{1} << 20;          // asked of the source at a time, unless one run needs more
    std::size_t first_run_bytes = std::size_t{16} << 10;     // what a thread takes from a chunk; each further run is twice as large ...
    std::size_t largest_run_bytes = std::size_t{256} << 10;  // ... up to this, unless one request needs more
    std::size_t limit_bytes = kUnlimited;                    // taken from the source for chunks
};

namespace detail {

/// Cuts chunks into runs for the arenas of all threads. Runs come back only all at once.
///
///   R1  owned_bytes is the sum over the chunks, and within the limit
class RunSource {
public:
    RunSource(SourceRef source, SharedArenaOptions options) noexcept : source_(source), options_(options) {}
    RunSource(const RunSource&) = delete;
    RunSource& operator=(const RunSource&) = delete;

    [[nodiscard]] void* try_allocate(Layout layout) noexcept;
    void deallocate(void* /*run*/, Layout /*layout*/) noexcept {}

    /// Requires: no run is in use.
    void release() noexcept;

    [[nodiscard]] std::size_t owned_bytes() const noexcept {
        return owned_bytes_.load(std::memory_order_relaxed);  // a figure by itself
    }
    [[nodiscard]] const char* broken_invariant() noexcept;

private:
    struct alignas(kCacheLineBytes) SharedChunk {
        SharedChunk* next;
        std::size_t bytes;               // with this header
        std::atomic<std::size_t> taken;  // may run past bytes when several ask at the end
    };

    [[nodiscard]] bool make_chunk(const SharedChunk* full, std::size_t run_bytes) noexcept;

    std::atomic<SharedChunk*> newest_{nullptr};
    std::atomic<std::size_t> owned_bytes_{0};
    SourceRef source_;
    SharedArenaOptions options_;
    os::SpinLock growing_;
};

}  // namespace detail

/// An arena that threads share without waiting for each other.
///
/// local() is the calling thread's own Arena, with everything an Arena can do; try_allocate() is a shorthand. Blocks may
/// be read, written and forgotten by any thread. When a thread ends, another takes over its arena where it stopped, so
/// that threads that come and go do not cost a run each.
///
/// Thread safety: any thread for local(), try_allocate() and create(); reset(), release(), stats() and the destructor
///                want all others to be done with it.
class SharedArena : private os::LaneOwner {
public:
    explicit SharedArena(SourceRef source, SharedArenaOptions options = {}) noexcept
        : LaneOwner(&thread_ended), runs_(source, options), source_(source), options_(options) {}
    ~SharedArena();

    /// The calling thread's arena; nullptr when it has none yet and the source refuses.
    ///
    /// Requires: what it returns is used by this thread only.
    /// Cost:     about 6 instructions.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Arena* try_local() noexcept {
        void* const lane = cached_lane();
        return HEAPWRIGHT_LIKELY(lane != nullptr) ? &static_cast<Lane*>(lane)->arena : find_lane();
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Arena& local() noexcept {
        Arena* const arena = try_local();
        HEAPWRIGHT_CHECK(arena != nullptr, "out of memory: the arena's source refused; call try_local to go on without");
        return *arena;
    }

    /// Cost:     about 15 instructions; a run now and then.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* try_allocate(Layout layout) noexcept {
        Arena* const arena = try_local();
        return HEAPWRIGHT_LIKELY(arena != nullptr) ? arena->try_allocate(layout) : nullptr;
    }
    /// Takes the calling thread's newest block back; any other stays until the arena is emptied.
    void deallocate(void* block, Layout layout) noexcept {
        if (Arena* const arena = try_local()) {
            arena->deallocate(block, layout);
        }
    }
    template <class T, class... Args>
    T& create(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        return local().create<T>(std::forward<Args>(args)...);
    }

    /// Destroys all objects, those of one thread the newest first, and keeps every chunk.
    void reset() noexcept;
    /// As reset, and returns the chunks to the source.
    void release() noexcept;

    /// Sums over the threads' arenas; peaks are those of each thread added up.
    [[nodiscard]] ArenaStats stats() noexcept;
    /// How many arenas exist: as many as threads ever used it at one time.
    [[nodiscard]] std::size_t lanes() noexcept;
    [[nodiscard]] std::size_t owned_bytes() const noexcept { return runs_.owned_bytes(); }
    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() noexcept;

private:
    struct alignas(kCacheLineBytes) Lane {
        Lane(detail::RunSource& runs, ArenaOptions options) noexcept : arena(runs, options) {}

        Arena arena;
        Lane* next = nullptr;
        os::ThreadToken thread = os::kNoThread;  // whose it is; guarded by lanes_lock_
    };

    static void thread_ended(os::LaneOwner& owner, os::ThreadToken thread) noexcept;
    Arena* find_lane() noexcept;
    [[nodiscard]] Lane* make_lane() noexcept HEAPWRIGHT_REQUIRES_LOCK(lanes_lock_);

    detail::RunSource runs_;
    SourceRef source_;
    SharedArenaOptions options_;
    os::SpinLock lanes_lock_;
    Lane* lanes_ HEAPWRIGHT_GUARDED_BY(lanes_lock_) = nullptr;
};

static_assert(BlockSource<SharedArena>);

}  // namespace heapwright

#include <heapwright/alloc/arena/detail/shared_arena_impl.hpp>
