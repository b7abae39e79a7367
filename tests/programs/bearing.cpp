// Allocates in threads and a child, and bears it when memory is refused: every block that it got keeps its contents, and errno is ENOMEM
// where it got none. Ends with 0 then.
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <malloc.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

constexpr std::uint32_t kSteps = 1500;

enum Fault : int { kContents = 40, kErrno = 41, kNotZero = 42, kChild = 43 };

void must(bool holds, Fault fault) {
    if (!holds) {
        ::_exit(fault);
    }
}

struct Block {
    unsigned char* bytes = nullptr;
    std::size_t size = 0;

    void mark() const { bytes[0] = bytes[size - 1] = static_cast<unsigned char>(size); }
    void check() const {
        const auto expected = static_cast<unsigned char>(size);
        must(bytes == nullptr || (bytes[0] == expected && bytes[size - 1] == expected), kContents);
    }
};

void* made(std::uint32_t kind, std::size_t size) {
    switch (kind % 4) {
        case 0: return std::malloc(size);
        case 1: return std::aligned_alloc(4096, size);
        default: {
            auto* const zeroed = static_cast<unsigned char*>(std::calloc(1, size));
            for (std::size_t at = 0; zeroed != nullptr && at < size; at += 509) {
                must(zeroed[at] == 0, kNotZero);
            }
            return zeroed;
        }
    }
}

/// Mostly small, some of pages, a few of mebibytes.
std::size_t size_of(std::uint32_t chance) {
    return 2 + chance / 64 % (chance % 32 != 0 ? 3000U : chance % 64 != 0 ? 200'000U : 3'000'000U);
}

void work(std::uint32_t chance) {
    std::array<Block, 200> blocks;
    for (std::uint32_t step = 0; step < kSteps; ++step) {
        chance = chance * 1664525 + 1013904223;
        Block& block = blocks[(chance >> 20) % blocks.size()];
        block.check();
        const std::size_t size = size_of(chance >> 4);
        errno = 0;
        void* got = nullptr;
        if ((chance & 1024) != 0) {
            got = std::realloc(block.bytes, size);
        } else {
            std::free(block.bytes);
            block = {};
            got = made(chance >> 12, size);
        }
        must(got != nullptr || errno == ENOMEM, kErrno);
        if (got != nullptr) {
            block = {.bytes = static_cast<unsigned char*>(got), .size = size};
            block.mark();
        }
        if (step % (kSteps / 4) == 0) {
            ::malloc_trim(0);
        }
    }
    for (const Block& block : blocks) {
        block.check();
        std::free(block.bytes);
    }
}

void* work_beside(void* /*unused*/) {
    work(2);
    return nullptr;
}

}  // namespace

int main() {
    work(1);
    // Not std::thread, which cannot even throw where there never was memory for an exception.
    pthread_t other{};
    const bool has_other = ::pthread_create(&other, nullptr, work_beside, nullptr) == 0;
    work(3);
    if (has_other) {
        ::pthread_join(other, nullptr);
    }
    const pid_t child = ::fork();
    if (child == 0) {
        work(5);
        ::_exit(0);
    }
    int status = 0;
    must(child > 0 && ::waitpid(child, &status, 0) == child && status == 0, kChild);
    work(6);
    return 0;
}
