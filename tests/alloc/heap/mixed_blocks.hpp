// A heap whose mix of sizes changed, for the tests of mixed spans.
#pragma once

#include <algorithm>
#include <cstddef>
#include <thread>
#include <vector>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>

#include <tests/alloc/heap/held_blocks.hpp>

namespace heapwright::test {

inline bool is_in_mixed(const void* block) { return heap::find_span(block)->is_mixed(); }

inline std::size_t count_mixed(const std::vector<Held>& held) {
    return static_cast<std::size_t>(std::count_if(held.begin(), held.end(), [](const Held& one) { return is_in_mixed(one.block); }));
}

/// Keeps one block of so many.
inline std::vector<Held> keep_one_of(std::size_t share, const std::vector<Held>& made) { return thin_out(made, 1, share - 1); }

/// Sparse spans of the thread that makes them, and larger blocks, of which some came to lie in them.
struct Mix {
    Mix() = default;
    Mix(std::size_t first, std::size_t then) : left(keep_one_of(16, make_many(first, 256))), larger(make_many(then, 512)) {}
    std::vector<Held> left;
    std::vector<Held> larger;
};

/// Of this thread, for as long as it is in scope.
struct ChangedMix : Mix {
    ChangedMix() : Mix(30'000, 12'000) {}
    ChangedMix(const ChangedMix&) = delete;
    ChangedMix& operator=(const ChangedMix&) = delete;
    ~ChangedMix() {
        release_all(left);
        release_all(larger);
        static_cast<void>(default_heap::trim());
    }
};

/// What a thread left behind that has ended.
inline Mix mix_of_ended_thread() {
    Mix mix;
    std::thread([&] { mix = Mix(60'000, 8'000); }).join();
    return mix;
}

}  // namespace heapwright::test
