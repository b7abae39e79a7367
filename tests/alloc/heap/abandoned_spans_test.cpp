// Spans that nobody owns: what is freed into them is seen, and only who finds room in them takes them.
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/clock.hpp>
#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/thread_state.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>

#include <tests/alloc/heap/mixed_blocks.hpp>

namespace heapwright::test {
namespace {

/// As the clock does it, without its delay: what was told is taken note of, then the round comes to its end. Requires: turn_lock().
void turn_until_round_ends() {
    constexpr unsigned kTurns = 8;  // more than a round that was put off waits
    for (unsigned i = 0; i < kTurns; ++i) {
        heap::visit_by_clock(heap::g_turn.fetch_add(1) + 1, 0, 60'000'000'000);
    }
    CHECK(!heap::is_round_under_way());
}

bool is_of_nobody(const Held& one) { return heap::find_span(one.block)->cache.load() == nullptr; }

TEST_CASE("the clock finds what is freed into spans without a thread after it has seen them") {
    std::vector<Held> left;
    std::thread([&] { left = keep_one_of(16, make_many(48'000, 256)); }).join();
    std::vector<Held> kept;
    {
        const os::LockGuard guard(heap::turn_lock());  // the clock's own turns do nothing meanwhile
        turn_until_round_ends();
        const std::uint64_t before = default_heap::statistics().absent_bytes;
        // All of a span but the first: whoever frees the last would adopt it.
        const heap::Span* span = nullptr;
        for (const Held& one : left) {
            if (heap::find_span(one.block) != span) {
                span = heap::find_span(one.block);
                kept.push_back(one);
            } else {
                release(one);
            }
        }
        REQUIRE(kept.size() > 150);
        CHECK(std::all_of(kept.begin(), kept.end(), is_of_nobody));
        turn_until_round_ends();
        CHECK(default_heap::statistics().absent_bytes > before + 8 * kMiB);
    }
    CHECK(are_intact(kept));
    release_all(kept);
    static_cast<void>(default_heap::trim());
    check_heap();
}

TEST_CASE("a mixed span of nobody does not go back while blocks live in it, whatever its count says, as in a child of fork") {
    std::vector<Held> left;
    std::vector<Held> larger;
    std::thread([&] {
        left = thin_out(make_many(60'000, 256), 1, 15);
        larger = make_many(8'000, 512);
    }).join();
    const auto found = std::find_if(larger.begin(), larger.end(), [](const Held& one) { return is_in_mixed(one.block); });
    REQUIRE(found != larger.end());
    heap::Span* const span = heap::find_span(found->block);
    REQUIRE(is_of_nobody(*found));
    const std::uint32_t blocks = heap::mixed_record_of(span)->blocks();
    REQUIRE(blocks > 2);
    {
        const os::LockGuard guard(heap::turn_lock());  // the clock's own turns do nothing meanwhile
        span->set_live(1, 0);
        heap::push_remote(span, reinterpret_cast<heap::FreeBlock*>(found->block), reinterpret_cast<heap::FreeBlock*>(found->block));
        larger.erase(found);
        heap::g_default_core.sweep_abandoned();
        CHECK(span->is_mixed());
        CHECK(span->live() == blocks - 1);
    }
    CHECK((are_intact(left) && are_intact(larger)));
    check_heap();
    release_all(left);
    release_all(larger);
    static_cast<void>(default_heap::trim());
    check_heap();
}

TEST_CASE("a sweep of many spans takes home what was freed into each of them, and gives back those that are empty") {
    std::vector<Held> made;
    std::thread([&] { made = make_many(20'000, 256); }).join();
    const std::size_t before = heap::g_default_core.span_bytes();
    const os::LockGuard guard(heap::turn_lock());  // as above
    const heap::Span* span = nullptr;
    std::vector<Held> kept;
    unsigned spans = 0;
    for (const Held& one : made) {
        auto* const block = reinterpret_cast<heap::FreeBlock*>(one.block);
        spans += heap::find_span(one.block) != span ? 1U : 0U;
        span = heap::find_span(one.block);
        if (spans % 2 == 0) {
            kept.push_back(one);
        } else {
            heap::push_remote(heap::find_span(one.block), block, block);
        }
    }
    REQUIRE(spans > 70);
    heap::g_default_core.sweep_abandoned();
    CHECK(before - heap::g_default_core.span_bytes() >= (spans / 2 - 1) * heap::kSliceBytes);
    CHECK(are_intact(kept));
    check_heap();
    release_all(kept);
}

TEST_CASE("who finds no room in mixed spans of nobody leaves them to others") {
    auto [left, larger] = mix_of_ended_thread();
    std::vector<Held> mixed;
    std::copy_if(left.begin(), left.end(), std::back_inserter(mixed), [](const Held& one) { return is_in_mixed(one.block); });
    REQUIRE(mixed.size() > 1'000);
    REQUIRE(std::all_of(mixed.begin(), mixed.end(), is_of_nobody));
    std::vector<Held> long_ones;
    bool are_left = false;
    std::thread([&] {
        long_ones = make_many(800, 8192);  // one block of 256 lies in each page
        are_left = std::all_of(mixed.begin(), mixed.end(), is_of_nobody);
    }).join();
    CHECK(are_left);
    std::vector<Held> small;
    std::thread([&] { small = make_many(20'000, 400); }).join();
    CHECK(count_mixed(small) > 4'000);
    check_heap();
    for (std::vector<Held>* const held : {&long_ones, &small, &left, &larger}) {
        CHECK(are_intact(*held));
        release_all(*held);
        check_heap();
    }
    static_cast<void>(default_heap::trim());
    check_heap();
}

}  // namespace
}  // namespace heapwright::test
