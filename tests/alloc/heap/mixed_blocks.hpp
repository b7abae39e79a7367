// Blocks that know their contents, and a heap whose mix of sizes changed, for the tests of mixed spans.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>

namespace heapwright::test {

inline constexpr std::size_t kMiB = std::size_t{1} << 20;

struct Held {
    unsigned char* block = nullptr;
    std::size_t bytes = 0;
    unsigned char mark = 0;
};

inline bool is_intact(const Held& held) {
    return std::all_of(held.block, held.block + held.bytes, [&](unsigned char byte) { return byte == held.mark; });
}

inline bool are_intact(const std::vector<Held>& held) { return std::all_of(held.begin(), held.end(), is_intact); }

inline bool is_in_mixed(const void* block) { return heap::find_span(block)->is_mixed(); }

inline std::size_t count_mixed(const std::vector<Held>& held) {
    return static_cast<std::size_t>(std::count_if(held.begin(), held.end(), [](const Held& one) { return is_in_mixed(one.block); }));
}

/// Blocks of the process's heap.
struct OfProcess {
    static Held make(std::size_t bytes, unsigned char mark) {
        auto* const block = static_cast<unsigned char*>(default_heap::allocate(bytes));
        std::memset(block, mark, bytes);
        return {.block = block, .bytes = bytes, .mark = mark};
    }
    static void release(const Held& held) { default_heap::release(held.block); }
};

inline std::vector<Held> make_many(std::size_t count, std::size_t bytes) {
    std::vector<Held> made;
    made.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        made.push_back(OfProcess::make(bytes, static_cast<unsigned char>(i * 7 + bytes)));
    }
    return made;
}

inline void release_all(std::vector<Held>& held) {
    std::for_each(held.begin(), held.end(), OfProcess::release);
    held.clear();
}

/// Keeps one block of so many.
inline std::vector<Held> thin_out(const std::vector<Held>& made, std::size_t share) {
    std::vector<Held> left;
    for (std::size_t i = 0; i < made.size(); ++i) {
        if (i % share == 0) {
            left.push_back(made[i]);
        } else {
            OfProcess::release(made[i]);
        }
    }
    return left;
}

/// Sparse spans of this thread, and larger blocks, of which some came to lie in them.
struct ChangedMix {
    ChangedMix() : left(thin_out(make_many(30'000, 256), 16)), larger(make_many(12'000, 512)) {}
    ~ChangedMix() {
        release_all(left);
        release_all(larger);
        static_cast<void>(default_heap::trim());
    }
    std::vector<Held> left;
    std::vector<Held> larger;
};

inline void check_heap() {
    const char* const broken = heap::g_default_core.broken_invariant();
    CHECK_MESSAGE(broken == nullptr, broken);
}

}  // namespace heapwright::test
