// A thread's share of a heap: the run of lines it allocates from, its handles, and where its stack is.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/base/platform.hpp>
#include <heapwright/base/poison.hpp>
#include <heapwright/own/gc/detail/layout.hpp>
#include <heapwright/own/gc/detail/page_vector.hpp>
#include <heapwright/own/gc/type_info.hpp>

namespace heapwright::gc {
class Heap;
}

namespace heapwright::gc::detail {

/// An object whose constructor runs, in the frame that runs it. Its members may not be there yet, so it is scanned word by
/// word.
struct Construction {
    Construction* outer;
    void* object;
};

/// Callee-saved registers of a thread that stopped. Read with instructions of our own: setjmp of glibc mangles some.
struct Registers {
    std::uintptr_t words[6];
};

enum ThreadState : std::uint32_t { kRunning, kParked };

struct Mutator {
    // Of the fast path.
    const Heap* heap = nullptr;
    std::byte* cursor = nullptr;
    std::byte* limit = nullptr;
    Construction* constructing = nullptr;
    void** handles_top = nullptr;
    void** handles_limit = nullptr;

    // Of the slow path; the owner's, and the collector's while the world is stopped.
    Collector* collector = nullptr;
    Mutator* next = nullptr;               // of the heap
    Mutator* next_of_thread = nullptr;     // this thread's other heaps
    std::byte* overflow_cursor = nullptr;  // a second run, for what did not fit into a hole
    std::byte* overflow_limit = nullptr;
    std::byte* real_limit = nullptr;  // under stress, where limit is the cursor
    std::byte* block = nullptr;       // whose holes are being used up
    std::size_t next_line = 0;        // of it
    void** handles_begin = nullptr;
    PageVector<void*> destructibles;      // young objects with destructors
    PageVector<const void*> remembered;   // places in old objects that refer to young ones
    const void* stack_end = nullptr;      // the oldest word of the stack, exclusive
    const void* stack_pointer = nullptr;  // the newest, where parked
    Registers registers{};
    void* fake_stack = nullptr;  // AddressSanitizer's, where locals may live
    std::uint32_t attachments = 0;
    std::uint32_t until_stress = 0;
    bool waits = false;  // parked because its thread waits for another heap, or for this one
    std::atomic<std::uint32_t> state{kRunning};
};

/// The heap that this thread used last; never nullptr. The others are behind it.
extern constinit thread_local Mutator* current_mutator;
extern constinit Mutator no_mutator;

/// Finds this thread's share of `heap`.
///
/// Requires: the thread is attached (checked).
[[nodiscard]] HEAPWRIGHT_COLD Mutator& find_mutator(const Heap& heap) noexcept;

[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Mutator& mutator_of(const Heap& heap) noexcept {
    Mutator* const mutator = current_mutator;
    return HEAPWRIGHT_LIKELY(mutator->heap == &heap) ? *mutator : find_mutator(heap);
}

/// What the slow path wants: `bytes` with header, where header + 8 is a multiple of `alignment`.
[[nodiscard]] HEAPWRIGHT_COLD void* allocate_slow(Mutator& mutator, const TypeInfo* type, std::size_t bytes, std::size_t alignment,
                                                  void* const* keep, std::size_t keep_count) noexcept;

/// Writes the header. Two stores of constants are cheaper than one that has to be put together.
HEAPWRIGHT_ALWAYS_INLINE void* begin_object(std::byte* at, const TypeInfo* type, std::size_t bytes) noexcept {
    const auto size = static_cast<std::uint16_t>(bytes <= Header::kLargestSize ? bytes / kUnitBytes : 0);
    reinterpret_cast<Header*>(at)->word = reinterpret_cast<std::uint64_t>(type);
    __builtin_memcpy(at + sizeof(std::uint64_t) - sizeof(size), &size, sizeof(size));
    return at + kHeaderBytes;
}

/// Bytes an object takes with its header.
[[nodiscard]] constexpr std::size_t object_bytes(std::size_t payload_bytes) noexcept {
    const std::size_t bytes = (payload_bytes + kHeaderBytes + kUnitBytes - 1) & ~(kUnitBytes - 1);
    return bytes < kSmallestObject ? kSmallestObject : bytes;
}

/// Memory for an object with its header written; nullptr when the run is too short, and then allocate_slow has to be asked.
///
/// Cost:     8 instructions with the header, inlined, for constant sizes.
template <std::size_t Alignment>
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* allocate_fast(Mutator& mutator, const TypeInfo* type, std::size_t bytes) noexcept {
    if constexpr (Alignment > kUnitBytes) {
        return nullptr;
    }
    std::byte* const at = mutator.cursor;
    const std::uintptr_t end = number_of(at) + bytes;  // a number: there may be no run, and nothing is added to nullptr
    if (HEAPWRIGHT_UNLIKELY(end > number_of(mutator.limit))) {
        return nullptr;
    }
    mutator.cursor = reinterpret_cast<std::byte*>(end);
    unpoison(at, bytes);
    return begin_object(at, type, bytes);
}

}  // namespace heapwright::gc::detail
