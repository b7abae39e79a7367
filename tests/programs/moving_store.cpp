// A store that knows all its pointers, and moves its blocks where the malloc behind it says which: one of sixteen is left.
// Prints what it looked up, and the KiB that the process has more than before it began.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <dlfcn.h>
#include <malloc.h>
#include <unistd.h>

#include <heapwright/malloc.h>

namespace {

constexpr std::size_t kBytes = 64;
constexpr int kBlocks = 600'000;

std::size_t resident_kib() {
    std::FILE* const file = std::fopen("/proc/self/statm", "r");
    std::size_t all = 0;
    std::size_t resident = 0;
    if (file == nullptr || std::fscanf(file, "%zu %zu", &all, &resident) != 2) {
        std::abort();
    }
    std::fclose(file);
    return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) / 1024;
}

template <class Function>
Function* find(const char* name) {
    return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

void move_blocks(std::vector<void*>& blocks) {
    auto* const begin = find<decltype(heapwright_begin_evacuation)>("heapwright_begin_evacuation");
    auto* const many = find<decltype(heapwright_should_move_many)>("heapwright_should_move_many");
    auto* const one = find<decltype(heapwright_should_move)>("heapwright_should_move");
    auto* const end = find<decltype(heapwright_end_evacuation)>("heapwright_end_evacuation");
    if (begin == nullptr || many == nullptr || one == nullptr || end == nullptr) {
        std::puts("this malloc does not say");
        return;
    }
    const heapwright_evacuation figures = begin();
    std::vector<unsigned char> answers(blocks.size());
    const std::size_t moving = many(blocks.data(), blocks.size(), answers.data());
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        if ((one(blocks[i]) != 0) != (answers[i] != 0)) {
            std::abort();
        }
        if (answers[i] != 0) {
            void* const copy = std::malloc(kBytes);
            std::memcpy(copy, blocks[i], kBytes);
            std::free(blocks[i]);
            blocks[i] = copy;
        }
    }
    end();
    std::printf("%s\n",
                figures.spans > 500 && moving <= figures.blocks && moving * 10 > blocks.size() * 9 ? "moved" : "too few should move");
}

}  // namespace

int main() {
    std::vector<void*> blocks;
    blocks.reserve(kBlocks);
    const std::size_t before = resident_kib();
    std::vector<void*> kept;
    kept.reserve(kBlocks / 16);
    for (int i = 0; i < kBlocks; ++i) {
        blocks.push_back(std::malloc(kBytes));
        std::memset(blocks.back(), i / 16 % 251, kBytes);
    }
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        i % 16 == 0 ? kept.push_back(blocks[i]) : std::free(blocks[i]);
    }
    blocks.clear();
    move_blocks(kept);
    malloc_trim(0);
    for (std::size_t i = 0; i < kept.size(); ++i) {
        const auto* const bytes = static_cast<const unsigned char*>(kept[i]);
        for (std::size_t at = 0; at < kBytes; ++at) {
            if (bytes[at] != i % 251) {
                std::puts("a block has changed");
                return 1;
            }
        }
    }
    std::printf("%zu KiB\n", resident_kib() - before);
}
