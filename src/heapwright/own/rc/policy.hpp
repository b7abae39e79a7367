// The trade-offs of counted handles, as policies: how counts are kept and where blocks come from.
#pragma once

#include <heapwright/own/rc/blocks.hpp>
#include <heapwright/own/rc/counts.hpp>

namespace heapwright {

/// What Counted and WeakCounted are made with. A policy of your own derives from one of these and names other Blocks.
template <class P>
concept CountingPolicy = HandleCounts<typename P::Counts> && StaticBlocks<typename P::Blocks>;

/// One thread at a time holds all handles of an object: the cheapest counts.
struct SingleThread {
    using Counts = PlainCounts;
    using Blocks = HeapBlocks;
};

/// Any thread holds handles: a locked instruction for each copy and each drop.
struct ManyThreads {
    using Counts = AtomicCounts;
    using Blocks = HeapBlocks;
};

static_assert(CountingPolicy<SingleThread> && CountingPolicy<ManyThreads>);

template <class T, class Policy>
class Counted;
template <class T, class Policy>
class WeakCounted;

}  // namespace heapwright
