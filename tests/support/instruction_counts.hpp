// Runs a piece of code a known number of times under callgrind, with a dump of the count after each run; what reads the dumps is
// tests/alloc/golden/instructions_test.py. Programs that use it are built like a release whatever the preset.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>

#include <valgrind/callgrind.h>

namespace heapwright::test {

/// Makes the compiler believe that everything behind the pointer is read and written here.
inline void escape(const void* pointer) { asm volatile("" ::"r"(pointer) : "memory"); }

/// Repeats `act` in a loop of two instructions, which the reader of the dumps takes off again. By value, and what it
/// captures are pointers, so that they stay in registers.
template <class Act>
__attribute__((noinline)) void repeat(Act act, std::int64_t times) {
    for (; times > 0; --times) {
        act();
    }
}

/// Counts `act`: `kFew` times and twice as often, so that the difference is free of what surrounds it.
template <std::int64_t kFew = 1000, class Act>
void count(const char* name, Act act) {
    std::array<char, 96> label{};
    repeat(act, 4);  // chunks and magazines are there
    for (const std::int64_t times : {kFew, 2 * kFew}) {
        std::snprintf(label.data(), label.size(), "%s %lld", name, static_cast<long long>(times));
        CALLGRIND_ZERO_STATS;
        repeat(act, times);
        CALLGRIND_DUMP_STATS_AT(label.data());
    }
}

}  // namespace heapwright::test
