// The list of mappings: agrees with what was mapped, line by line, and survives odd files.
#include <heapwright/os/maps.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/os/pages.hpp>

#include <tests/support/random.hpp>

namespace heapwright::os {
namespace {

struct Seen {
    Mapping mapping;
    std::string path;
};

std::vector<Seen> all_mappings(MapsDetail detail) {
    static char buffer[kMapsBufferBytes];
    std::vector<Seen> seen;
    seen.reserve(4096);  // so that the walk does not change what it walks over
    const auto count = for_each_mapping(buffer, detail, [&seen](const Mapping& mapping) {
        seen.push_back({mapping, std::string(mapping.path)});
        return true;
    });
    REQUIRE(count.has_value());
    CHECK(*count == seen.size());
    return seen;
}

const Seen* find(const std::vector<Seen>& all, const void* address) {
    for (const Seen& one : all) {
        if (one.mapping.contains(address)) {
            return &one;
        }
    }
    return nullptr;
}

/// A file in the format of maps or smaps, removed with the object.
class PlantedFile {
public:
    explicit PlantedFile(const std::string& text) {
        ::close(::mkstemp(path_.data()));
        std::ofstream(path_) << text;
    }
    PlantedFile(const PlantedFile&) = delete;
    PlantedFile& operator=(const PlantedFile&) = delete;
    ~PlantedFile() { std::remove(path_.c_str()); }
    [[nodiscard]] const char* path() const { return path_.c_str(); }

private:
    std::string path_ = "/tmp/heapwright-maps-XXXXXX";
};

Result<std::size_t> walk(const char* path, std::vector<Seen>& seen, MapsDetail detail = MapsDetail::addresses) {
    static char buffer[kMapsBufferBytes];
    return for_each_mapping_in(
        path, buffer, detail,
        [](const Mapping& mapping, void* context) noexcept -> bool {
            static_cast<std::vector<Seen>*>(context)->push_back({mapping, std::string(mapping.path)});
            return true;
        },
        &seen);
}

}  // namespace

TEST_CASE("mappings come in order, do not overlap, and include code, stack and a page of our own") {
    void* page = map_pages(3 * kPageBytes, "maps test");
    REQUIRE(page != nullptr);
    const auto all = all_mappings(MapsDetail::addresses);
    for (std::size_t index = 1; index < all.size(); ++index) {
        CHECK(all[index - 1].mapping.end <= all[index].mapping.start);
    }
    const Seen* own = find(all, page);
    REQUIRE(own != nullptr);
    CHECK(own->mapping.readable);
    CHECK(own->mapping.writable);
    CHECK_FALSE(own->mapping.executable);
    CHECK_FALSE(own->mapping.shared);
    CHECK_FALSE(own->mapping.has_counters);

    const Seen* code = find(all, reinterpret_cast<const void*>(&all_mappings));
    REQUIRE(code != nullptr);
    CHECK(code->mapping.executable);
    CHECK(code->mapping.inode != 0);
    CHECK(code->path.find("heapwright_os_test") != std::string::npos);
    release(page, 3 * kPageBytes);
}

TEST_CASE("the list is the one the kernel prints") {
    std::vector<std::string> expected;
    {
        std::ifstream file("/proc/self/maps");
        for (std::string line; std::getline(file, line);) {
            // Mappings that the test's own allocations may move are left out.
            if (line.find(".so") != std::string::npos || line.find("heapwright_os_test") != std::string::npos) {
                expected.push_back(line.substr(0, line.find(' ')));
            }
        }
    }
    const auto all = all_mappings(MapsDetail::addresses);
    std::vector<std::string> got;
    for (const Seen& one : all) {
        if (one.path.find(".so") != std::string::npos || one.path.find("heapwright_os_test") != std::string::npos) {
            char text[64];
            std::snprintf(text, sizeof text, "%08lx-%08lx", static_cast<unsigned long>(one.mapping.start),
                          static_cast<unsigned long>(one.mapping.end));
            got.emplace_back(text);
        }
    }
    CHECK(got == expected);
}

TEST_CASE("counters tell what is resident in each mapping") {
    constexpr std::size_t kPages = 16;
    // A reservation around it, so that the kernel cannot join it to a neighbour.
    auto* room = static_cast<char*>(reserve((kPages + 2) * kPageBytes, kPageBytes, nullptr));
    REQUIRE(room != nullptr);
    char* pages = room + kPageBytes;
    REQUIRE(commit(pages, kPages * kPageBytes));
    ::madvise(pages, kPages * kPageBytes, MADV_NOHUGEPAGE);
    for (std::size_t page = 0; page < 5; ++page) {
        pages[page * 2 * kPageBytes] = 1;
    }
    const auto all = all_mappings(MapsDetail::counters);
    const Seen* own = find(all, pages);
    REQUIRE(own != nullptr);
    CHECK(own->mapping.has_counters);
    CHECK(own->mapping.size_bytes() == kPages * kPageBytes);
    CHECK(own->mapping.resident_bytes == 5 * kPageBytes);
    CHECK(own->mapping.anonymous_bytes == 5 * kPageBytes);
    CHECK(own->mapping.swapped_bytes == 0);
    release(room, (kPages + 2) * kPageBytes);
}

TEST_CASE("a callback that has seen enough ends the walk") {
    static char buffer[kMapsBufferBytes];
    int calls = 0;
    const auto count = for_each_mapping(buffer, MapsDetail::addresses, [&calls](const Mapping&) { return ++calls < 3; });
    CHECK(count.value() == 3);
    CHECK(calls == 3);
}

TEST_CASE("more mappings than the buffer holds are all seen") {
    constexpr std::size_t kCount = 600;
    auto* room = static_cast<char*>(reserve(2 * kCount * kPageBytes, kPageBytes, nullptr));
    REQUIRE(room != nullptr);
    for (std::size_t index = 0; index < kCount; ++index) {
        REQUIRE(commit(room + index * 2 * kPageBytes, kPageBytes));  // every second page: none can be joined
    }
    std::size_t found = 0;
    for (const Seen& one : all_mappings(MapsDetail::addresses)) {
        const auto address = reinterpret_cast<std::uintptr_t>(room);
        found += one.mapping.start >= address && one.mapping.end <= address + 2 * kCount * kPageBytes && one.mapping.writable ? 1 : 0;
    }
    CHECK(found == kCount);
    release(room, 2 * kCount * kPageBytes);
}

TEST_CASE("a line is understood down to blanks and brackets in its path") {
    Mapping mapping;
    REQUIRE(detail::parse_maps_line("7f12a000-7f12c000 r-xs 00001000 fd:1a 4711                       /opt/a b (deleted)", mapping));
    CHECK(mapping.start == 0x7f12a000);
    CHECK(mapping.end == 0x7f12c000);
    CHECK(mapping.readable);
    CHECK_FALSE(mapping.writable);
    CHECK(mapping.executable);
    CHECK(mapping.shared);
    CHECK(mapping.offset == 0x1000);
    CHECK(mapping.device_major == 0xfd);
    CHECK(mapping.device_minor == 0x1a);
    CHECK(mapping.inode == 4711);
    CHECK(mapping.path == "/opt/a b (deleted)");
    REQUIRE(detail::parse_maps_line("0-1000 ---p 00000000 00:00 0 ", mapping));
    CHECK(mapping.path.empty());
}

TEST_CASE("lines that are no mapping are refused") {
    for (const char* line : {"", "x", "12-", "12-34", "34-12 rw-p 0 0:0 0", "12-34 rw", "12-34 rw-p", "12-34 rw-p zz 0:0 0",
                             "12-34 rw-p 0 0 0", "fffffffffffffffff-1 rw-p 0 0:0 0"}) {
        Mapping mapping;
        CAPTURE(line);
        CHECK_FALSE(detail::parse_maps_line(line, mapping));
    }
    const PlantedFile planted("1000-2000 rw-p 00000000 00:00 0 \nnonsense\n");
    std::vector<Seen> seen;
    CHECK(walk(planted.path(), seen).error().kind == Errc::damaged_data);
}

TEST_CASE("a path beyond the buffer is cut and the next line is whole again") {
    const std::string longest(20'000, 'p');
    const PlantedFile planted("1000-2000 rw-p 00000000 00:00 5 /" + longest + "\n2000-3000 r--p 00000000 00:00 0 [heap]\n");
    std::vector<Seen> seen;
    CHECK(walk(planted.path(), seen).value() == 2);
    REQUIRE(seen.size() == 2);
    CHECK(seen[0].path.starts_with("/pppp"));
    CHECK(seen[0].path.size() < longest.size());
    CHECK(seen[1].path == "[heap]");
}

TEST_CASE("counters belong to the mapping above them, also the last one without a newline") {
    const PlantedFile planted(
        "1000-2000 rw-p 00000000 00:00 0 [heap]\nSize: 4 kB\nRss:                 4 kB\nAnonHugePages:    2048 kB\nVmFlags: rd wr\n"
        "2000-3000 rw-p 00000000 00:00 0 \nRss:    8 kB\nSwap:  12 kB");
    std::vector<Seen> seen;
    CHECK(walk(planted.path(), seen, MapsDetail::counters).value() == 2);
    CHECK(seen[0].mapping.resident_bytes == 4096);
    CHECK(seen[0].mapping.huge_bytes == 2048 * 1024);
    CHECK(seen[0].path == "[heap]");
    CHECK(seen[1].mapping.resident_bytes == 8192);
    CHECK(seen[1].mapping.swapped_bytes == 12 * 1024);
}

TEST_CASE("an observer's pages are told from the program's, named or not, and never merge with them") {
    void* before = map_pages(kPageBytes, nullptr);
    void* own = map_observer_pages(3 * kPageBytes - 100, nullptr);
    void* behind = map_pages(kPageBytes, nullptr);
    std::size_t marked_bytes = 0;
    std::vector<char> buffer(kMapsBufferBytes);
    const auto walked = for_each_mapping(buffer, MapsDetail::counters, [&](const Mapping& mapping) noexcept {
        if (mapping.contains(own)) {
            CHECK(mapping.is_observers);
        }
        if (mapping.contains(before) || mapping.contains(behind)) {
            CHECK_FALSE(mapping.is_observers);
        }
        marked_bytes += mapping.is_observers ? mapping.size_bytes() : 0;
        return true;
    });
    CHECK(walked.has_value());
    CHECK(marked_bytes == 3 * kPageBytes);
    release(before, kPageBytes);
    release(own, 3 * kPageBytes);
    release(behind, kPageBytes);
}

TEST_CASE("random bytes are refused or read, never a crash") {
    test::Random random;
    for (int round = 0; round < 200; ++round) {
        std::string text;
        for (std::uint64_t length = random.below(400); length > 0; --length) {
            constexpr std::string_view kLetters = "0123456789abcdef-: rwxp/\nRSs\t";
            text.push_back(random.one_in(8) ? static_cast<char>(random.next()) : kLetters[random.below(kLetters.size())]);
        }
        const PlantedFile planted(text);
        std::vector<Seen> seen;
        const auto count = walk(planted.path(), seen, MapsDetail::counters);
        CHECK((!count.has_value() || *count == seen.size()));
    }
}

}  // namespace heapwright::os
