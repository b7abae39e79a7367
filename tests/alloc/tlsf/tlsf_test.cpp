// The heap in constant time: blocks, neighbours, regions, figures.
#include <heapwright/alloc/tlsf/tlsf.hpp>

#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/page_source.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/report.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>
#include <tests/support/random.hpp>

namespace heapwright {
namespace {

using test::FailingSource;
using Region = std::vector<std::byte>;

constexpr Layout bytes(std::size_t size) { return {.size = size, .alignment = 8}; }

TEST_CASE("a heap without a region has nothing to give") {
    Tlsf heap;
    CHECK(heap.try_allocate(bytes(1)) == nullptr);
    CHECK(heap.why_refused() == Errc::out_of_memory);
    CHECK(heap.broken_invariant() == nullptr);
    CHECK(heap.stats().fragmentation_permille == 0);
}

TEST_CASE("all of a region can be given as one block, and again after it came back in pieces") {
    Region region(100'000);
    Tlsf heap;
    REQUIRE(heap.add_region(region));
    const std::size_t largest = heap.stats().largest_free_bytes - Tlsf::kAlignment - (kPoisoning ? 8 : 0);
    void* const all = heap.try_allocate(bytes(largest));
    REQUIRE(all != nullptr);
    CHECK(heap.try_allocate(bytes(1)) == nullptr);
    CHECK(heap.stats().free_bytes == 0);
    heap.deallocate(all, bytes(largest));
    std::vector<void*> blocks;
    while (void* const block = heap.try_allocate(bytes(100))) {
        blocks.push_back(block);
    }
    CHECK(blocks.size() > 800);
    for (std::size_t index = 0; index < blocks.size(); index += 2) {
        heap.deallocate(blocks[index]);
    }
    CHECK(heap.stats().fragmentation_permille > 900);
    CHECK(heap.broken_invariant() == nullptr);
    for (std::size_t index = 1; index < blocks.size(); index += 2) {
        heap.deallocate(blocks[index]);
    }
    CHECK(heap.stats().fragmentation_permille == 0);
    CHECK(heap.stats().used_bytes == 0);
    CHECK(heap.try_allocate(bytes(largest)) == all);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("blocks are aligned as asked, and what lies in front of them is used") {
    Region region(1 << 20);
    Tlsf heap;
    REQUIRE(heap.add_region(region));
    std::vector<void*> blocks;
    for (std::size_t alignment = 1; alignment <= 65536; alignment *= 2) {
        for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{24}, std::size_t{1000}}) {
            void* const block = heap.try_allocate({.size = size, .alignment = alignment});
            REQUIRE(block != nullptr);
            REQUIRE(is_aligned(block, alignment));
            REQUIRE(heap.usable_size(block) >= size);
            std::memset(block, 0x5A, size);
            blocks.push_back(block);
            REQUIRE(heap.broken_invariant() == nullptr);
        }
    }
    for (void* const block : blocks) {
        heap.deallocate(block);
    }
    CHECK(heap.stats().fragmentation_permille == 0);
}

TEST_CASE("several regions are one heap, and blocks never join across their borders") {
    Region memory(40'000);
    Tlsf heap;
    // Two regions side by side: the end of one is the start of the other.
    REQUIRE(heap.add_region({memory.data(), 20'000}));
    REQUIRE(heap.add_region({memory.data() + 20'000, 20'000}));
    CHECK(heap.stats().regions == 2);
    CHECK(heap.try_allocate(bytes(25'000)) == nullptr);
    void* const first = heap.try_allocate(bytes(19'000));
    void* const second = heap.try_allocate(bytes(19'000));
    REQUIRE(first != nullptr);
    REQUIRE(second != nullptr);
    CHECK(heap.owns(first));
    heap.deallocate(first);
    heap.deallocate(second);
    CHECK(heap.broken_invariant() == nullptr);
    CHECK(heap.stats().largest_free_bytes < 20'000);
}

TEST_CASE("a region can be taken away when it is empty, and only then") {
    Region one(10'000);
    Region two(10'000);
    Tlsf heap;
    REQUIRE(heap.add_region(one));
    REQUIRE(heap.add_region(two));
    void* const block = heap.try_allocate(bytes(100));
    const bool is_in_one = one.data() <= block && block < one.data() + one.size();
    Region& used = is_in_one ? one : two;
    Region& unused = is_in_one ? two : one;
    CHECK_FALSE(heap.remove_region(used.data() + 64));
    CHECK(heap.remove_region(unused.data() + 64));
    CHECK_FALSE(heap.remove_region(unused.data() + 64));
    std::memset(unused.data(), 0xFF, unused.size());  // it is ours again
    CHECK(heap.broken_invariant() == nullptr);
    heap.deallocate(block);
    CHECK(heap.remove_region(used.data() + used.size() / 2));
    CHECK(heap.stats().regions == 0);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("a block grows and shrinks in place, or moves with its contents") {
    Region region(100'000);
    Tlsf heap;
    REQUIRE(heap.add_region(region));
    auto* block = static_cast<unsigned char*>(heap.try_allocate(bytes(100)));
    std::memset(block, 7, 100);
    CHECK(heap.try_reallocate(block, bytes(100), 50'000) == block);
    CHECK(block[99] == 7);
    std::memset(block, 8, 50'000);
    CHECK(heap.try_expand(block, bytes(50'000), 200));
    CHECK(heap.stats().used_bytes < 300);
    CHECK(heap.broken_invariant() == nullptr);
    void* const wall = heap.try_allocate(bytes(100));
    CHECK_FALSE(heap.try_expand(block, bytes(200), 1000));
    auto* const moved = static_cast<unsigned char*>(heap.try_reallocate(block, bytes(200), 1000));
    REQUIRE(moved != nullptr);
    CHECK(moved != block);
    CHECK(moved[199] == 8);
    CHECK(heap.try_reallocate(moved, bytes(1000), 1'000'000) == nullptr);
    CHECK(moved[199] == 8);
    heap.deallocate(moved, bytes(1000));
    heap.deallocate(wall);
    CHECK(heap.stats().used_bytes == 0);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("what was rounded up need not be lost") {
    Region region(10'000);
    Tlsf heap;
    REQUIRE(heap.add_region(region));
    const SizedBlock block = heap.try_allocate_at_least(bytes(1));
    CHECK(block.size_bytes >= 16);
    std::memset(block.start, 1, block.size_bytes);
    CHECK(heap.broken_invariant() == nullptr);
    CHECK(heap.try_allocate_at_least(bytes(1'000'000)).start == nullptr);
}

TEST_CASE("a heap on a source takes what it needs and gives empty regions back") {
    FailingSource source;
    {
        Tlsf heap{source, {.region_bytes = 4096, .spare_regions = 1}};
        std::vector<void*> blocks;
        for (int count = 0; count < 200; ++count) {
            blocks.push_back(heap.allocate(bytes(1000)));
        }
        blocks.push_back(heap.allocate(bytes(100'000)));
        CHECK(source.outstanding() > 50);
        CHECK(heap.broken_invariant() == nullptr);
        for (void* const block : blocks) {
            heap.deallocate(block);
        }
        CHECK(source.outstanding() == 1);
        CHECK(heap.broken_invariant() == nullptr);
    }
    CHECK(source.outstanding() == 0);
}

TEST_CASE("a heap of small blocks asks its source for no more than it can hold, whatever its options say") {
    FailingSource source;
    {
        SmallTlsf heap{source};
        void* const largest = heap.try_allocate(bytes(100'000));
        CHECK(largest != nullptr);
        CHECK(source.peak_bytes() <= (std::size_t{1} << 17) + SmallTlsf::kRegionOverheadBytes);
        CHECK(heap.try_allocate(bytes(std::size_t{1} << 17)) == nullptr);
        CHECK(heap.broken_invariant() == nullptr);
        heap.deallocate(largest);
    }
    CHECK(source.outstanding() == 0);
}

TEST_CASE("blocks may be larger than 4 GiB") {
    if constexpr (sizeof(void*) == 8) {
        constexpr std::size_t kBytes = std::size_t{6} << 30;
        void* const memory = os::reserve(kBytes, 4096, "tlsf test");  // addresses only: the heap touches both ends and no more
        REQUIRE(memory != nullptr);
        REQUIRE(os::commit(memory, kBytes));
        {
            Tlsf heap;
            REQUIRE(heap.add_region({static_cast<std::byte*>(memory), kBytes}));
            void* const block = heap.try_allocate(bytes(std::size_t{5} << 30));
            CHECK(block != nullptr);
            void* const small = heap.try_allocate(bytes(100));
            CHECK(heap.stats().used_bytes > (std::size_t{5} << 30));
            CHECK(heap.broken_invariant() == nullptr);
            if (!kPoisoning) {  // the shadow of 5 GiB need not be written
                heap.deallocate(block);
                heap.deallocate(small);
                CHECK(heap.broken_invariant() == nullptr);
            }
        }
        os::release(memory, kBytes);
    }
}

TEST_CASE("the walk shows each block once, and the audit finds a write past a block") {
    Region region(10'000);
    Tlsf heap;
    REQUIRE(heap.add_region(region));
    auto* const first = static_cast<std::byte*>(heap.allocate(bytes(24)));
    static_cast<void>(heap.allocate(bytes(24)));
    std::size_t live = 0;
    std::size_t free = 0;
    heap.for_each_block([&](const void* memory, std::size_t usable, bool is_live) {
        CHECK(memory != nullptr);
        CHECK(usable >= 24);
        ++(is_live ? live : free);
    });
    CHECK(live == 2);
    CHECK(free == 1);
    if (!kPoisoning) {
        first[24] = std::byte{0xFF};  // the low byte of the second block's header
        CHECK(heap.broken_invariant() != nullptr);
        first[24] = std::byte{32};
        CHECK(heap.broken_invariant() == nullptr);
    }
}

TEST_CASE("misuse is refused with a sentence") {
    os::report_failures_to_stderr();
    const auto death_of = [](auto act) {
        return test::death_of([act] {
            Region region(10'000);
            Tlsf heap;
            static_cast<void>(heap.add_region(region));
            act(heap);
        });
    };
    const auto twice = death_of([](Tlsf& heap) {
        void* const block = heap.allocate(bytes(24));
        heap.deallocate(block);
        heap.deallocate(block);
    });
    CHECK(test::said(twice, "heapwright: double free: block 0x"));
    const auto wrong_size = death_of([](Tlsf& heap) { heap.deallocate(heap.allocate(bytes(24)), bytes(100)); });
    CHECK(test::said(wrong_size, "of 24 bytes is freed as 100 bytes"));
    const auto full = death_of([](Tlsf& heap) { static_cast<void>(heap.allocate(bytes(20'000))); });
    CHECK(test::said(full, "heapwright: out of memory: no region of the heap has room"));
    const auto foreign = death_of([](Tlsf& heap) {
        static std::array<std::size_t, 8> zeros{};
        heap.deallocate(&zeros[4]);
    });
    CHECK(test::said(foreign, "is no header of this heap"));
}

TEST_CASE("memory may run out at every step of a heap on a source") {
    test::fail_at_every_step([](FailingSource& source) {
        Tlsf heap{source, {.region_bytes = 4096}};
        std::vector<void*> blocks;
        bool finished = true;
        for (std::size_t count = 0; count < 100 && finished; ++count) {
            void* const block = heap.try_allocate(bytes(1000 + count));
            finished = block != nullptr;
            if (finished) {
                blocks.push_back(block);
            }
        }
        CHECK(heap.broken_invariant() == nullptr);
        for (void* const block : blocks) {
            heap.deallocate(block);
        }
        return finished;
    });
}

}  // namespace
}  // namespace heapwright
