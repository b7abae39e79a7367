// The words in which a trace speaks: the events themselves, included by the recorder and by the reader alike.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapwright::trace {

/// A node of the trace's stack tree: the innermost frame of a call stack. 0: no stack was taken.
enum class StackId : std::uint32_t { none = 0 };

/// Threads are numbered from 1 in the order in which they first allocate; 0 is the process as a whole.
enum class ThreadIndex : std::uint32_t { process = 0 };

/// A reading of the processor's time-stamp counter in units of `kCyclesPerTick` cycles. The file's clock chunks
/// (ClockPair in chunk.hpp) turn ticks into nanoseconds.
using Tick = std::uint64_t;

/// One tick is 64 cycles, about 20 to 30 ns: fine enough to order a free in one thread before the reuse of its block
/// in another (a cache line has to travel between the two), and coarse enough that most steps fit in one byte.
inline constexpr std::uint64_t kCyclesPerTick = 64;

/// Which function the program called. The values are part of the file format: append, never renumber.
enum class Call : std::uint8_t {
    malloc = 0,
    calloc = 1,
    realloc = 2,        ///< also reallocarray; two events: see EventKind::resize_from and resize_to
    aligned = 3,        ///< posix_memalign, aligned_alloc, memalign, valloc, pvalloc
    new_object = 4,     ///< operator new, any form
    new_array = 5,      ///< operator new[], any form
    free = 6,           ///< also cfree, free_sized, free_aligned_sized
    delete_object = 7,  ///< operator delete, any form
    delete_array = 8,   ///< operator delete[], any form
    map = 9,            ///< mmap of anonymous memory by the program itself (only with --mappings)
    unmap = 10,         ///< munmap by the program itself (only with --mappings)
};
inline constexpr std::uint8_t kCallCount = 11;

/// What happened to the set of live blocks.
enum class EventKind : std::uint8_t {
    allocate = 0,     ///< `address`, `size`, `alignment`, `stack`; address 0: the allocator refused
    release = 1,      ///< `address`; `size` is what a sized delete claimed, or 0
    resize_from = 2,  ///< realloc was entered with this block: `address`. Its resize_to follows in the same thread.
    resize_to = 3,    ///< realloc came back: `address` (0: refused, the old block lives on), `size`, `stack`,
                      ///< `old_address` (0: realloc(nullptr, n))
};

/// The kind of event that a call makes; realloc makes resize_to, with a resize_from before it where it got a block.
[[nodiscard]] constexpr EventKind kind_of(Call call) noexcept {
    switch (call) {
        case Call::malloc:
        case Call::calloc:
        case Call::aligned:
        case Call::new_object:
        case Call::new_array:
        case Call::map: return EventKind::allocate;
        case Call::realloc: return EventKind::resize_to;
        case Call::free:
        case Call::delete_object:
        case Call::delete_array:
        case Call::unmap: break;
    }
    return EventKind::release;
}

/// Says that nobody measured how much of a block the program had touched.
inline constexpr std::uint64_t kTouchedUnknown = ~std::uint64_t{0};

/// One event as the reader hands it out. In memory only: the file keeps columns (see chunk.hpp and docs/format.md).
struct Event {
    EventKind kind = EventKind::allocate;
    Call call = Call::malloc;
    std::uint8_t alignment_log2 = 0;  ///< 0: whatever the allocator gives by itself
    ThreadIndex thread = ThreadIndex::process;
    StackId stack = StackId::none;
    Tick tick = 0;
    std::uint64_t address = 0;
    std::uint64_t size = 0;                   ///< bytes requested
    std::uint64_t old_address = 0;            ///< resize_to only
    std::uint64_t touched = kTouchedUnknown;  ///< release and resize_from of a large block: resident bytes at that moment
};

}  // namespace heapwright::trace
