// The code that runs inside the program at every allocation and release: a few dozen instructions each.
//
// Order of things, which makes an address never live twice in tick order: an allocation is noted after the allocator
// gave the block, a release before the allocator gets it back.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/base/platform.hpp>
#include <heapwright/trace/record/recorder.hpp>
#include <heapwright/trace/record/thread_log.hpp>
#include <heapwright/trace/stack/call_site.hpp>

namespace heapwright::trace::record {

using stack::CallSite;

/// An allocation as the slow path wants it.
struct Request {
    Call call;
    std::uint8_t alignment_log2;
    std::uint64_t size;
};

void note_allocation_slow(PlaceNumber limit, Request request, void* block, CallSite site) noexcept;
[[nodiscard]] bool note_release_slow(ThreadLog& log, PlaceNumber limit, Call call, void* block, std::uint64_t claimed) noexcept;

[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool usable_size_is_known(std::uint64_t size) noexcept {
    // Relaxed: a stale answer asks once more.
    return (recorder.usable_known[size / 64].load(std::memory_order_relaxed) >> (size % 64) & 1) != 0;
}

/// `block`: what the allocator gave, nullptr if it refused.
HEAPWRIGHT_ALWAYS_INLINE void note_allocation(Call call, void* block, std::size_t size, CallSite site) noexcept {
    ThreadLog& log = *current_log;
    const PlaceNumber limit = log.enter();
    if (HEAPWRIGHT_UNLIKELY(log.place() > limit || size >= log.plain_sizes || !usable_size_is_known(size))) {
        note_allocation_slow(limit, {.call = call, .alignment_log2 = 0, .size = size}, block, site);
        return;
    }
    const StackId stack = log.stack_mode == stack::StackMode::none ? StackId::none : log.stacks.capture(site, log.depth);
    Word word = word_of(call, reinterpret_cast<std::uintptr_t>(block));
    Word* at = log.stamp(reinterpret_cast<Word*>(log.place()), word);
    at[0] = word;
    at[1] = static_cast<Word>(stack) << 32 | size;
    log.publish(at + 2);
}

/// Requires: block is not nullptr. `claimed`: the size that a sized release gave, else 0.
/// Returns:  whether the block is the allocator's; false: do not hand it on.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool note_release(Call call, void* block, std::uint64_t claimed) noexcept {
    ThreadLog& log = *current_log;
    const PlaceNumber limit = log.enter();
    const PlaceNumber place = log.place();
    if (HEAPWRIGHT_UNLIKELY(place > limit || recorder.filter.may_hold(block) || claimed > kLargestSmallSize)) {
        return note_release_slow(log, limit, call, block, claimed);
    }
    Word word = word_of(call, reinterpret_cast<std::uintptr_t>(block));
    Word* at = log.stamp(reinterpret_cast<Word*>(place), word);
    if (claimed != 0) {
        *at++ = word_of(Op::claimed, claimed);
    }
    *at = word;
    log.publish(at + 1);
    return true;
}

/// What a realloc has said of the block that it was given, to be handed to note_resize_to().
enum class Departure : std::uint8_t {
    noted,     ///< a resize_from stands in the log
    unknown,   ///< the block is not recorded
    deferred,  ///< the log was in use: the release is noted together with the new block
};

/// Before the allocator's realloc.
///
/// Requires: block is not nullptr.
[[nodiscard]] Departure note_resize_from(void* block) noexcept;

/// After it. `old` is nullptr, with Departure::unknown, for realloc(nullptr, size).
void note_resize_to(Departure departure, void* old, void* block, std::size_t size, CallSite site) noexcept;

/// An aligned allocation, or a mapping: the rare kinds.
void note_rare_allocation(Request request, void* block, CallSite site) noexcept;

/// A mapping that the program gave back.
void note_unmap(void* start, std::size_t bytes) noexcept;

}  // namespace heapwright::trace::record
