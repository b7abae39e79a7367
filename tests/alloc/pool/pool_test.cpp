// What a pool promises about its blocks, its slabs and the mistakes it refuses.
#include <heapwright/alloc/pool/pool.hpp>

#include <algorithm>
#include <cstring>
#include <set>
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

constexpr PoolOptions kNoSpares{.spare_bytes = 0};

TEST_CASE("a slot's index and whether an address is its start are exact for every size and offset") {
    test::Random random;
    for (std::size_t round = 0; round < 300; ++round) {
        const std::size_t size = round < 200 ? round + 1 : random.between(1, std::size_t{1} << (8 + random.below(18)));
        const detail::SlotGeometry geometry = detail::make_geometry({.size = size, .alignment = 1}, 0);
        REQUIRE(geometry.slab_bytes != 0);
        const auto check = [&](std::size_t offset) {
            const detail::SlotGeometry::Slot slot = geometry.slot_at(offset);
            REQUIRE(slot.index == offset / geometry.slot_bytes);
            // The first slot of all lies under the header: whether a byte in it is its start decides nothing.
            REQUIRE((slot.index == 0 || slot.is_start == (offset % geometry.slot_bytes == 0)));
        };
        for (std::size_t look = 0; look < 2000; ++look) {
            check(random.below(geometry.slab_bytes));
            const std::size_t start = random.below(geometry.end_index) * geometry.slot_bytes;
            check(start);
            check(start + 1);
            check(start == 0 ? 0 : start - 1);
        }
    }
}

TEST_CASE("a pool of many more slabs than it keeps at hand stays sound, and refuses what it refused with few") {
    constexpr std::size_t kSlab = 4096;
    FailingSource source;
    Pool pool{{.size = 32, .alignment = 8}, source, {.slab_bytes = kSlab, .spare_bytes = 0}};
    test::Random random;
    std::vector<void*> blocks;
    while (pool.stats().slabs < 1000) {
        blocks.push_back(pool.allocate());
    }
    CHECK(pool.broken_invariant() == nullptr);
    for (std::size_t left = blocks.size(); left > 1; --left) {
        std::swap(blocks[left - 1], blocks[random.below(left)]);
    }
    for (std::size_t round = 0; blocks.size() > 10; ++round) {
        pool.deallocate(blocks.back());
        blocks.pop_back();
        if (round % 3 == 0) {
            blocks.push_back(pool.allocate());
            std::swap(blocks.back(), blocks[random.below(blocks.size())]);
        }
        if (round % 10'000 == 0) {
            REQUIRE(pool.broken_invariant() == nullptr);
        }
    }
    CHECK(pool.stats().slabs <= 11);
    std::size_t visited = 0;
    pool.for_each_live([&](const void* block) { visited += std::find(blocks.begin(), blocks.end(), block) != blocks.end() ? 1U : 0U; });
    CHECK(visited == blocks.size());
    while (!blocks.empty()) {
        pool.deallocate(blocks.back());
        blocks.pop_back();
    }
    CHECK(pool.broken_invariant() == nullptr);
}

