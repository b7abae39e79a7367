// What a placement plan costs a pair of malloc and free: prints nanoseconds of one, the least of many short series.
//
// usage: lookup named|other|wrapped BYTES
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// The sites: bench/tune_lookup.py finds them by these names.
extern "C" {
__attribute__((noipa)) void pair_named(std::size_t bytes) {
    void* const block = std::malloc(bytes);
    asm volatile("" : : "r"(block) : "memory");
    std::free(block);
}
__attribute__((noipa)) void pair_other(std::size_t bytes) {
    void* const block = std::malloc(bytes);
    asm volatile("" : : "r"(block) : "memory");
    std::free(block);
}
__attribute__((noipa)) void* make_wrapped(std::size_t bytes) {
    void* const block = std::malloc(bytes);
    asm volatile("" : : "r"(block) : "memory");
    return block;
}
__attribute__((noipa)) void pair_wrapped(std::size_t bytes) {
    void* const block = make_wrapped(bytes);
    asm volatile("" : : "r"(block) : "memory");
    std::free(block);
}
}

int main(int count, char** words) {
    const std::string_view what = count == 3 ? words[1] : "";
    auto* const pair = what == "named" ? pair_named : what == "other" ? pair_other : what == "wrapped" ? pair_wrapped : nullptr;
    if (pair == nullptr) {
        std::fputs("usage: lookup named|other|wrapped BYTES\n", stderr);
        return 2;
    }
    constexpr int kSeries = 200;
    constexpr int kPairs = 20'000;
    const auto bytes = static_cast<std::size_t>(std::atol(words[2]));
    double least = 1e9;
    for (int series = 0; series < kSeries; ++series) {
        const auto begin = std::chrono::steady_clock::now();
        for (int i = 0; i < kPairs; ++i) {
            pair(bytes);
        }
        least = std::min(least, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count() / kPairs);
    }
    std::printf("%.3f\n", least);
}
