// Asks for a cache line ahead of its use.
#pragma once

namespace heapwright::study {

/// Begins to fetch the cache line at `address` for writing. Any address is fine.
///
/// Not __builtin_prefetch: g++ 12 takes a function that does nothing but prefetch for one without effect, and drops its
/// calls without a word.
inline void fetch_line(const void* address) { asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(address))); }

}  // namespace heapwright::study