TEST_CASE("a pool gives blocks of any size and alignment that do not overlap") {
    for (const Layout layout : {Layout{0, 1}, Layout{1, 1}, Layout{4, 4}, Layout{8, 8}, Layout{24, 8}, Layout{48, 16}, Layout{64, 64},
                                Layout{100, 4}, Layout{1000, 8}, Layout{4096, 4096}, Layout{5000, 8}, Layout{100'000, 16}}) {
        CAPTURE(layout.size);
        FailingSource source;
        Pool pool{layout, source};
        std::vector<unsigned char*> blocks;
        for (int count = 0; count < 300; ++count) {
            auto* const block = static_cast<unsigned char*>(pool.try_allocate());
            REQUIRE(block != nullptr);
            CHECK(is_aligned(block, layout.alignment));
            std::memset(block, count, pool.block_bytes());
            blocks.push_back(block);
        }
        for (std::size_t count = 0; count < blocks.size(); ++count) {
            REQUIRE(blocks[count][0] == static_cast<unsigned char>(count));
            REQUIRE(blocks[count][pool.block_bytes() - 1] == static_cast<unsigned char>(count));
            pool.deallocate(blocks[count]);
        }
        CHECK(pool.stats().live_blocks == 0);
        CHECK(pool.broken_invariant() == nullptr);
    }
}

TEST_CASE("blocks allocated in a row lie in a row, also after every block was freed in random order") {
    FailingSource source;
    Pool pool{{64, 8}, source};
    test::Random random;
    std::vector<std::byte*> blocks;
    for (int round = 0; round < 2; ++round) {
        blocks.clear();
        for (int count = 0; count < 900; ++count) {
            blocks.push_back(static_cast<std::byte*>(pool.try_allocate()));
        }
        std::size_t neighbours = 0;
        for (std::size_t at = 1; at < blocks.size(); ++at) {
            neighbours += blocks[at] > blocks[at - 1] && blocks[at] - blocks[at - 1] <= 128 ? 1U : 0U;
        }
        CHECK(neighbours > 700);  // what the magazine held comes first, in the order of its frees
        for (std::size_t left = blocks.size(); left > 1; --left) {
            std::swap(blocks[left - 1], blocks[random.below(left)]);
        }
        for (std::byte* block : blocks) {
            pool.deallocate(block);
        }
    }
}

TEST_CASE("a slab goes back when its last block does, but for the spares") {
    FailingSource source;
    Pool pool{{1000, 8}, source, kNoSpares};
    std::vector<void*> blocks;
    for (int count = 0; count < 1000; ++count) {
        blocks.push_back(pool.try_allocate());
    }
    const std::size_t slabs = pool.stats().slabs;
    CHECK(slabs >= 15);
    test::Random random;
    for (std::size_t left = blocks.size(); left > 1; --left) {
        std::swap(blocks[left - 1], blocks[random.below(left)]);
    }
    for (void* block : blocks) {
        pool.deallocate(block);
        REQUIRE(pool.broken_invariant() == nullptr);
    }
    CHECK(pool.stats().slabs == 1);  // the one it would refill from
    CHECK(pool.trim() == 65536);
    CHECK(pool.stats().slabs == 0);
}

TEST_CASE("spares are kept up to the bytes allowed, and serve again without the source") {
    FailingSource source;
    Pool pool{{1000, 8}, source, {.spare_bytes = 4 * 65536}};
    std::vector<void*> blocks;
    const auto fill = [&] {
        for (int count = 0; count < 600; ++count) {
            blocks.push_back(pool.try_allocate());
        }
    };
    const auto drain = [&] {
        for (void* block : blocks) {
            pool.deallocate(block);
        }
        blocks.clear();
    };
    fill();
    drain();
    CHECK(pool.stats().spare_slabs == 4);
    const std::size_t requests = source.requests();
    for (int count = 0; count < 300; ++count) {
        blocks.push_back(pool.try_allocate());
    }
    CHECK(source.requests() == requests);
    drain();
}

TEST_CASE("a limit in blocks is exact, whatever waits in the magazine") {
    FailingSource source;
    Pool pool{{32, 8}, source, {.limit_blocks = 100}};
    std::vector<void*> blocks;
    for (int round = 0; round < 3; ++round) {
        while (void* block = pool.try_allocate()) {
            blocks.push_back(block);
        }
        CHECK(blocks.size() == 100);
        CHECK(pool.why_refused() == Errc::limit_reached);
        for (; blocks.size() > 50; blocks.pop_back()) {
            pool.deallocate(blocks.back());
        }
    }
    CHECK(pool.stats().refusals == 3);
    CHECK(pool.stats().live_blocks == 50);
    pool.release_all();
}

TEST_CASE("live blocks are visited once each") {
    FailingSource source;
    Pool pool{{40, 8}, source};
    std::set<void*> live;
    for (int count = 0; count < 5000; ++count) {
        live.insert(pool.try_allocate());
    }
    for (auto at = live.begin(); at != live.end();) {
        pool.deallocate(*at);
        at = live.erase(at);
        at = at == live.end() ? at : std::next(at);
    }
    std::set<void*> visited;
    pool.for_each_live([&](void* block) { CHECK(visited.insert(block).second); });
    CHECK(visited == live);
    CHECK(pool.stats().live_blocks == live.size());
    pool.release_all();
    CHECK(pool.stats().live_blocks == 0);
    CHECK(pool.broken_invariant() == nullptr);
}

TEST_CASE("owns is true for live blocks only, and may be asked about any address") {
    FailingSource source;
    Pool pool{{64, 8}, source};
    auto* const block = static_cast<std::byte*>(pool.try_allocate());
    int local = 0;
    CHECK(pool.owns(block));
    CHECK_FALSE(pool.owns(block + 8));
    CHECK_FALSE(pool.owns(block + 64));
    CHECK_FALSE(pool.owns(&local));
    CHECK_FALSE(pool.owns(nullptr));
    CHECK_FALSE(pool.owns(reinterpret_cast<const void*>(std::uintptr_t{0x7fff'dead'0000})));
    pool.deallocate(block);
    CHECK_FALSE(pool.owns(block));
}

TEST_CASE("a block that no slab can hold is refused, not rounded into one that can") {
    FailingSource source;
    for (const Layout layout : {Layout{SIZE_MAX / 2, 1}, Layout{std::size_t{1} << 40, 8}, Layout{8, std::size_t{1} << 40}}) {
        Pool pool{layout, source};
        CHECK(pool.try_allocate() == nullptr);
        CHECK(pool.why_refused() == Errc::invalid_argument);
        CHECK_FALSE(pool.owns(&source));
    }
    Pool crowded{{1024, 8}, source, {.slab_bytes = 1024}};
    CHECK(crowded.try_allocate() == nullptr);
    CHECK(source.requests() == 0);
}

TEST_CASE("small slabs make a pool of a few hundred bytes") {
    FailingSource source;
    Pool pool{{16, 8}, source, {.slab_bytes = 512, .spare_bytes = 0}};
    std::vector<void*> blocks;
    for (int count = 0; count < 200; ++count) {
        blocks.push_back(pool.try_allocate());
        REQUIRE(blocks.back() != nullptr);
    }
    CHECK(pool.stats().slabs >= 8);
    for (void* block : blocks) {
        pool.deallocate(block);
        REQUIRE(pool.broken_invariant() == nullptr);
    }
}

TEST_CASE("a pool serves any layout that its blocks satisfy") {
    FailingSource source;
    Pool pool{{64, 16}, source};
    void* const block = pool.try_allocate(Layout{60, 8});
    CHECK(block != nullptr);
    CHECK(pool.try_allocate(Layout{65, 8}) == nullptr);
    CHECK(pool.try_allocate(Layout{8, 32}) == nullptr);
    CHECK(pool.stats().refusals == 0);  // those were not the pool's to refuse
    pool.deallocate(block, Layout{60, 8});
    const SizedBlock whole = pool.try_allocate_at_least({50, 8});
    CHECK(whole.size_bytes == 64);
    pool.deallocate(whole.start);
}

TEST_CASE("every misuse of a free stops the program with the fact and the next step") {
    os::report_failures_to_stderr();
    const auto twice = test::death_of([] {
        Pool pool{{48, 8}, os::kPages};
        void* const block = pool.try_allocate();
        pool.deallocate(block);
        pool.deallocate(block);
    });
    CHECK(twice.died);
    CHECK(test::said(twice, "heapwright: double free: block 0x"));
    CHECK(test::said(twice, "(48 bytes) was already free; the stack at this stop"));

    const auto foreign = test::death_of([] {
        Pool pool{{48, 8}, os::kPages};
        Pool other{{48, 8}, os::kPages};
        void* const block = other.try_allocate();
        static_cast<void>(pool.try_allocate());
        pool.deallocate(block);
    });
    CHECK(test::said(foreign, "heapwright: foreign block: 0x"));
    CHECK(test::said(foreign, "is not from this pool of 48 byte blocks; free it where it was made"));

    const auto unmapped = test::death_of([] {
        Pool pool{{48, 8}, os::kPages};
        pool.deallocate(reinterpret_cast<void*>(std::uintptr_t{0x1234'5678'0000}));
    });
    CHECK(test::said(unmapped, "heapwright: foreign block: 0x123456780000"));

    const auto inside = test::death_of([] {
        Pool pool{{48, 8}, os::kPages};
        pool.deallocate(static_cast<std::byte*>(pool.try_allocate()) + 16);
    });
    CHECK(test::said(inside, "is 16 bytes into a block of 48; free the address that the pool gave"));

    const auto never_given = test::death_of([] {
        Pool pool{{48, 8}, os::kPages};
        pool.deallocate(static_cast<std::byte*>(pool.try_allocate()) + (kPoisoning ? 56 : 48));
    });
    CHECK(test::said(never_given, "lies in this pool but was never given; free the address that the pool gave"));

    const auto leak = test::death_of([] {
        Pool pool{{48, 8}, os::kPages};
        static_cast<void>(pool.try_allocate());
    });
    CHECK(test::said(leak, "heapwright: pool ended with 1 block still in use, the first is block 0x"));
}

TEST_CASE("a double free is seen also long after the block has left the magazine") {
    os::report_failures_to_stderr();
    const auto late = test::death_of([] {
        Pool pool{{48, 8}, os::kPages, {.leaks = Leaks::forget}};
        std::vector<void*> blocks;
        for (int count = 0; count < 1000; ++count) {
            blocks.push_back(pool.try_allocate());
        }
        for (std::size_t count = 0; count < 500; ++count) {
            pool.deallocate(blocks[count]);
        }
        pool.deallocate(blocks[300]);
    });
    CHECK(test::said(late, "heapwright: double free: block 0x"));
}

TEST_CASE("memory that runs out at any step leaves nothing behind and the pool usable") {
    test::fail_at_every_step([](FailingSource& source) {
        Pool pool{{1000, 8}, source, {.spare_bytes = 0, .leaks = Leaks::forget}};
        for (int count = 0; count < 1500; ++count) {
            const std::size_t live = pool.stats().live_blocks;
            if (pool.try_allocate() == nullptr) {
                CHECK(pool.stats().live_blocks == live);
                CHECK(pool.why_refused() == Errc::out_of_memory);
                CHECK(pool.broken_invariant() == nullptr);
                return false;
            }
        }
        return true;
    });
}

TEST_CASE("random steps agree with a model, and every invariant holds after each") {
    for (const Layout layout : {Layout{8, 8}, Layout{72, 8}, Layout{3000, 64}}) {
        FailingSource source;
        Pool pool{layout, source, {.limit_blocks = 700, .spare_bytes = 65536}};
        test::Random random{layout.size};
        std::vector<std::pair<unsigned char*, unsigned char>> model;
        for (int step = 0; step < 20'000; ++step) {
            const std::uint64_t tide = static_cast<std::uint64_t>(step / 1000) % 2 == 0 ? 70 : 30;
            if (random.below(100) < tide) {
                auto* const block = static_cast<unsigned char*>(pool.try_allocate());
                REQUIRE((block == nullptr) == (model.size() == 700));
                if (block != nullptr) {
                    const auto mark = static_cast<unsigned char>(random.next());
                    std::memset(block, mark, layout.size);
                    model.emplace_back(block, mark);
                }
            } else if (!model.empty()) {
                const std::size_t victim = random.below(model.size());
                const auto [block, mark] = model[victim];
                REQUIRE(std::all_of(block, block + layout.size, [mark](unsigned char byte) { return byte == mark; }));
                pool.deallocate(block);
                model[victim] = model.back();
                model.pop_back();
            }
            if (random.one_in(500)) {
                static_cast<void>(pool.trim());
            }
            REQUIRE(pool.stats().live_blocks == model.size());
            if (random.one_in(10)) {
                REQUIRE(pool.broken_invariant() == nullptr);
            }
        }
        pool.release_all();
        CHECK(pool.broken_invariant() == nullptr);
    }
}

}  // namespace
}  // namespace heapwright
