// Allocation off the fast path: the next run, large objects, when to collect, and what to do when memory is gone.
#include <algorithm>
#include <cstring>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/poison.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/heap.hpp>
#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/root.hpp>

namespace heapwright::gc::detail {

namespace {

/// Leaves a hole of `bytes` that a reader of the block steps over.
void fill_hole(std::byte* at, std::size_t bytes) noexcept {
    if (bytes != 0) {
        unpoison(at, bytes);
        static_cast<void>(begin_object(at, &kFillerType, bytes));
    }
}

/// Cuts from [cursor, limit) so that what follows the header is aligned; nullptr when it does not fit.
std::byte* cut(std::byte*& cursor, const std::byte* limit, std::size_t bytes, std::size_t alignment) noexcept {
    const std::size_t hole = alignment <= kUnitBytes ? 0 : (alignment - (number_of(cursor) + kHeaderBytes) % alignment) % alignment;
    if (cursor == nullptr || hole + bytes > static_cast<std::size_t>(limit - cursor)) {
        return nullptr;
    }
    fill_hole(cursor, hole);
    std::byte* const at = cursor + hole;
    cursor = at + bytes;
    unpoison(at, bytes);
    return at;
}

}  // namespace

/// The place for an object, from this thread's runs or new ones; nullptr when no block can be had.
void* Collector::place(Mutator& mutator, std::size_t bytes, std::size_t alignment) noexcept {
    HEAPWRIGHT_CHECK(alignment <= kLineBytes, "collected objects are aligned to 128 bytes at most");
    if (bytes > kLargestSmall) {
        return place_large(mutator, bytes);
    }
    if (mutator.real_limit != nullptr) {
        mutator.limit = mutator.real_limit;
        mutator.real_limit = nullptr;
    }
    std::byte* at = cut(mutator.cursor, mutator.limit, bytes, alignment);
    const std::size_t most_bytes = alignment <= kUnitBytes ? bytes : bytes + alignment;
    if (at == nullptr && most_bytes > kLineBytes) {
        // What is longer than a line rarely fits into the holes that are left: it has a run of its own, from a whole block,
        // and the holes stay for small objects.
        at = cut(mutator.overflow_cursor, mutator.overflow_limit, bytes, alignment);
        if (at == nullptr) {
            std::byte* const cursor = mutator.cursor;
            std::byte* const limit = mutator.limit;
            std::byte* const block = mutator.block;
            const std::size_t next_line = mutator.next_line;
            mutator.block = nullptr;
            std::byte* taken = nullptr;
            {
                const os::LockGuard guard(lock);
                taken = take_block();
                if (taken != nullptr) {
                    block_of(taken).free_lines = kLinesPerBlock;
                    touched.push(taken);
                }
            }
            if (taken != nullptr) {
                fill_hole(mutator.overflow_cursor, static_cast<std::size_t>(mutator.overflow_limit - mutator.overflow_cursor));
                mutator.block = taken;
                mutator.next_line = 0;
                static_cast<void>(next_run(mutator, 1));
                mutator.overflow_cursor = mutator.cursor;
                mutator.overflow_limit = mutator.limit;
                poison(mutator.overflow_cursor, static_cast<std::size_t>(mutator.overflow_limit - mutator.overflow_cursor));
                at = cut(mutator.overflow_cursor, mutator.overflow_limit, bytes, alignment);
            }
            mutator.cursor = cursor;
            mutator.limit = limit;
            mutator.block = block;
            mutator.next_line = next_line;
        }
    }
    while (at == nullptr) {
        fill_hole(mutator.cursor, static_cast<std::size_t>(mutator.limit - mutator.cursor));
        mutator.cursor = mutator.limit = nullptr;
        if (!next_run(mutator, (most_bytes + kLineBytes - 1) / kLineBytes)) {
            return nullptr;
        }
        poison(mutator.cursor, static_cast<std::size_t>(mutator.limit - mutator.cursor));
        at = cut(mutator.cursor, mutator.limit, bytes, alignment);
    }
    return at;
}

void* Collector::place_large(Mutator&, std::size_t bytes) noexcept {
    const os::LockGuard guard(lock);
    if (bytes > kLargestInChunk) {
        std::byte* const at = map_huge(bytes);
        if (at == nullptr) {
            return nullptr;
        }
        const std::size_t in_first = std::min(bytes, kLargestInChunk);
        fill_bytes(line_of(at), kLineYoung, (in_first + kLineBytes - 1) / kLineBytes);
        huge_bytes += bytes;
        count_given(bytes);
        touched.push(at);
        return at;
    }
    const std::size_t blocks = (bytes + kBlockBytes - 1) / kBlockBytes;
    std::byte* const at = take_blocks(blocks);
    if (at == nullptr) {
        return nullptr;
    }
    unpoison(at, bytes);
    const std::size_t lines = (bytes + kLineBytes - 1) / kLineBytes;
    fill_bytes(mark_of(at), 0, (blocks * kBlockBytes) >> kGranuleShift);
    fill_bytes(line_of(at), kLineYoung, lines);
    fill_bytes(line_of(at) + lines, kLineFree, blocks * kLinesPerBlock - lines);
    const std::size_t tail = lines * kLineBytes - bytes;
    fill_hole(at + bytes, tail);
    block_of(at).large_bytes = bytes > Header::kLargestSize ? bytes : 0;
    for (std::size_t block = 0; block < blocks; ++block) {
        touched.push(at + block * kBlockBytes);
    }
    std::byte* const last = at + (blocks - 1) * kBlockBytes;
    const std::size_t last_free = blocks * kLinesPerBlock - lines;
    block_of(last).free_lines = static_cast<std::uint16_t>(last_free);
    if (last_free != 0) {
        block_of(last).state = BlockState::used;
        block_of(last).is_queued = true;
        holed.push(last);
        poison(at + lines * kLineBytes, last_free * kLineBytes);
    }
    used_lines += lines;
    count_given(lines * kLineBytes);
    return at;
}

/// Collects when enough was allocated, or when somebody asked for it.
void Collector::collect_if_due(Mutator& mutator) noexcept {
    // Acquire pairs with the release of who stops the world.
    if (HEAPWRIGHT_UNLIKELY(stop_wanted.load(std::memory_order_acquire) != 0)) {
        park(mutator);
        unpark(mutator);
    }
    if (is_collecting || destroyer.load(std::memory_order_relaxed) == &mutator) {
        return;  // from inside of a pause or of a destructor
    }
    // Relaxed: a wish may be heard late.
    if (wants_collection.exchange(false, std::memory_order_relaxed)) {
        collect(mutator, Cycle::full, Reason::requested);
        return;
    }
    if (config.stress != 0) {
        if (mutator.until_stress-- == 0) {
            mutator.until_stress = config.stress - 1;
            const bool everything = counts.pauses % 3 == 2;
            collect(mutator,
                    is_marking   ? Cycle::step
                    : everything ? (config.incremental ? Cycle::begin : Cycle::full)
                                 : Cycle::minor,
                    Reason::stress);
        }
        return;
    }
    if (is_marking) {
        if (since_step.load(std::memory_order_relaxed) >= step_bytes) {
            collect(mutator, Cycle::step, Reason::threshold);
        }
        return;
    }
    if (since_collection.load(std::memory_order_relaxed) + external_since.load(std::memory_order_relaxed) < nursery_bytes) {
        return;
    }
    collect(mutator, Cycle::minor, Reason::nursery_full);
}

/// Memory is gone: everything is collected, then the program is asked to let something go.
void* Collector::free_up_and_place(Mutator& mutator, std::size_t bytes, std::size_t alignment) noexcept {
    if (!is_collecting && destroyer.load(std::memory_order_relaxed) != &mutator) {
        collect(mutator, Cycle::full, Reason::exhaustion);
        void* at = place(mutator, bytes, alignment);
        while (at == nullptr && config.on_exhaustion != nullptr && config.on_exhaustion(*heap, bytes, config.context)) {
            collect(mutator, Cycle::full, Reason::exhaustion);
            at = place(mutator, bytes, alignment);
        }
        if (at != nullptr) {
            return at;
        }
    }
    const os::LockGuard guard(lock);
    ++counts.refusals;
    return nullptr;
}

void* Collector::allocate(Mutator& mutator, const TypeInfo* type, std::size_t bytes, std::size_t alignment) noexcept {
    HEAPWRIGHT_CHECK(destroyer.load(std::memory_order_relaxed) != &mutator,
                     "a destructor of a collected object allocates; use Heap::on_unreachable for what has to");
    HEAPWRIGHT_CHECK(!is_collecting, "a trace function, a pre-finaliser or an event call allocates from the heap that collects");
    collect_if_due(mutator);
    void* at = place(mutator, bytes, alignment);
    if (at == nullptr) {
        at = free_up_and_place(mutator, bytes, alignment);
    }
    if (config.stress != 0 && mutator.cursor != mutator.limit) {
        mutator.real_limit = mutator.limit;
        mutator.limit = mutator.cursor;
    }
    return at == nullptr ? nullptr : begin_object(static_cast<std::byte*>(at), type, bytes);
}

void* allocate_slow(Mutator& mutator, const TypeInfo* type, std::size_t bytes, std::size_t alignment, void* const* keep,
                    std::size_t keep_count) noexcept {
    void** const handles = mutator.handles_top;
    for (std::size_t index = 0; index < keep_count; ++index) {
        if (keep[index] != nullptr) {
            if (mutator.handles_top == mutator.handles_limit) {
                grow_handles(mutator);
            }
            *mutator.handles_top++ = keep[index];
        }
    }
    void* const object = mutator.collector->allocate(mutator, type, bytes, alignment);
    mutator.handles_top = handles;
    return object;
}

Errc why_refused(const Heap& heap, std::size_t bytes) noexcept {
    const Collector& collector = collector_of(heap);
    return collector.may_commit(bytes + 2 * kBlockBytes) ? Errc::out_of_memory : Errc::limit_reached;
}

}  // namespace heapwright::gc::detail
