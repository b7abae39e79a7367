// Mistakes that heaps of this kind are known to have made, each with the test that it is not made here.
#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/tlsf/tlsf.hpp>

namespace heapwright {
namespace {

constexpr Layout bytes(std::size_t size) { return {.size = size, .alignment = 8}; }

/// Blocks smaller than 4 KiB.
using LowTlsf = BasicTlsf<12, 3>;

TEST_CASE("a region of exactly the largest size works, and one word more is refused") {
    constexpr std::size_t kMost = (std::size_t{1} << 12) - LowTlsf::kAlignment + LowTlsf::kRegionOverheadBytes;
    std::vector<std::size_t> memory((kMost + 64) / sizeof(std::size_t));
    auto* const start = reinterpret_cast<std::byte*>(memory.data());
    for (std::size_t size = kMost - 64; size <= kMost + 32; ++size) {
        LowTlsf heap;
        const bool is_added = heap.add_region({start, size}).has_value();
        CHECK(is_added == (align_down(size, LowTlsf::kAlignment) <= kMost));
        if (is_added) {
            const std::size_t usable = heap.stats().largest_free_bytes - LowTlsf::kAlignment - (kPoisoning ? 8 : 0);
            void* const block = heap.try_allocate(bytes(usable));
            REQUIRE(block != nullptr);
            std::memset(block, 1, usable);
            REQUIRE(heap.broken_invariant() == nullptr);
            heap.deallocate(block);
            REQUIRE(heap.broken_invariant() == nullptr);
            REQUIRE(heap.try_allocate(bytes(LowTlsf::kLargestBytes + 1)) == nullptr);
        }
    }
}

TEST_CASE("the largest sizes there are do not wrap round into small blocks") {
    std::vector<std::byte> memory(20'000);
    Tlsf heap;
    REQUIRE(heap.add_region(memory));
    for (std::size_t below = 0; below < 100; ++below) {
        CHECK(heap.try_allocate({.size = Layout::kLargestSize - below, .alignment = 1}) == nullptr);
        CHECK(heap.try_allocate({.size = Tlsf::kLargestBytes - below, .alignment = 1}) == nullptr);
        CHECK(heap.try_allocate({.size = Tlsf::kLargestBytes + below, .alignment = 1}) == nullptr);
        CHECK(heap.try_allocate({.size = below, .alignment = std::size_t{1} << 46}) == nullptr);
        CHECK(heap.try_allocate({.size = below, .alignment = std::size_t{1} << 62}) == nullptr);
    }
    CHECK(heap.why_refused() == Errc::overflow);
    void* const block = heap.try_allocate(bytes(1));
    CHECK_FALSE(heap.try_expand(block, bytes(1), SIZE_MAX));
    CHECK(heap.try_reallocate(block, bytes(1), Layout::kLargestSize) == nullptr);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("a region too small for a block is refused instead of underflowing") {
    alignas(16) std::array<std::byte, 256> memory{};
    for (std::size_t size = 0; size < memory.size(); ++size) {
        Tlsf heap;
        const bool is_added = heap.add_region({memory.data(), size}).has_value();
        CHECK(is_added == (align_down(size, Tlsf::kAlignment) >= Tlsf::kRegionOverheadBytes + 4 * sizeof(std::size_t)));
        CHECK((heap.try_allocate(bytes(1)) != nullptr) == is_added);
    }
    Tlsf heap;
    CHECK_FALSE(heap.add_region({}));
    CHECK_FALSE(heap.add_region({memory.data(), SIZE_MAX}));  // beyond the end of all addresses
}

TEST_CASE("a region that overlaps another is refused") {
    alignas(16) std::array<std::byte, 4096> memory{};
    Tlsf heap;
    REQUIRE(heap.add_region({memory.data() + 1024, 1024}));
    CHECK_FALSE(heap.add_region({memory.data() + 1024, 1024}));
    CHECK_FALSE(heap.add_region({memory.data(), 1032}));
    CHECK_FALSE(heap.add_region({memory.data() + 2040, 1024}));
    CHECK_FALSE(heap.add_region(memory));
    CHECK_FALSE(heap.add_region({memory.data() + 1200, 500}));
    CHECK(heap.add_region({memory.data(), 1024}));
    CHECK(heap.add_region({memory.data() + 2048, 1024}));
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("a region may begin and end at any address") {
    std::vector<std::byte> memory(3000);
    for (std::size_t offset = 0; offset < 16; ++offset) {
        for (std::size_t size = 2000; size < 2016; ++size) {
            std::memset(memory.data(), 0x77, memory.size());
            Tlsf heap;
            REQUIRE(heap.add_region({memory.data() + offset, size}));
            void* const block = heap.try_allocate(bytes(heap.stats().largest_free_bytes - Tlsf::kAlignment - (kPoisoning ? 8 : 0)));
            REQUIRE(block != nullptr);
            std::memset(block, 1, heap.usable_size(block));
            REQUIRE(heap.broken_invariant() == nullptr);
            const auto is_untouched = [](std::byte byte) { return byte == std::byte{0x77}; };
            REQUIRE(std::all_of(memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(offset), is_untouched));
            REQUIRE(std::all_of(memory.begin() + static_cast<std::ptrdiff_t>(offset + size), memory.end(), is_untouched));
            heap.deallocate(block);
            REQUIRE(heap.remove_region(memory.data() + offset + 100));
        }
    }
}

TEST_CASE("a class whose blocks may be too small serves those that fit, so that a tiny region is not wasted") {
    // Rounding a request up to the next class would refuse a request for the only block there is.
    alignas(16) std::array<std::byte, 8192> memory{};
    for (std::size_t size = 1000; size < 8192; size += 72) {
        SmallTlsf heap;
        REQUIRE(heap.add_region({memory.data(), size}));
        const std::size_t usable = heap.stats().largest_free_bytes - SmallTlsf::kAlignment - (kPoisoning ? 8 : 0);
        CHECK(heap.try_allocate(bytes(usable)) != nullptr);
    }
}

TEST_CASE("the highest class and every class below it keep within the lists") {
    std::vector<std::byte> memory(std::size_t{1} << 17);
    SmallTlsf heap;
    REQUIRE(heap.add_region({memory.data(), (std::size_t{1} << 17) - 64}));
    for (std::size_t size = 0; size <= SmallTlsf::kLargestBytes; size += size / 16 + 8) {
        if (void* const block = heap.try_allocate(bytes(size))) {
            REQUIRE(heap.broken_invariant() == nullptr);
            heap.deallocate(block, bytes(size));
        }
        REQUIRE(heap.broken_invariant() == nullptr);
    }
    CHECK(heap.stats().fragmentation_permille == 0);
}

TEST_CASE("a heap is usable before anything ran: it is built when the program is compiled") {
    static constinit SmallTlsf heap;
    alignas(16) static std::array<std::byte, 4096> memory;
    REQUIRE(heap.add_region(memory));
    CHECK(heap.try_allocate(bytes(100)) != nullptr);
}

TEST_CASE("an aligned block leaves no hole that nobody can use") {
    std::vector<std::byte> memory(1 << 16);
    Tlsf heap;
    REQUIRE(heap.add_region(memory));
    const std::size_t before = heap.stats().free_bytes;
    std::vector<void*> blocks;
    for (int count = 0; count < 100; ++count) {
        blocks.push_back(heap.allocate({.size = 40, .alignment = 64}));
    }
    std::size_t walked = 0;
    heap.for_each_block([&](const void*, std::size_t usable, bool) { walked += usable + sizeof(std::size_t); });
    CHECK(walked == before);
    for (void* const block : blocks) {
        heap.deallocate(block);
    }
    CHECK(heap.stats().largest_free_bytes == before);
}

TEST_CASE("free memory is never counted below nothing") {
    std::vector<std::byte> memory(10'000);
    Tlsf heap;
    REQUIRE(heap.add_region(memory));
    while (heap.try_allocate(bytes(100)) != nullptr) {
        REQUIRE(heap.stats().free_bytes < 10'000);
        REQUIRE(heap.stats().fragmentation_permille <= 1000);
    }
    CHECK(heap.stats().refusals == 1);
}

}  // namespace
}  // namespace heapwright
