// Whole examinations: of this process, of heapwright's own heap in it, and what is made of the figures.
#include <heapwright/study/doctor/examine.hpp>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/heap.hpp>
#include <heapwright/study/doctor/heapwright_heap.hpp>
#include <heapwright/study/doctor/verdict.hpp>

#include <tests/support/random.hpp>

namespace heapwright::study {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

Examination walked(std::uint64_t live, std::uint64_t trimmable, std::uint64_t kept, std::uint64_t pinned, std::uint64_t files) {
    Examination look;
    look.allocator = AllocatorKind::glibc;
    look.knowledge = Knowledge::walked;
    look.parts.live = live;
    look.parts.trimmable = trimmable;
    look.parts.kept_free = kept;
    look.parts.pinned_free = pinned;
    look.parts.files = files;
    look.live_blocks = 1000;
    return look;
}

std::string text_of(const Verdict& verdict) {
    std::string text;
    for (const std::string& sentence : verdict.sentences) {
        text += sentence + "\n";
    }
    return text + verdict.fix;
}

doctor::SpanFigures figures_of_self() {
    doctor::ProcessMemory memory(getpid());
    const auto text = doctor::read_text("/proc/self/smaps");
    REQUIRE(text.has_value());
    const auto mappings = doctor::parse_mappings(*text);
    REQUIRE(mappings.has_value());
    const auto heap = doctor::find_heapwright(memory, *mappings);
    REQUIRE(heap.has_value());
    CHECK(heap->descriptor.version == kHeapDescriptorVersion);
    REQUIRE(heap->regions.size() == 1);
    return doctor::examine_heapwright(memory, *mappings, *heap);
}

std::vector<void*> written_blocks(Heap& heap, std::size_t count, std::size_t bytes) {
    std::vector<void*> blocks(count);
    for (void*& block : blocks) {
        block = heap.allocate(bytes);
        std::memset(block, 1, bytes);
    }
    return blocks;
}

void release_but_one_of(std::size_t share, Heap& heap, const std::vector<void*>& blocks) {
    for (std::size_t block = 0; block < blocks.size(); ++block) {
        if (block % share != 0) {
            heap.release(blocks[block]);
        }
    }
}

}  // namespace

TEST_CASE("the parts of this process are its RSS, however often it is examined") {
    std::vector<std::unique_ptr<char[]>> blocks;
    for (int round = 0; round < 20; ++round) {
        for (std::size_t block = 0; block < 200; ++block) {
            blocks.push_back(std::make_unique<char[]>(1 + block * 37));
        }
        const auto look = examine(getpid());
        REQUIRE(look.has_value());
        CHECK(look->broken_invariant() == nullptr);
        CHECK(look->rss() > 0);
        CHECK(look->parts.files > 0);
        CHECK(look->pid == getpid());
    }
}

TEST_CASE("a process that ends while it is examined is examined or refused") {
    for (int round = 0; round < 20; ++round) {
        const pid_t child = fork();
        if (child == 0) {
            usleep(static_cast<useconds_t>(round * 150));
            _exit(0);
        }
        for (int look = 0; look < 10; ++look) {
            const auto seen = examine(child);
            if (seen) {
                CHECK(seen->broken_invariant() == nullptr);
            } else {
                CHECK(seen.error().detail != static_cast<std::uint32_t>(doctor::Refusal::none));
            }
        }
        waitpid(child, nullptr, 0);
    }
}

