// mallinfo, malloc_info, malloc_stats, malloc_trim, mallopt.
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include "cases.hpp"

using namespace conformance;

namespace {

constexpr std::size_t kCount = 60000;
constexpr std::size_t kSize = 1000;
void* blocks[kCount];

void take_many() {
    for (void*& block : blocks) {
        block = malloc(kSize);
        fill(block, kSize, 1);
    }
}

void give_back_many() {
    for (void*& block : blocks) {
        free(block);
        block = nullptr;
    }
}

std::size_t in_use() {
    const struct mallinfo2 now = mallinfo2();
    return now.uordblks + now.hblkhd;
}

std::size_t resident_kib() {
    char text[256] = {};
    const int file = open("/proc/self/statm", O_RDONLY);
    const ssize_t got = read(file, text, sizeof(text) - 1);
    close(file);
    unsigned long pages = 0;
    return got > 0 && std::sscanf(text, "%*u %lu", &pages) == 1 ? pages * 4 : 0;
}

}  // namespace

CASE("mallinfo2 follows what the program holds") {
    const std::size_t before = in_use();
    take_many();
    const std::size_t full = in_use();
    EXPECT(full - before >= kCount * kSize);
    EXPECT(full - before <= kCount * kSize * 5 / 4);
    give_back_many();
    EXPECT(in_use() <= before + kCount * kSize / 50);
    malloc_trim(0);  // glibc cuts a large block from free memory at its end of the heap, where there is enough of it
    const std::size_t empty = in_use();
    void* large = malloc(50 << 20);
    EXPECT(in_use() >= empty + (50 << 20));
    EXPECT(mallinfo2().hblks >= 1);
    free(large);
    EXPECT(in_use() <= before + kCount * kSize / 50);
}

CASE("the figures of mallinfo are those of mallinfo2 as far as an int holds them") {
    take_many();
    const struct mallinfo2 wide = mallinfo2();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    const struct mallinfo narrow = mallinfo();
#pragma GCC diagnostic pop
    EXPECT(narrow.uordblks > 0 && wide.uordblks <= INT_MAX);
    EXPECT(static_cast<std::size_t>(narrow.uordblks) + 1000000 > wide.uordblks);
    EXPECT(static_cast<std::size_t>(narrow.uordblks) < wide.uordblks + 1000000);
    EXPECT(wide.uordblks + wide.fordblks <= wide.arena + 1000000);
    give_back_many();
}

CASE("malloc_trim gives free memory back at once") {
    malloc_trim(0);  // what earlier cases left
    const std::size_t before = resident_kib();
    take_many();
    const std::size_t full = resident_kib();
    EXPECT(full >= before + kCount * kSize / 1024 * 9 / 10);
    give_back_many();
    malloc_trim(0);
    note("KiB before, after", before, resident_kib());
    EXPECT(resident_kib() <= before + (full - before) / 10 + 2048);
    const int again = malloc_trim(0);
    EXPECT(again == 0 || again == 1);
}

CASE("malloc_info writes one XML element") {
    static char text[1 << 16];
    std::FILE* stream = std::tmpfile();
    EXPECT(stream != nullptr);
    EXPECT(malloc_info(0, stream) == 0);
    std::rewind(stream);
    const std::size_t length = std::fread(text, 1, sizeof(text) - 1, stream);
    text[length] = '\0';
    EXPECT(std::strncmp(text, "<malloc version=\"1\">\n", 21) == 0);
    EXPECT(std::strstr(text, "<heap nr=\"0\">") != nullptr);
    EXPECT(std::strstr(text, "<system type=\"current\" size=\"") != nullptr);
    EXPECT(length > 10 && std::strcmp(text + length - 10, "</malloc>\n") == 0);
    EXPECT(malloc_info(1, stream) == EINVAL);
    std::fclose(stream);
}

CASE("malloc_stats writes to stderr") {
    int ends[2];
    EXPECT(pipe(ends) == 0);
    const int kept = dup(2);
    dup2(ends[1], 2);
    malloc_stats();
    std::fflush(stderr);
    dup2(kept, 2);
    close(kept);
    close(ends[1]);
    char text[16384];
    const ssize_t got = read(ends[0], text, sizeof(text) - 1);
    close(ends[0]);
    EXPECT(got > 50);
    text[got > 0 ? got : 0] = '\0';
    EXPECT(std::strstr(text, "bytes") != nullptr);
}

CASE("mallopt takes what glibc's takes") {
    EXPECT(mallopt(M_MXFAST, 64) == 1);
    EXPECT(mallopt(M_MXFAST, 1000) == 0);
    EXPECT(mallopt(M_MXFAST, -1) == 0);
    EXPECT(mallopt(M_MMAP_THRESHOLD, 128 << 10) == 1);
    EXPECT(mallopt(M_MMAP_THRESHOLD, INT_MAX) == 1);
    EXPECT(mallopt(M_TRIM_THRESHOLD, 128 << 10) == 1);
    EXPECT(mallopt(M_TOP_PAD, 0) == 1);
    EXPECT(mallopt(M_MMAP_MAX, 65536) == 1);
    EXPECT(mallopt(M_ARENA_MAX, 0) == 1);
    EXPECT(mallopt(123456, 1) == 1);
    void* block = malloc(100);
    EXPECT(block != nullptr);
    free(block);
}

CASE("glibc's inner names make blocks that free takes") {
    using Malloc = void*(std::size_t);
    auto* inner = reinterpret_cast<Malloc*>(find_or_say("__libc_malloc"));
    using Free = void(void*);
    auto* inner_free = reinterpret_cast<Free*>(find_or_say("__libc_free"));
    using Memalign = void*(std::size_t, std::size_t);
    auto* inner_memalign = reinterpret_cast<Memalign*>(find_or_say("__libc_memalign"));
    if (inner == nullptr || inner_free == nullptr || inner_memalign == nullptr) {
        return;
    }
    for (const std::size_t size : kSizes) {
        void* block = realloc(inner(size), size + 1);
        EXPECT(block != nullptr);
        free(block);
        inner_free(malloc(size));
        block = inner_memalign(512, size);
        EXPECT(is_aligned(block, 512));
        free(block);
    }
}
