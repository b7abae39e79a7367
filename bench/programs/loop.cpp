// The bare loop: nothing but malloc and free of one small block, the worst case of any recorder.
// Usage: loop [pairs]
#include <cstdint>
#include <cstdio>
#include <cstdlib>

int main(int count, char** words) {
    const std::uint64_t pairs = count > 1 ? std::strtoull(words[1], nullptr, 10) : 20'000'000;
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < pairs; ++i) {
        void* block = std::malloc(32);
        __asm__ volatile("" : "+r"(block) : : "memory");  // keeps the pair alive
        sum += block != nullptr ? 1 : 0;
        std::free(block);
    }
    std::printf("%llu\n", static_cast<unsigned long long>(sum));
    return 0;
}
