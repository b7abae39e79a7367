// Goes round the spans of all threads, for those that sleep: what is free in them goes back all the same.
//
// A span that is put aside is changed by its thread under the cache's visit_lock(), but for one thing: a free may put a block
// onto its list at any moment, without asking. So who visits a span
//   - holds that lock, whereby nobody takes a block from it or makes it active;
//   - changes the list behind its first block only (page_return.cpp), or where the span's owner word makes its thread ask first;
//   - gives the span back when every block of it is free: then no thread can free into it.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/detail/span.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::heap {

/// A span is put aside by its thread: stamps it with the clock's turn.
void note_put_aside(Span* span) noexcept;
/// A span became half free, or one that its thread may never look at again was freed into: there may be something to give back.
void note_stirred() noexcept;
/// Bytes of spans that this was said of, and that no round came to yet; a figure.
[[nodiscard]] std::size_t stirred_bytes() noexcept;

/// One turn of the clock's: where spans were stirred, a round over all spans begins `delay_turns` later and visits those that
/// were put aside so long ago; it goes on in the next turns where the last one ended.
///
/// Cost: stops within one span of the budget.
/// Thread safety: under turn_lock().
void visit_by_clock(std::uint32_t turn, std::uint32_t delay_turns, std::uint64_t budget_ns) noexcept;
/// Whether a round has begun and not ended.
[[nodiscard]] bool is_round_under_way() noexcept;
/// How many rounds have begun, and how many spans were stirred before; modulo 2^32.
[[nodiscard]] std::uint32_t rounds_begun() noexcept;
[[nodiscard]] std::uint32_t stirred_before_round() noexcept;

/// Visits all spans at once. Returns: bytes of pages given back.
std::size_t visit_all() noexcept;

/// Held during each visit, and around fork, before every other lock of the heap.
[[nodiscard]] os::SpinLock& visitor_lock() noexcept;
/// In the child of fork, where no round is under way.
void reset_visitor_after_fork() noexcept;

}  // namespace heapwright::heap
