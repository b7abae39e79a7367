// Fills memory, frees every second block, and asks for blocks that fit into none of the holes.
//
// 64 MB live, then 32 MB free in holes and 40 MB more: 104 MB for a malloc that keeps the holes, 72 MB for one that gives
// them back in time.
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

char* filled(std::size_t bytes) {
    char* const block = static_cast<char*>(std::malloc(bytes));
    if (block == nullptr) {
        std::puts("refused");
        std::exit(1);
    }
    std::memset(block, 1, bytes);
    return block;
}

}  // namespace

int main() {
    constexpr std::size_t kSmall = 640;
    static char* blocks[kSmall];
    for (char*& block : blocks) {
        block = filled(100'000);
    }
    for (std::size_t i = 0; i < kSmall; i += 2) {
        std::free(blocks[i]);
    }
    for (unsigned i = 0; i < 40; ++i) {
        static_cast<void>(filled(1'000'000));
    }
    std::puts("40 blocks fit");
    return 0;
}
