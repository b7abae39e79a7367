// Pools of several sizes behind one door.
#include <heapwright/alloc/pool/multi_pool.hpp>

#include <array>
#include <cstring>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/page_source.hpp>
#include <heapwright/os/report.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>
#include <tests/support/random.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

constexpr std::array<SizeClassOptions, 6> kClasses{{{16}, {32}, {48}, {128}, {1024}, {8192}}};

TEST_CASE("a request is served by the smallest class that holds it and satisfies its alignment") {
    FailingSource source;
    MultiPool pool{kClasses, source};
    struct Case {
        Layout layout;
        std::size_t served;
    };
    for (const auto& [layout, served] :
         {Case{{0, 1}, 16}, Case{{1, 1}, 16}, Case{{16, 16}, 16}, Case{{17, 1}, 32}, Case{{33, 8}, 48}, Case{{40, 32}, 128},
          Case{{16, 64}, 128}, Case{{100, 128}, 128}, Case{{129, 8}, 1024}, Case{{4096, 8}, 8192}, Case{{5000, 4096}, 8192}}) {
        CAPTURE(layout.size);
        const SizedBlock block = pool.try_allocate_at_least(layout);
        REQUIRE(block.start != nullptr);
        CHECK(block.size_bytes == served);
        CHECK(is_aligned(block.start, layout.alignment));
        std::memset(block.start, 1, block.size_bytes);
        pool.deallocate(block.start, layout);
    }
    CHECK(pool.broken_invariant() == nullptr);
    CHECK(pool.stats().all.live_blocks == 0);
}

TEST_CASE("what was asked for and what was given are both known") {
    FailingSource source;
    MultiPool pool{kClasses, source};
    void* const block = pool.try_allocate({.size = 65, .alignment = 1});
    CHECK(pool.class_stats(3).requested_bytes == 65);
    CHECK(pool.class_stats(3).usable_bytes == 128);
    CHECK(pool.stats().all.usable_bytes - pool.stats().all.requested_bytes == 63);
    pool.deallocate(block, {.size = 65, .alignment = 1});
    CHECK(pool.stats().all.requested_bytes == 0);
}

TEST_CASE("a class at its limit borrows from the next, and says so") {
    FailingSource source;
    const std::array<SizeClassOptions, 3> classes{{{.block_bytes = 16, .limit_blocks = 2}, {.block_bytes = 32, .limit_blocks = 1}, {64}}};
    MultiPool pool{classes, source};
    std::vector<void*> blocks;
    while (void* block = pool.try_allocate({.size = 10, .alignment = 1})) {
        blocks.push_back(block);
    }
    CHECK(blocks.size() == 3);
    CHECK(pool.class_stats(1).borrowed == 1);
    CHECK(pool.class_stats(0).refusals >= 1);
    CHECK(pool.stats().refusals == 1);
    for (void* block : blocks) {
        pool.deallocate(block, {.size = 10, .alignment = 1});
    }
    CHECK(pool.stats().all.live_blocks == 0);
    CHECK(pool.stats().all.requested_bytes == 0);
}

