// Pages, mappings, stacks, allocators and processes: each part of an examination alone.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/study/doctor/allocator.hpp>
#include <heapwright/study/doctor/mappings.hpp>
#include <heapwright/study/doctor/page_run.hpp>
#include <heapwright/study/doctor/process_facts.hpp>
#include <heapwright/study/doctor/process_memory.hpp>
#include <heapwright/study/doctor/stacks.hpp>

#include <tests/study/doctor/glibc_image.hpp>
#include <tests/support/random.hpp>

namespace heapwright::study::doctor {
namespace {

constexpr std::uint64_t kPresent = std::uint64_t{1} << 63;
constexpr std::uint64_t kExclusive = std::uint64_t{1} << 56;

constexpr const char* kSmaps =
    "55d0c0000000-55d0c0021000 rw-p 00000000 00:00 0                          [heap]\n"
    "Size:                132 kB\nRss:                  12 kB\nAnonymous:            12 kB\nLazyFree:              4 kB\n"
    "AnonHugePages:         0 kB\nSwap:                 16 kB\nVmFlags: rd wr mr mw me ac hg \n"
    "7f1200000000-7f1200001000 r-xp 00002000 fe:00 247134                     /usr/lib/a library.so (deleted)\n"
    "Rss:                   4 kB\nVmFlags: rd ex\n"
    "7f1200002000-7f1200003000 rw-s 00000000 00:01 12                         /memfd:x (deleted)\n";

}  // namespace

TEST_CASE("resident bytes are counted from page to page and within pages") {
    const PageRun run(0x10000, std::vector<bool>{true, false, true, true});
    CHECK(run.resident_bytes() == 3 * kPageBytes);
    CHECK(run.resident_bytes(0x10000, 0x14000) == 3 * kPageBytes);
    CHECK(run.resident_bytes(0x10010, 0x10020) == 16);
    CHECK(run.resident_bytes(0x10ff0, 0x12010) == 16 + 16);
    CHECK(run.resident_bytes(0x11000, 0x12000) == 0);
    CHECK(run.resident_bytes(0x12001, 0x13fff) == 2 * kPageBytes - 2);
    CHECK(run.resident_bytes(0, 0x10010) == 16);
    CHECK(run.resident_bytes(0x13000, 0x99000) == kPageBytes);
    CHECK(run.resident_bytes(0x99000, 0x98000) == 0);
    CHECK(run.next_resident(0x11008) == 0x12000);
    CHECK(run.next_resident(0x12008) == 0x12000);
    CHECK(run.next_resident(0x14000) == run.end());
    CHECK(PageRun{}.resident_bytes(0, 0x1000) == 0);
}

TEST_CASE("any part of a random run is counted as byte by byte") {
    test::Random random;
    std::vector<bool> resident;
    for (int page = 0; page < 20; ++page) {
        resident.push_back(random.one_in(2));
    }
    const PageRun run(0x40000, resident);
    for (int round = 0; round < 200; ++round) {
        const std::uint64_t from = 0x40000 + random.below(20 * kPageBytes);
        const std::uint64_t to = 0x40000 + random.below(20 * kPageBytes);
        std::uint64_t slow = 0;
        for (std::uint64_t at = from; at < to; ++at) {
            slow += run.is_resident(at) ? 1U : 0U;
        }
        CHECK(run.resident_bytes(from, to) == slow);
    }
}

TEST_CASE("the kernel's page of zeroes does not count, a page shared after fork does") {
    const std::array<std::uint64_t, 4> words{kPresent | kExclusive, kPresent, 0, kPresent | kExclusive};
    CHECK(PageRun(0, words, 2 * kPageBytes).resident_bytes() == 2 * kPageBytes);
    CHECK(PageRun(0, words, 3 * kPageBytes).resident_bytes() == 3 * kPageBytes);
}

TEST_CASE("mappings and their counters are read from smaps") {
    const auto mappings = parse_mappings(kSmaps);
    REQUIRE(mappings.has_value());
    REQUIRE(mappings->size() == 3);
    const ProcessMapping& heap = (*mappings)[0];
    CHECK(heap.resident_bytes == 12 << 10);
    CHECK(heap.lazy_free_bytes == 4 << 10);
    CHECK(heap.swapped_bytes == 16 << 10);
    CHECK(heap.is_private_anonymous());
    CHECK(heap.wants_huge_pages);
    CHECK_FALSE((*mappings)[1].wants_huge_pages);
    CHECK((*mappings)[1].file_name() == "a library.so");
    CHECK((*mappings)[1].is_file());
    CHECK((*mappings)[1].executable);
    CHECK((*mappings)[2].shared);
}

TEST_CASE("text that is no list of mappings is refused, cut text is not") {
    CHECK_FALSE(parse_mappings("something else\n").has_value());
    CHECK_FALSE(parse_mappings("Rss: 4 kB\n").has_value());
    CHECK(parse_mappings("").value().empty());
    const std::string text = kSmaps;
    for (std::size_t cut = 0; cut < text.size(); ++cut) {
        if (const auto mappings = parse_mappings(std::string_view{text}.substr(0, cut)); mappings) {
            CHECK(mappings->size() <= 3);
        }
    }
}

TEST_CASE("a replacement goes before libc, and files tell allocators") {
    std::vector<ProcessMapping> mappings(1);
    CHECK(allocator_in_use(mappings).kind == AllocatorKind::unknown);
    mappings[0].inode = 1;
    const std::array<std::pair<const char*, AllocatorKind>, 11> known{{{"/usr/lib/libc.so.6", AllocatorKind::glibc},
                                                                       {"/lib/libc-2.31.so", AllocatorKind::glibc},
                                                                       {"/lib/ld-musl-x86_64.so.1", AllocatorKind::musl},
                                                                       {"/usr/lib/x86_64-linux-musl/libc.so", AllocatorKind::musl},
                                                                       {"/opt/x/libc.so", AllocatorKind::unknown},
                                                                       {"/usr/lib/libtbbmalloc_proxy.so.2", AllocatorKind::other},
                                                                       {"/usr/lib/libjemalloc.so.2", AllocatorKind::jemalloc},
                                                                       {"/usr/lib/libtcmalloc_minimal.so.4", AllocatorKind::tcmalloc},
                                                                       {"/usr/lib/libmimalloc.so.2.0 (deleted)", AllocatorKind::mimalloc},
                                                                       {"/opt/libheapwright.so", AllocatorKind::heapwright},
                                                                       {"/usr/lib/libcrypt.so.1", AllocatorKind::unknown}}};
    for (const auto& [path, kind] : known) {
        mappings[0].path = path;
        CHECK(allocator_in_use(mappings).kind == kind);
    }
    mappings[0].path = "/usr/lib/libc.so.6";
    mappings.push_back(mappings[0]);
    mappings[1].path = "/usr/lib/libjemalloc.so.2";
    CHECK(allocator_in_use(mappings).kind == AllocatorKind::jemalloc);
}

TEST_CASE("of two replacements the one that was preloaded serves the program, wherever it lies") {
    std::vector<ProcessMapping> mappings(3);
    mappings[0].inode = mappings[1].inode = mappings[2].inode = 1;
    mappings[0].path = "/usr/lib/libjemalloc.so.2";
    mappings[1].path = "/opt/libheapwright.so";
    mappings[2].path = "/usr/lib/libtcmalloc_minimal.so.4.5.9";
    CHECK(allocator_in_use(mappings).kind == AllocatorKind::heapwright);
    CHECK(allocator_in_use(mappings, "/usr/lib/libjemalloc.so.2").kind == AllocatorKind::jemalloc);
    CHECK(allocator_in_use(mappings, "/opt/libheapwright.so").kind == AllocatorKind::heapwright);
    CHECK(allocator_in_use(mappings, "libtcmalloc_minimal.so.4:/opt/libheapwright.so").kind == AllocatorKind::tcmalloc);
    CHECK(allocator_in_use(mappings, "/opt/libheapwright-record.so /opt/libheapwright.so").kind == AllocatorKind::heapwright);
    CHECK(allocator_in_use(mappings, "/opt/libheapwright.so").file == "/opt/libheapwright.so");
    CHECK(allocator_in_use(mappings, "/gone/libmimalloc.so.2: :").kind == AllocatorKind::heapwright);
}

TEST_CASE("a mapping behind a guard with a thread's control block is a stack") {
    ImageMemory memory;
    std::vector<ProcessMapping> mappings(4);
    mappings[0].start = 0x7f00'0000'0000;
    mappings[0].end = mappings[1].start = mappings[0].start + kPageBytes;
    mappings[1].end = mappings[1].start + (8 << 20);
    mappings[1].readable = mappings[1].writable = true;
    mappings[1].resident_bytes = 8192;
    const std::uint64_t block = mappings[1].end - 0x940;
    memory.put(block, std::array<std::uint64_t, 3>{block, 0, block});
    mappings[2] = mappings[1];
    mappings[2].start = mappings[1].end + kPageBytes;  // no guard before it
    mappings[2].end = mappings[2].start + (8 << 20);
    mappings[3].path = "[stack]";
    const std::vector<bool> found = find_stacks(memory, mappings);
    CHECK(found == std::vector<bool>{false, true, false, true});
    memory.put(block, std::uint64_t{0});
    CHECK_FALSE(find_stacks(memory, mappings)[1]);
}

TEST_CASE("who a process is, and who is none") {
    const auto self = read_process_facts(getpid());
    REQUIRE(self.has_value());
    CHECK(self->user == getuid());
    CHECK(self->threads >= 1);
    CHECK(self->is_64_bit);
    CHECK_FALSE(self->is_static);
    CHECK(is_still_there(*self));
    CHECK(self->executable.find("doctor_test") != std::string::npos);
    const auto none = read_process_facts(0x7fff'fff0);
    REQUIRE_FALSE(none.has_value());
    CHECK(none.error().detail == static_cast<std::uint32_t>(Refusal::no_such_process));
}

TEST_CASE("a process that has ended is refused, before and after its parent takes notice") {
    const pid_t child = fork();
    if (child == 0) {
        _exit(0);
    }
    siginfo_t info{};
    REQUIRE(waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0);
    const auto zombie = read_process_facts(child);
    REQUIRE_FALSE(zombie.has_value());
    CHECK(zombie.error().detail == static_cast<std::uint32_t>(Refusal::zombie));
    waitpid(child, nullptr, 0);
    const auto gone = read_process_facts(child);
    REQUIRE_FALSE(gone.has_value());
    CHECK(gone.error().detail == static_cast<std::uint32_t>(Refusal::no_such_process));
}

TEST_CASE("memory is read where it is resident, and nothing becomes resident by it") {
    constexpr std::size_t kBytes = 64 * kPageBytes;
    void* const place = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(place != MAP_FAILED);
    madvise(place, kBytes, MADV_NOHUGEPAGE);
    auto* const bytes = static_cast<unsigned char*>(place);
    bytes[5] = 7;
    bytes[20 * kPageBytes + 1] = 9;
    const auto address = reinterpret_cast<std::uint64_t>(place);
    ProcessMemory memory(getpid());
    std::vector<std::byte> copy(kBytes, std::byte{1});
    CHECK(memory.read(address, copy) == 2 * kPageBytes);
    CHECK(copy[5] == std::byte{7});
    CHECK(copy[20 * kPageBytes + 1] == std::byte{9});
    CHECK(copy[3 * kPageBytes] == std::byte{0});
    const PageRun pages = memory.residency(address, address + kBytes, 2 * kPageBytes);
    CHECK(pages.resident_bytes() == 2 * kPageBytes);
    CHECK(pages.is_resident(address + 20 * kPageBytes));
    CHECK_FALSE(memory.object<std::uint64_t>(address + 3 * kPageBytes).has_value());
    CHECK_FALSE(memory.was_refused());
    munmap(place, kBytes);
    CHECK(memory.read(address, copy) == 0);
    CHECK(memory.read(~std::uint64_t{0} - 100, copy) == 0);
}

}  // namespace heapwright::study::doctor
