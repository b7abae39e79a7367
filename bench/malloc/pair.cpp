// A loop of malloc and free of one size, as often as asked: bench/malloc_instructions.py counts two lengths of it and takes the difference.
// Usage: pair BYTES COUNT [empty]    with `empty` the loop runs without its two calls
#include <bench/malloc/workload.hpp>

int main(int count, char** words) {
    if (count < 3) {
        workload::fail("no size and no count were given; say for example: pair 64 1000");
    }
    const std::size_t size = std::strtoull(words[1], nullptr, 10);
    const std::size_t pairs = std::strtoull(words[2], nullptr, 10);
    if (count > 3) {
        for (std::size_t i = 0; i < pairs; ++i) {
            asm volatile("" ::"r"(i) : "memory");
        }
        return 0;
    }
    for (std::size_t i = 0; i < pairs; ++i) {
        void* block = std::malloc(size);
        asm volatile("" ::"r"(block) : "memory");  // the compiler has to believe that somebody looks at it
        std::free(block);
    }
    return 0;
}