TEST_CASE("what a heap of heapwright's holds is found by its descriptor") {
    Heap owned;
    owned.release(owned.allocate(200));
    const doctor::SpanFigures before = figures_of_self();
    CHECK(before.broken_invariant() == nullptr);
    const std::vector<void*> blocks = written_blocks(owned, 20'000, 200);
    const doctor::SpanFigures full = figures_of_self();
    CHECK(full.broken_invariant() == nullptr);
    CHECK(full.live_blocks - before.live_blocks == 20'000);
    CHECK(full.live_bytes - before.live_bytes >= 20'000 * 200);
    CHECK(full.live_bytes - before.live_bytes <= 20'000 * 224);
    release_but_one_of(10, owned, blocks);
    const doctor::SpanFigures holes = figures_of_self();
    CHECK(holes.broken_invariant() == nullptr);
    CHECK(holes.live_blocks - before.live_blocks == 2'000);
    CHECK(holes.pinned_bytes + holes.cached_bytes + holes.kept_bytes > before.pinned_bytes + std::uint64_t{10'000} * 200);
    for (std::size_t block = 0; block < blocks.size(); block += 10) {
        owned.release(blocks[block]);
    }
    CHECK(figures_of_self().live_blocks == before.live_blocks);
}

TEST_CASE("blocks of any size in heapwright's mixed spans are counted one by one") {
    Heap owned;
    const std::vector<void*> blocks = written_blocks(owned, 30'000, 256);
    release_but_one_of(16, owned, blocks);
    const doctor::SpanFigures sparse = figures_of_self();
    const std::vector<void*> larger = written_blocks(owned, 10'000, 512);
    const doctor::SpanFigures mixed = figures_of_self();
    CHECK(mixed.broken_invariant() == nullptr);
    CHECK(mixed.live_blocks - sparse.live_blocks == 10'000);
    CHECK(mixed.live_bytes - sparse.live_bytes >= 10'000 * 512 * 7 / 10);  // the rest lay in pages that count whole
    CHECK(mixed.live_bytes + mixed.pinned_bytes + mixed.kept_bytes + mixed.trimmable_bytes + mixed.cached_bytes <=
          sparse.live_bytes + sparse.pinned_bytes + sparse.kept_bytes + sparse.trimmable_bytes + sparse.cached_bytes + (2U << 20));
    for (void* block : larger) {
        owned.release(block);
    }
    CHECK(figures_of_self().live_blocks == sparse.live_blocks);
}

TEST_CASE("whole free pages are called retention, and who does not give them back") {
    const Verdict trim = judge(walked(20 * kMiB, 200 * kMiB, 0, kMiB, 3 * kMiB));
    CHECK(trim.kind == VerdictKind::retention);
    CHECK(text_of(trim).find("malloc_trim(0) would give back 200.0 MiB") != std::string::npos);
    const Verdict kept = judge(walked(20 * kMiB, kMiB, 190 * kMiB, kMiB, 3 * kMiB));
    CHECK(kept.kind == VerdictKind::retention);
    CHECK(text_of(kept).find("MALLOC_ARENA_MAX=1") != std::string::npos);
}

TEST_CASE("free bytes between live ones are called fragmentation, and no trim is promised") {
    const Verdict verdict = judge(walked(12 * kMiB, 15 * kMiB, 0, 230 * kMiB, 3 * kMiB));
    CHECK(verdict.kind == VerdictKind::fragmentation);
    CHECK(text_of(verdict).find("no trim helps") != std::string::npos);
    CHECK(text_of(verdict).find("heapwright record") != std::string::npos);
    CHECK(text_of(judge(walked(12 * kMiB, 60 * kMiB, 0, 230 * kMiB, 3 * kMiB))).find("a trim helps little") != std::string::npos);
}

TEST_CASE("whole free pages in heapwright's spans are fragmentation, free slices are retention") {
    Examination look = walked(5 * kMiB, 0, 80 * kMiB, 19 * kMiB, 10 * kMiB);
    look.allocator = AllocatorKind::heapwright;
    CHECK(judge(look).kind == VerdictKind::fragmentation);
    CHECK(text_of(judge(look)).find("99.0 MiB") != std::string::npos);
    look.parts.trimmable = 200 * kMiB;
    CHECK(judge(look).kind == VerdictKind::retention);
    CHECK(text_of(judge(look)).find("its clock") != std::string::npos);
}

TEST_CASE("many arenas are named, and so are small blocks that are not merged yet") {
    Examination look = walked(20 * kMiB, 200 * kMiB, 0, kMiB, 3 * kMiB);
    look.arenas.resize(64);
    look.threads = 12;
    CHECK(text_of(judge(look)).find("64 arenas for 12 threads") != std::string::npos);
    look = walked(20 * kMiB, 0, 0, 200 * kMiB, 3 * kMiB);
    look.fast_blocks = 1'000'000;
    CHECK(text_of(judge(look)).find("1,000,000 of the free blocks") != std::string::npos);
}

TEST_CASE("one look calls nothing a leak, two looks call growth one that may be") {
    const Examination before = walked(100 * kMiB, 0, 0, 0, 3 * kMiB);
    const Verdict once = judge(before);
    CHECK(once.kind == VerdictKind::healthy);
    CHECK(text_of(once).find("one look cannot tell a leak") != std::string::npos);
    const Verdict grown = judge(walked(110 * kMiB, 0, 0, 0, 3 * kMiB), &before, 10);
    CHECK(grown.kind == VerdictKind::growth);
    CHECK(text_of(grown).find("10.0 MiB more within 10.00 s") != std::string::npos);
    const Verdict steady = judge(walked(100 * kMiB + 1000, 0, 0, 0, 3 * kMiB), &before, 10);
    CHECK(steady.kind == VerdictKind::healthy);
    CHECK(text_of(steady).find("no growth") != std::string::npos);
    CHECK(judge(walked(90 * kMiB, 0, 0, 0, 3 * kMiB), &before, 10).kind == VerdictKind::healthy);
}

TEST_CASE("small programs are left in peace, and what malloc did not make is named") {
    CHECK(judge(walked(2 * kMiB, kMiB, 0, kMiB, kMiB)).kind == VerdictKind::healthy);
    CHECK(judge(walked(kMiB, 0, 0, 0, 50 * kMiB)).kind == VerdictKind::outside);
    Examination runtime = walked(kMiB, 0, 0, 0, kMiB);
    runtime.parts.other_anonymous = 900 * kMiB;
    CHECK(text_of(judge(runtime)).find("anonymous memory that malloc did not ask for") != std::string::npos);
}

TEST_CASE("an estimate is called one, and remarks change what the RSS means") {
    Examination look = walked(0, 0, 0, 0, 4 * kMiB);
    look.knowledge = Knowledge::estimated;
    look.allocator = AllocatorKind::jemalloc;
    look.caveat = "its allocator is jemalloc, whose blocks are not read";
    look.parts.other_anonymous = 100 * kMiB;
    look.parts.lazy_free = 80 * kMiB;
    look.swapped = 100 * kMiB;
    const Verdict verdict = judge(look);
    CHECK(verdict.kind == VerdictKind::unknown);
    CHECK(text_of(verdict).find("an estimate") != std::string::npos);
    CHECK(text_of(verdict).find("MADV_FREE") != std::string::npos);
    CHECK(text_of(verdict).find("swapped out") != std::string::npos);
    CHECK(text_of(verdict).find("malloc_stats_print") != std::string::npos);
    Examination later = look;
    later.parts.other_anonymous += 5 * kMiB;
    CHECK(text_of(judge(later, &look, 1)).find("the RSS changed by +5.0 MiB within") != std::string::npos);
}

TEST_CASE("every allocator and every verdict has a name of its own") {
    CHECK(std::string{name_of(AllocatorKind::glibc)} == "glibc");
    CHECK(std::string{name_of(AllocatorKind::unknown)} == "unknown");
    CHECK(std::string{name_of(VerdictKind::growth)} == "growth");
    CHECK(std::string{name_of(VerdictKind::unknown)} == "unknown");
}

}  // namespace heapwright::study
