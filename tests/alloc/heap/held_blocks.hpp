// Blocks of the process's heap that know their contents.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/heap_core.hpp>

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

inline Held make(std::size_t bytes, unsigned char mark) {
    auto* const block = static_cast<unsigned char*>(default_heap::allocate(bytes));
    std::memset(block, mark, bytes);
    return {.block = block, .bytes = bytes, .mark = mark};
}

inline void release(const Held& held) { default_heap::release(held.block); }

inline std::vector<Held> make_many(std::size_t count, std::size_t bytes) {
    std::vector<Held> made;
    made.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        made.push_back(make(bytes, static_cast<unsigned char>(i * 7 + bytes)));
    }
    return made;
}

inline void release_all(std::vector<Held>& held) {
    std::for_each(held.begin(), held.end(), release);
    held.clear();
}

/// Keeps runs of `kept` blocks, each followed by so many that it frees.
inline std::vector<Held> thin_out(const std::vector<Held>& made, std::size_t kept, std::size_t freed) {
    std::vector<Held> left;
    for (std::size_t i = 0; i < made.size(); ++i) {
        if (i % (kept + freed) < kept) {
            left.push_back(made[i]);
        } else {
            release(made[i]);
        }
    }
    return left;
}

inline void check_heap() {
    const char* const broken = heap::g_default_core.broken_invariant();
    CHECK_MESSAGE(broken == nullptr, broken);
}

}  // namespace heapwright::test
