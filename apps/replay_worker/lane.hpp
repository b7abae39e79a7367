// One thread of the replay and what it counts.
#pragma once

#include <atomic>
#include <cstdint>

#include <pthread.h>

#include "meter.hpp"

#include <heapwright/base/platform.hpp>
#include <heapwright/study/replay/plan/format.hpp>

namespace heapwright::replay_worker {

/// Counted by one lane, added up at the end.
struct LaneCounts {
    ThreadUse use;            // while it replayed, waiting for turns left out
    std::uint64_t calls = 0;  // of the allocator
    std::uint64_t timed_calls = 0;
    std::uint64_t timed_ticks = 0;
    std::uint64_t slowest_ticks = 0;
    std::uint64_t refused = 0;
    std::uint64_t damaged = 0;
};

/// `turn`, `words`, `word_count` and `exits` are written by whoever deals out the epoch; the rest by the lane itself.
struct alignas(kCacheLineBytes) Lane {
    std::atomic<std::uint32_t> turn{0};  // number of the epoch dealt to it, counted from 1; kDismissed: leave
    std::uint32_t seen_turn = 0;
    const study::plan::Word* words = nullptr;
    std::uint32_t word_count = 0;
    bool exits = false;
    bool running = false;
    std::uint32_t number = 0;
    std::uint32_t stack = 0;  // index of the stack that it runs on
    pthread_t thread{};
    LaneCounts counts;
};

inline constexpr std::uint32_t kDismissed = UINT32_MAX;

}  // namespace heapwright::replay_worker
