// Pages: reserve, commit, decommit, discard, release, and what of it is resident.
#include <heapwright/os/pages.hpp>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>

#include <sys/mman.h>

#include <doctest/doctest.h>

#include <heapwright/base/bits.hpp>

#include <tests/support/death.hpp>

namespace heapwright::os {
namespace {

constexpr std::size_t kBytes = 64 * kPageBytes;

bool maps_mention(const std::string& word) {
    std::ifstream file("/proc/self/maps");
    for (std::string line; std::getline(file, line);) {
        if (line.find(word) != std::string::npos) {
            return true;
        }
    }
    return false;
}

}  // namespace

TEST_CASE("a reservation has the alignment asked for and takes no memory") {
    for (std::size_t alignment = kPageBytes; alignment <= std::size_t{1} << 30; alignment <<= 1) {
        void* start = reserve(kBytes, alignment, nullptr);
        REQUIRE(start != nullptr);
        CHECK(is_aligned(start, alignment));
        CHECK(resident_pages(start, kBytes) == 0);
        release(start, kBytes);
    }
}

TEST_CASE("committed pages are zero and can be written") {
    auto* start = static_cast<char*>(reserve(kBytes, kPageBytes, "pages test"));
    REQUIRE(start != nullptr);
    REQUIRE(commit(start, kBytes / 2));
    for (std::size_t offset = 0; offset < kBytes / 2; offset += 512) {
        CHECK(start[offset] == 0);
    }
    std::memset(start, 'x', kBytes / 2);
    CHECK(resident_pages(start, kBytes / 2) == kBytes / 2 / kPageBytes);
    release(start, kBytes);
}

TEST_CASE("decommitted pages give their memory back and lose their contents") {
    auto* start = static_cast<char*>(reserve(kBytes, kPageBytes, nullptr));
    REQUIRE(commit(start, kBytes));
    std::memset(start, 'x', kBytes);
    REQUIRE(decommit(start, kBytes));
    CHECK(resident_pages(start, kBytes) == 0);
    REQUIRE(commit(start, kBytes));
    CHECK(start[0] == 0);
    CHECK(start[kBytes - 1] == 0);
    release(start, kBytes);
}

TEST_CASE("discarded pages give their memory back and stay usable") {
    auto* start = static_cast<char*>(map_pages(kBytes, nullptr));
    REQUIRE(start != nullptr);
    ::madvise(start, kBytes, MADV_NOHUGEPAGE);
    std::memset(start, 'x', kBytes);
    REQUIRE(discard(start, kBytes));
    CHECK(resident_pages(start, kBytes) == 0);
    start[kPageBytes] = 'y';
    CHECK(resident_pages(start, kBytes) == 1);
    release(start, kBytes);
}

TEST_CASE("reserved and decommitted pages cannot be touched") {
    CHECK(test::death_of([] {
              auto* start = static_cast<volatile char*>(reserve(kBytes, kPageBytes, nullptr));
              start[0] = 1;
          }).died);
    CHECK(test::death_of([] {
              auto* start = static_cast<char*>(reserve(kBytes, kPageBytes, nullptr));
              if (commit(start, kBytes) && decommit(start, kBytes)) {
                  static_cast<volatile char*>(start)[0] = 1;
              }
          }).died);
}

TEST_CASE("released pages are gone") {
    void* start = map_pages(kBytes, nullptr);
    release(start, kBytes);
    CHECK(resident_pages(start, kBytes) < 0);
}

TEST_CASE("a mapping carries its name where the kernel can show it") {
    void* start = map_pages(kBytes, "heapwright-named");
    REQUIRE(start != nullptr);
    void* probe = map_pages(kPageBytes, "heapwright-probe");
    if (maps_mention("[anon:heapwright-probe]")) {
        CHECK(maps_mention("[anon:heapwright-named]"));
    } else {
        MESSAGE("this kernel does not name mappings");
    }
    release(probe, kPageBytes);
    release(start, kBytes);
}

TEST_CASE("what the kernel cannot give is refused") {
    CHECK(reserve(std::size_t{1} << 62, kPageBytes, nullptr) == nullptr);
    CHECK(reserve(SIZE_MAX - kPageBytes + 1, std::size_t{1} << 30, nullptr) == nullptr);
    CHECK(map_pages(std::size_t{1} << 60, nullptr) == nullptr);
    CHECK(map_pages(SIZE_MAX, nullptr) == nullptr);
    CHECK_FALSE(commit(reinterpret_cast<void*>(kPageBytes), kPageBytes));
}

TEST_CASE("a size that is no whole page, or an alignment that is no power of two, is the caller's mistake") {
    const auto odd_size = test::death_of([] { static_cast<void>(reserve(100, kPageBytes, nullptr)); });
    CHECK(test::said(odd_size, "heapwright: a reservation is whole OS pages ("));
    const auto odd_alignment = test::death_of([] { static_cast<void>(reserve(kPageBytes, 3 * kPageBytes, nullptr)); });
    CHECK(test::said(odd_alignment, "heapwright: a reservation's alignment is a power of two"));
    const auto odd_release = test::death_of([] { release(reinterpret_cast<void*>(4097), kPageBytes); });
    CHECK(test::said(odd_release, "heapwright: page operations take whole OS pages"));
}

TEST_CASE("sizes are rounded up to whole pages") {
    CHECK(round_to_pages(0) == 0);
    CHECK(round_to_pages(1) == kPageBytes);
    CHECK(round_to_pages(kPageBytes) == kPageBytes);
    CHECK(round_to_pages(kPageBytes + 1) == 2 * kPageBytes);
}

}  // namespace heapwright::os