TEST_CASE("what no class can serve goes to the fallback, in the figures and back again") {
    FailingSource source;
    FailingSource heap;
    MultiPool pool{kClasses, source, {.fallback = heap}};
    void* const block = pool.try_allocate({.size = 100'000, .alignment = 8});
    REQUIRE(block != nullptr);
    CHECK(heap.outstanding() == 1);
    CHECK(pool.stats().fallback_blocks == 1);
    CHECK(pool.stats().fallback_bytes == 100'000);
    pool.deallocate(block, {.size = 100'000, .alignment = 8});
    CHECK(heap.outstanding() == 0);
    CHECK(pool.stats().fallback_blocks == 0);
    CHECK(pool.stats().fallback_total == 1);
}

TEST_CASE("without a source everything goes to the fallback") {
    FailingSource nothing{1};
    FailingSource heap;
    MultiPool pool{kClasses, nothing, {.fallback = heap}};
    CHECK(pool.classes() == 0);
    void* const block = pool.try_allocate({.size = 10, .alignment = 1});
    CHECK(block != nullptr);
    pool.deallocate(block, {.size = 10, .alignment = 1});
}

TEST_CASE("misuse is refused with the sentence that says what to do") {
    os::report_failures_to_stderr();
    const auto wrong_size = test::death_of([] {
        MultiPool pool{kClasses, os::kPages};
        pool.deallocate(pool.try_allocate({.size = 16, .alignment = 1}), {.size = 1000, .alignment = 1});
    });
    CHECK(test::said(wrong_size, "heapwright: wrong size: block 0x"));
    CHECK(test::said(wrong_size, "(16 bytes) is freed as 1000 bytes; free it with the size that was asked for"));
    const auto twice = test::death_of([] {
        MultiPool pool{kClasses, os::kPages};
        void* const block = pool.try_allocate({.size = 16, .alignment = 1});
        pool.deallocate(block, {.size = 16, .alignment = 1});
        pool.deallocate(block, {.size = 16, .alignment = 1});
    });
    CHECK(test::said(twice, "heapwright: double free: block 0x"));
    const auto foreign = test::death_of([] {
        MultiPool pool{kClasses, os::kPages};
        int local = 0;
        pool.deallocate(&local, Layout::of<int>());
    });
    CHECK(test::said(foreign, "heapwright: foreign block: 0x"));
    const auto descending = test::death_of([] {
        const std::array<SizeClassOptions, 2> classes{{{32}, {16}}};
        MultiPool pool{classes, os::kPages};
    });
    CHECK(test::said(descending, "heapwright: size classes must ascend and begin above 0 bytes"));
}

TEST_CASE("random steps agree with a model") {
    FailingSource source;
    FailingSource heap;
    MultiPool pool{kClasses, source, {.fallback = heap}};
    test::Random random;
    struct Live {
        unsigned char* block;
        Layout layout;
        unsigned char mark;
    };
    std::vector<Live> model;
    std::size_t requested = 0;
    for (int step = 0; step < 20'000; ++step) {
        if (random.below(100) < 55) {
            const Layout layout{.size = random.size_up_to(10'000), .alignment = std::size_t{1} << random.below(8)};
            auto* const block = static_cast<unsigned char*>(pool.try_allocate(layout));
            REQUIRE(block != nullptr);
            const auto mark = static_cast<unsigned char>(random.next());
            std::memset(block, mark, layout.size);
            model.push_back({block, layout, mark});
            requested += layout.size;
        } else if (!model.empty()) {
            const std::size_t victim = random.below(model.size());
            const Live live = model[victim];
            for (std::size_t at = 0; at < live.layout.size; ++at) {
                REQUIRE(live.block[at] == live.mark);
            }
            pool.deallocate(live.block, live.layout);
            requested -= live.layout.size;
            model[victim] = model.back();
            model.pop_back();
        }
        if (random.one_in(200)) {
            REQUIRE(pool.broken_invariant() == nullptr);
            REQUIRE(pool.stats().all.requested_bytes + pool.stats().fallback_bytes == requested);
        }
    }
    for (const Live& live : model) {
        pool.deallocate(live.block, live.layout);
    }
    CHECK(heap.outstanding() == 0);
}

TEST_CASE("memory that runs out at any step leaves nothing behind") {
    test::fail_at_every_step([](FailingSource& source) {
        MultiPool pool{kClasses, source, {.leaks = Leaks::forget}};
        for (std::size_t count = 0; count < 40; ++count) {
            if (pool.try_allocate({.size = count * 100, .alignment = 8}) == nullptr) {
                CHECK(pool.broken_invariant() == nullptr);
                return false;
            }
        }
        return true;
    });
}

}  // namespace
}  // namespace heapwright
