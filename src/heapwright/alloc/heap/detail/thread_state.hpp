// What a thread keeps at hand of the process's heap: one table, one cache, and blocks on their way to other threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/region.hpp>

namespace heapwright::heap {

struct PlannedThread;

/// Blocks of other threads that this thread freed, on their way home: one list a thread, so that many travel at the price of one
/// atomic operation.
class Outbox {
public:
    constexpr Outbox() noexcept = default;

    void add(Span* span, FreeBlock* block) noexcept;
    /// Sends everything.
    void flush() noexcept;

private:
    static constexpr std::size_t kEntries = 8;
    static constexpr std::uint32_t kMostBlocks = 16;
    static constexpr std::uint32_t kMostBytes = 8192;

    struct Entry {
        ThreadCache* cache = nullptr;  ///< whose blocks
        FreeBlock* first = nullptr;
        FreeBlock* last = nullptr;
        std::uint32_t count = 0;
        std::uint32_t bytes = 0;
    };
    void send(Entry& entry) noexcept;

    std::array<Entry, kEntries> entries_{};
    std::size_t untold_bytes_ = 0;  // sent, and the clock does not know yet
};

/// Pushes a list of blocks to a span that another thread owns, or nobody.
void push_remote(Span* span, FreeBlock* first, FreeBlock* last) noexcept;
/// The same for callers that hold a lock of the heap: the clock is not looked at. Returns whether it should be.
bool push_remote_quietly(Span* span, FreeBlock* first, FreeBlock* last) noexcept;

struct ThreadState {
    constexpr ThreadState() noexcept { direct.fill(&g_nothing); }

    std::array<Sink*, kDirectSteps> direct{};  ///< what malloc takes from for each size, by (bytes + 7) / 8
    ThreadCache* cache = nullptr;
    bool has_left = false;  ///< its exit handler ran; what it still does goes through shared paths
    Outbox outbox;

    /// The caches of this thread in Heap objects that it used last, and all of them.
    struct Slot {
        std::uint64_t heap = 0;
        ThreadCache* cache = nullptr;
    };
    std::array<Slot, 4> slots{};
    ThreadCache* caches = nullptr;

    PlannedThread* planned = nullptr;  ///< under a placement plan; then `cache` is nullptr and `direct` empty, so that malloc asks it
};

/// Initial-exec: the library is loaded with the program, and a call to find the state would cost more than the state saves.
extern constinit thread_local ThreadState t_state __attribute__((tls_model("initial-exec")));

[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uintptr_t thread_pointer() noexcept {
    return reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer());
}

/// The state with a cache; nullptr after the thread's exit handler, or when memory is exhausted.
[[nodiscard]] ThreadCache* cache_of_thread() noexcept;
/// As cache_of_thread(), in a Heap object's heap.
[[nodiscard]] ThreadCache* cache_of_thread(HeapCore& heap) noexcept;
/// Takes everything from the heap of a Heap object that ends, at one time with threads that end.
void discard_heap(HeapCore& heap) noexcept;
/// The thread ends: gives its spans away. Called by a destructor of thread-specific data.
void leave_thread() noexcept;
/// Sees to it that leave_thread() is called when this thread ends.
void watch_thread_exit() noexcept;

}  // namespace heapwright::heap
