// Blocks that last among blocks that do not, of the same sizes and made in turns: what a heap that cannot tell them apart
// keeps resident when the brief ones are gone.
//
//   mix [MIB] [stay]    allocates so many MiB, one block in sixteen lasts; prints live and resident bytes; "stay" then waits
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include <malloc.h>
#include <time.h>
#include <unistd.h>

namespace {

constexpr std::uint64_t kOneIn = 16;

std::uint64_t state = 88172645463325252U;
std::uint64_t random_number() {
    state ^= state << 13U;
    state ^= state >> 7U;
    state ^= state << 17U;
    return state;
}

[[gnu::noinline]] char* make_entry(std::size_t bytes) {
    char* entry = static_cast<char*>(std::malloc(bytes));
    std::memset(entry, 1, bytes);
    return entry;
}

[[gnu::noinline]] char* make_scratch(std::size_t bytes) {
    char* scratch = static_cast<char*>(std::malloc(bytes));
    std::memset(scratch, 2, bytes);
    return scratch;
}

std::uint64_t resident_bytes() {
    unsigned long pages = 0;
    unsigned long resident = 0;
    std::FILE* file = std::fopen("/proc/self/statm", "re");
    if (file == nullptr || std::fscanf(file, "%lu %lu", &pages, &resident) != 2) {
        std::abort();
    }
    std::fclose(file);
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

void wait(long seconds) {
    const timespec time{seconds, 0};
    nanosleep(&time, nullptr);
}

}  // namespace

int main(int count, char** words) {
    const std::uint64_t wanted = (count > 1 ? std::strtoull(words[1], nullptr, 10) : 128) << 20U;
    const std::uint64_t before = resident_bytes();
    std::uint64_t live = 0;
    std::uint64_t blocks = 0;
    for (std::uint64_t made = 0; made < wanted;) {
        std::vector<char*> scratch;
        // A request: much that is brief, a little that stays.
        for (std::uint64_t i = 0; i < 65536 && made < wanted; ++i, ++blocks) {
            const std::size_t bytes = 16 + random_number() % 240;
            made += bytes;
            if (blocks % kOneIn == 0) {
                live += malloc_usable_size(make_entry(bytes));
            } else {
                scratch.push_back(make_scratch(bytes));
            }
        }
        for (char* one : scratch) {
            std::free(one);
        }
    }
    const std::uint64_t after = resident_bytes();
    wait(2);
    const std::uint64_t idle = resident_bytes();
    std::printf("live %llu after %llu idle %llu\n", static_cast<unsigned long long>(live), static_cast<unsigned long long>(after - before),
                static_cast<unsigned long long>(idle - before));
    std::fflush(stdout);
    if (count > 2 && std::string_view{words[2]} == "stay") {
        wait(3600);
    }
    return 0;
}
