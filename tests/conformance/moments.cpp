// usage: malloc_moments NAME [WORDS]: plays one moment; exit status 0 when the allocator lived through it.
#include "moments.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

namespace moments {

namespace {

constexpr Moment kMoments[] = {
    {"fork_while_threads_allocate", fork_while_threads_allocate},
    {"fork_handlers_that_allocate", fork_handlers_that_allocate},
    {"short_threads", short_threads},
    {"late_release", late_release},
    {"threads_after_each_other", threads_after_each_other},
    {"producers_and_consumers", producers_and_consumers},
    {"load_and_unload", load_and_unload},
    {"before_main", before_main},
    {"exit_handlers", exit_handlers},
    {"out_of_addresses", out_of_addresses},
    {"out_of_memory_at_every_step", out_of_memory_at_every_step},
    {"give_back_by_the_clock", give_back_by_the_clock},
    {"wrong_pointer", wrong_pointer},
};

constexpr unsigned kHangSeconds = 100;

}  // namespace

int complain(const char* sentence, std::uint64_t number) {
    std::fprintf(stderr, "malloc_moments: %s (%llu)\n", sentence, static_cast<unsigned long long>(number));
    return 1;
}

bool work(std::uint32_t seed, int rounds) {
    constexpr std::size_t kSlots = 64;
    unsigned char* blocks[kSlots] = {};
    std::size_t sizes[kSlots] = {};
    bool sound = true;
    for (int round = 0; round < rounds; ++round) {
        seed = seed * 1664525 + 1013904223;
        const std::size_t at = (seed >> 24) % kSlots;
        const auto mark = static_cast<unsigned char>(at * 3 + 1);
        if (blocks[at] != nullptr) {
            sound = sound && blocks[at][0] == mark && blocks[at][sizes[at] - 1] == mark;
            std::free(blocks[at]);
            blocks[at] = nullptr;
            continue;
        }
        const std::size_t most = (seed >> 8) % 50 == 0 ? 300000 : (seed >> 8) % 7 == 0 ? 9000 : 300;
        sizes[at] = 1 + (seed >> 4) % most;
        blocks[at] = static_cast<unsigned char*>((seed & 8) != 0 ? std::malloc(sizes[at]) : std::calloc(1, sizes[at]));
        if (blocks[at] == nullptr) {
            return false;
        }
        blocks[at][0] = mark;
        blocks[at][sizes[at] - 1] = mark;
    }
    for (unsigned char* block : blocks) {
        std::free(block);
    }
    return sound;
}

std::size_t peak_resident_kib() {
    rusage use{};
    getrusage(RUSAGE_SELF, &use);
    return static_cast<std::size_t>(use.ru_maxrss);
}

std::size_t resident_kib() {
    char text[256] = {};
    const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    const ssize_t got = read(file, text, sizeof(text) - 1);
    close(file);
    unsigned long pages = 0;
    return got > 0 && std::sscanf(text, "%*u %lu", &pages) == 1 ? pages * 4 : 0;
}

}  // namespace moments

int main(int words, char** word) {
    alarm(moments::kHangSeconds);  // a deadlock ends as SIGALRM
    for (const moments::Moment& moment : moments::kMoments) {
        if (words > 1 && std::strcmp(moment.name, word[1]) == 0) {
            return moment.run(words - 2, word + 2);
        }
    }
    for (const moments::Moment& moment : moments::kMoments) {
        std::printf("%s\n", moment.name);
    }
    return words > 1 ? 2 : 0;
}
