// Allocations from a given number of frames deep, from one place or from several in turn: what a stack capture costs.
// Usage: depth FRAMES PLACES [pairs]
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

std::uint64_t pairs = 200'000;
unsigned places = 1;
std::uint64_t sum = 0;

__attribute__((noinline)) void allocate() {
    void* block = std::malloc(32);
    __asm__ volatile("" : "+r"(block) : : "memory");  // keeps the pair alive
    sum += block != nullptr ? 1 : 0;
    std::free(block);
}

template <unsigned Place>
__attribute__((noinline)) void from_place() {
    volatile char room[32 * Place + 8];
    room[0] = 1;
    allocate();
    sum += static_cast<unsigned char>(room[0]);
}

__attribute__((noinline)) void loop() {
    using Call = void (*)();
    static constexpr Call kCalls[] = {&from_place<1>, &from_place<2>, &from_place<3>, &from_place<4>,
                                      &from_place<5>, &from_place<6>, &from_place<7>, &from_place<8>};
    for (std::uint64_t i = 0; i < pairs; ++i) {
        kCalls[i % places % 8]();
    }
}

__attribute__((noinline)) void descend(int frames) {
    volatile int left = frames;
    if (left <= 0) {
        loop();
    } else {
        descend(left - 1);
    }
    sum += static_cast<std::uint64_t>(left);
}

}  // namespace

int main(int count, char** words) {
    // allocate, from_place, loop, descend, main and three of libc's are there without any more.
    const int frames = count > 1 ? std::atoi(words[1]) - 8 : 0;
    places = count > 2 ? static_cast<unsigned>(std::atoi(words[2])) : 1;
    pairs = count > 3 ? std::strtoull(words[3], nullptr, 10) : pairs;
    descend(frames);
    std::printf("%llu\n", static_cast<unsigned long long>(sum));
    return 0;
}
