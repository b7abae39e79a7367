// Bump chunks: when they are used again, who may empty them, and what stops the program.
#include <heapwright/alloc/heap/detail/bump.hpp>

#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/placement.hpp>

#include <tests/alloc/heap/test_plan.hpp>
#include <tests/support/death.hpp>

namespace heapwright::test {
namespace {

TEST_CASE("a bump chunk is used again as soon as its last block is freed") {
    static_cast<void>(plan());
    void* const first = placement::allocate_at(plan().bump, 100);
    void* const second = placement::allocate_at(plan().bump, 50);
    CHECK(static_cast<char*>(second) - static_cast<char*>(first) == 112);
    default_heap::release(first);
    default_heap::release(second);
    void* const third = placement::allocate_at(plan().bump, 200);
    CHECK(third == first);
    default_heap::release(third);
}

TEST_CASE("the last block of a bump chunk grows and shrinks where it lies") {
    static_cast<void>(plan());
    void* const block = placement::allocate_at(plan().bump, 24);
    CHECK(placement::reallocate_at(plan().bump, block, 9000) == block);
    CHECK(default_heap::usable_bytes(block) >= 9000);
    CHECK(placement::reallocate_at(plan().bump, block, 10) == block);
    void* const next = placement::allocate_at(plan().bump, 24);
    CHECK(static_cast<char*>(next) - static_cast<char*>(block) == 32);
    default_heap::release(block);
    default_heap::release(next);
    CHECK(broken_place() == nullptr);
}

TEST_CASE("bets are won by filled chunks that empty, and lost by those that a block holds back") {
    static_cast<void>(plan());
    const PlaceStatistics before = plan().look("other bump");
    std::vector<void*> blocks;
    for (unsigned i = 0; i < 20 * 64; ++i) {
        blocks.push_back(placement::allocate_at(plan().other_bump, 1000));  // 64 to a chunk
    }
    const PlaceStatistics full = plan().look("other bump");
    CHECK(full.chunks_held_back == 19 + before.chunks_held_back);
    CHECK(full.bets_lost == 11);  // eight more are overtaken by fewer than eight
    for (std::size_t i = 1; i < blocks.size(); ++i) {
        default_heap::release(blocks[i]);
    }
    const PlaceStatistics one_left = plan().look("other bump");
    CHECK(one_left.bets_won == before.bets_won + 18);
    CHECK(one_left.chunks_held_back == 1);
    CHECK(one_left.bets_lost == 1);
    default_heap::release(blocks[0]);
    default_heap::trim();
    CHECK(plan().look("other bump").chunks == 0);
    CHECK(plan().look("other bump").bets_lost == 0);
}

TEST_CASE("what a thread leaves behind empties when others free it") {
    static_cast<void>(plan());
    for (const PlaceId place : {plan().bump, plan().pool, plan().heap}) {
        std::vector<void*> blocks;
        std::thread([&] {
            for (unsigned i = 0; i < 1000; ++i) {
                blocks.push_back(placement::allocate_at(place, 300));
            }
        }).join();
        for (void* const block : blocks) {
            default_heap::release(block);
        }
        default_heap::trim();
        const char* const broken = broken_place();
        CHECK_MESSAGE(broken == nullptr, broken);
    }
    for (const char* const name : {"bump", "pool", "heap"}) {
        CHECK(plan().look(name).chunks == 0);
    }
}

TEST_CASE("an owner learns what another thread freed") {
    static_cast<void>(plan());
    std::vector<void*> blocks;
    for (unsigned i = 0; i < 10 * 64; ++i) {
        blocks.push_back(placement::allocate_at(plan().bump, 1000));
    }
    std::thread([&] {
        for (void* const block : blocks) {
            default_heap::release(block);
        }
    }).join();
    CHECK(plan().look("bump").live_blocks == 0);
    CHECK(plan().look("bump").chunks == 10);  // nobody has told the owner to look
    void* const next = placement::allocate_at(plan().bump, 1000);
    CHECK(plan().look("bump").chunks == 10);  // there was room: the last chunk was full, and is empty
    default_heap::release(next);
    default_heap::trim();
    CHECK(plan().look("bump").chunks == 0);
}

TEST_CASE("a second free, and a free of what is no block, stop the program") {
    static_cast<void>(plan());
    const auto twice = death_of([] {
        void* const keeper = placement::allocate_at(plan().bump, 100);
        void* const block = placement::allocate_at(plan().bump, 100);
        static_cast<void>(keeper);
        default_heap::release(block);
        default_heap::release(block);
    });
    CHECK(twice.died);
    CHECK(twice.last_words.find("lies in memory that is free") != std::string::npos);
    const auto inside = death_of([] {
        auto* const block = static_cast<char*>(placement::allocate_zeroed_at(plan().bump, 100));
        default_heap::release(block + 32);
    });
    CHECK(inside.died);
    CHECK(inside.last_words.find("lies inside a block") != std::string::npos);
}

}  // namespace
}  // namespace heapwright::test
