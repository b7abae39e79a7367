// Places of a plan: what they hold, what they give back, and whose calls go there.
#include <heapwright/alloc/heap/placement.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/planned.hpp>

#include <tests/alloc/heap/fork_child.hpp>
#include <tests/alloc/heap/test_plan.hpp>
#include <tests/support/random.hpp>

namespace heapwright::test {
namespace {

struct Held {
    std::uint8_t* block = nullptr;
    std::size_t bytes = 0;
    std::uint8_t mark = 0;
    std::size_t place = 0;
};
void fill(const Held& held) { std::memset(held.block, held.mark, held.bytes); }
bool is_intact(const Held& held, std::size_t bytes) {
    return std::all_of(held.block, held.block + bytes, [&](std::uint8_t byte) { return byte == held.mark; });
}

TEST_CASE("calls from planned code get their place, of planned sizes only, and others get the default heap") {
    static_cast<void>(plan());
    std::vector<void*> blocks;
    const PlaceStatistics before = plan().look("passing");
    CHECK(before.kind == SitePlace::bump);
    CHECK(before.sites == 2);
    CHECK(before.sites_found == 1);
    for (std::size_t bytes : {16U, 999U, 1000U}) {
        blocks.push_back(ask_for_passing(bytes));
    }
    for (std::size_t bytes : {1U, 15U, 1001U, 70'000U}) {
        blocks.push_back(ask_for_passing(bytes));
    }
    for (std::size_t bytes : {16U, 999U, 1000U}) {
        blocks.push_back(ask_for_anything(bytes));
    }
    const PlaceStatistics after = plan().look("passing");
    CHECK(after.blocks == before.blocks + 3);
    CHECK(after.bytes == before.bytes + 16 + 999 + 1000);
    CHECK(after.live_blocks == before.live_blocks + 3);
    CHECK(after.live_bytes >= before.live_bytes + 16 + 999 + 1000);
    const std::uint64_t lasting = plan().look("lasting").live_blocks;
    blocks.push_back(ask_for_lasting(40'000));
    CHECK(plan().look("lasting").live_blocks == lasting + 1);
    CHECK(plan().look("lasting").chunk_bytes >= 65'536);
    for (void* const block : blocks) {
        default_heap::release(block);
    }
    CHECK(plan().look("passing").live_blocks == before.live_blocks);
    CHECK(plan().look("lasting").live_blocks == lasting);
}

SiteStatistics site_number(std::uint32_t index) {
    placement::look_at_sites();
    SiteStatistics site;
    REQUIRE(placement::statistics_of_site(index, site));
    return site;
}

TEST_CASE("each entry of the plan has figures of its own: what it gave, what of it lives, and which chunks that holds back") {
    static_cast<void>(plan());
    default_heap::trim();
    constexpr std::size_t kBytes = 1000;
    const SiteStatistics before = site_number(0);
    CHECK(before.kind == SitePlace::bump);
    CHECK(before.place == "passing");
    CHECK(before.is_found);
    CHECK(before.offset != 0);
    CHECK(before.caller_offset == 0);
    CHECK_FALSE(site_number(2).is_found);  // of another build
    std::vector<void*> blocks;
    for (unsigned i = 0; i < 2000; ++i) {  // about 32 chunks
        blocks.push_back(ask_for_passing(kBytes));
    }
    const SiteStatistics full = site_number(0);
    CHECK(full.blocks == before.blocks + 2000);
    CHECK(full.bytes == before.bytes + 2000 * kBytes);
    CHECK(full.live_blocks == before.live_blocks + 2000);
    CHECK(full.live_bytes >= before.live_bytes + 2000 * kBytes);
    CHECK(full.bets_lost > before.bets_lost + 1000);  // all but the latest eight chunks'
    CHECK(full.bets_lost < before.bets_lost + 2000);
    CHECK(full.chunks_held_back >= before.chunks_held_back + 30);
    // One block of the first chunk stays: it holds that one back.
    for (std::size_t i = 1; i < blocks.size(); ++i) {
        default_heap::release(blocks[i]);
    }
    const SiteStatistics sparse = site_number(0);
    CHECK(sparse.live_blocks == before.live_blocks + 1);
    CHECK(sparse.bets_won == before.bets_won + 1999);
    CHECK(sparse.bets_lost == before.bets_lost + 1);
    CHECK(sparse.chunks_held_back == before.chunks_held_back + 1);
    default_heap::release(blocks[0]);
    CHECK(site_number(0).live_blocks == before.live_blocks);
    const std::uint64_t lasting = site_number(1).live_blocks;  // the only entry of its place, so the place tells
    void* const block = ask_for_lasting(100);
    CHECK(site_number(1).live_blocks == lasting + 1);
    default_heap::release(block);
    SiteStatistics none;
    CHECK_FALSE(placement::statistics_of_site(3, none));
    default_heap::trim();
}

TEST_CASE("random steps in every place agree with a model, and every invariant holds after each") {
    static_cast<void>(plan());
    const std::array places{PlaceId::by_default, plan().bump, plan().other_bump, plan().pool, plan().heap};
    const std::array<std::string_view, 5> names{"", "bump", "other bump", "pool", "heap"};
    Random random(1);
    std::array<std::uint64_t, 5> live{};
    std::vector<Held> held;
    for (unsigned step = 0; step < 6000; ++step) {
        const std::size_t place = random.below(places.size());
        const std::size_t bytes = 1 + random.size_up_to(random.one_in(10) ? 40'000 : 700);
        const std::size_t most = place == 1 || place == 2 ? placement::kMostBumpBytes : heap::kSmallBytes;
        if (held.size() < 300 && !random.one_in(3)) {
            Held fresh{.bytes = bytes, .mark = static_cast<std::uint8_t>(random.next()), .place = bytes > most ? 0 : place};
            const std::uint64_t kind = random.below(3);
            if (kind == 0) {
                fresh.block = static_cast<std::uint8_t*>(placement::allocate_at(places[place], bytes));
            } else if (kind == 1) {
                fresh.block = static_cast<std::uint8_t*>(placement::allocate_zeroed_at(places[place], bytes));
                CHECK(is_intact({.block = fresh.block, .bytes = bytes, .mark = 0}, bytes));
            } else {
                const std::size_t alignment = std::size_t{1} << random.below(8);
                fresh.block = static_cast<std::uint8_t*>(placement::allocate_aligned_at(places[place], bytes, alignment));
                CHECK(reinterpret_cast<std::uintptr_t>(fresh.block) % alignment == 0);
                fresh.place = (place == 1 || place == 2) && alignment > 16 ? 0 : fresh.place;
            }
            REQUIRE(fresh.block != nullptr);
            CHECK(default_heap::usable_bytes(fresh.block) >= bytes);
            fill(fresh);
            ++live[fresh.place];
            held.push_back(fresh);
        } else if (!held.empty()) {
            const std::size_t at = random.below(held.size());
            Held& chosen = held[at];
            REQUIRE(is_intact(chosen, chosen.bytes));
            if (random.one_in(3)) {
                const std::uint64_t before = chosen.place == 0 ? 0 : plan().look(names[chosen.place]).live_blocks;
                auto* const moved = static_cast<std::uint8_t*>(placement::reallocate_at(places[chosen.place], chosen.block, bytes));
                REQUIRE(moved != nullptr);
                Held resized = chosen;
                resized.block = moved;
                REQUIRE(is_intact(resized, std::min(bytes, chosen.bytes)));
                resized.bytes = bytes;
                if (chosen.place != 0 && plan().look(names[chosen.place]).live_blocks != before) {
                    --live[chosen.place];  // too large for its place now
                    ++live[0];
                    resized.place = 0;
                }
                chosen = resized;
                fill(chosen);
            } else {
                default_heap::release(chosen.block);
                --live[chosen.place];
                chosen = held.back();
                held.pop_back();
            }
        }
        if (step % 16 == 0) {
            const char* const broken = broken_place();
            REQUIRE_MESSAGE(broken == nullptr, broken);
            for (std::size_t number = 1; number < places.size(); ++number) {
                CHECK(plan().look(names[number]).live_blocks == live[number]);
            }
        }
    }
    for (const Held& each : held) {
        REQUIRE(is_intact(each, each.bytes));
        default_heap::release(each.block);
    }
    default_heap::trim();
    for (std::size_t number = 1; number < places.size(); ++number) {
        CHECK(plan().look(names[number]).live_blocks == 0);
        CHECK(plan().look(names[number]).chunks == 0);
    }
}

TEST_CASE("threads hand blocks of every place to each other, and all comes home") {
    static_cast<void>(plan());
    constexpr unsigned kSteps = HEAPWRIGHT_UNDER_TSAN ? 4000 : 20'000;
    const std::array places{PlaceId::by_default, plan().bump, plan().other_bump, plan().pool, plan().heap};
    std::mutex mutex;
    std::array<Held, 64> exchange{};
    std::array<std::atomic<unsigned>, 2> damaged{};
    std::vector<std::thread> threads;
    for (unsigned number = 0; number < 4; ++number) {
        threads.emplace_back([&, number] {
            Random random(100 + number);
            for (unsigned step = 0; step < kSteps; ++step) {
                const std::size_t place = random.below(places.size());
                Held held{.bytes = 1 + random.size_up_to(2000), .mark = static_cast<std::uint8_t>(random.next()), .place = place};
                held.block = static_cast<std::uint8_t*>(placement::allocate_at(places[place], held.bytes));
                fill(held);
                {
                    const std::lock_guard guard(mutex);
                    std::swap(held, exchange[random.below(exchange.size())]);
                }
                if (held.block != nullptr) {
                    damaged[0] += is_intact(held, held.bytes) ? 0U : 1U;
                    default_heap::release(held.block);
                }
                if (step % 1000 == 999) {
                    default_heap::trim();
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (const Held& held : exchange) {
        default_heap::release(held.block);
    }
    CHECK(damaged[0] == 0);
    default_heap::trim();
    const char* const broken = broken_place();
    CHECK_MESSAGE(broken == nullptr, broken);
    for (const char* const name : {"bump", "other bump", "pool", "heap"}) {
        CHECK(plan().look(name).live_blocks == 0);
        CHECK(plan().look(name).chunks == 0);
    }
}

TEST_CASE("the limit counts what places have, and what they may not have malloc gives or refuses") {
    static_cast<void>(plan());
    default_heap::trim();
    std::vector<void*> blocks;
    blocks.reserve(100'000);
    for (const PlaceId place : {plan().bump, plan().pool, plan().heap}) {
        default_heap::set_limit(heap::g_default_core.span_bytes() + (std::size_t{4} << 20));
        while (void* const block = placement::allocate_at(place, 1000)) {
            blocks.push_back(block);
        }
        CHECK(blocks.size() > 3000);
        CHECK(blocks.size() < 4200);
        default_heap::set_limit(0);
        for (void* const block : blocks) {
            default_heap::release(block);
        }
        blocks.clear();
        default_heap::trim();
    }
}

TEST_CASE("the figures of the heap know the places' blocks") {
    static_cast<void>(plan());
    const HeapStatistics before = default_heap::statistics();
    std::vector<void*> blocks;
    for (unsigned i = 0; i < 100; ++i) {
        blocks.push_back(placement::allocate_at(plan().bump, 1000));
        blocks.push_back(placement::allocate_at(plan().pool, 1000));
    }
    const HeapStatistics after = default_heap::statistics();
    CHECK(after.small_blocks == before.small_blocks + 200);
    CHECK(after.allocated_bytes >= before.allocated_bytes + 200'000);
    CHECK(after.active_bytes >= before.active_bytes + 200'000);
    CHECK(after.threads == before.threads);
    for (void* const block : blocks) {
        default_heap::release(block);
    }
    default_heap::trim();
}

#if !HEAPWRIGHT_UNDER_TSAN
TEST_CASE("a child of fork goes on in every place, and empties what threads of its parent left") {
    static_cast<void>(plan());
    std::atomic<bool> is_over{false};
    std::vector<void*> blocks;
    std::thread busy([&] {
        while (!is_over) {
            for (const PlaceId place : {plan().bump, plan().pool, plan().heap}) {
                default_heap::release(placement::allocate_at(place, 100));
            }
        }
    });
    std::thread([&] {
        for (unsigned i = 0; i < 500; ++i) {
            blocks.push_back(placement::allocate_at(plan().other_bump, 300));
        }
    }).join();
    for (unsigned round = 0; round < 20; ++round) {
        CHECK(is_well_in_child([&] {
            for (void* const block : blocks) {
                default_heap::release(block);
            }
            for (unsigned i = 0; i < 1000; ++i) {
                for (const PlaceId place : {plan().bump, plan().other_bump, plan().pool, plan().heap}) {
                    default_heap::release(placement::allocate_at(place, 100 + i));
                }
            }
            default_heap::trim();
            return plan().look("other bump").chunks == 0 && broken_place() == nullptr;
        }));
    }
    is_over = true;
    busy.join();
    for (void* const block : blocks) {
        default_heap::release(block);
    }
}
#endif

TEST_CASE("the line about another build stands where a module of that name is loaded, or nothing of the plan is") {
    static_cast<void>(plan());
    Text<512> text;
    placement::append_absent(text);
    CHECK(text.view().empty());  // entries without a file, some of which were found
}

}  // namespace
}  // namespace heapwright::test
