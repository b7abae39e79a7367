// Sparse spans that become room for blocks of other sizes: what malloc and free do with them.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/clock.hpp>
#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/alloc/heap/statistics.hpp>

#include <tests/alloc/heap/mixed_blocks.hpp>
#include <tests/support/death.hpp>

namespace heapwright::test {
namespace {

TEST_CASE("larger blocks find room between those that are left of a size that nobody asks for any more") {
    static_cast<void>(default_heap::trim());
    const std::size_t before = heap::g_default_core.span_bytes();
    std::vector<Held> left = keep_one_of(16, make_many(60'000, 256));
    const std::size_t sparse = heap::g_default_core.span_bytes();
    std::vector<Held> larger = make_many(22'000, 512);  // seven fit where sixteen blocks lay
    const std::size_t after = heap::g_default_core.span_bytes();
    CHECK(sparse - before >= 14 * kMiB);
    CHECK(after - sparse <= 2 * kMiB);
    CHECK(count_mixed(larger) > 19'000);
    CHECK((are_intact(left) && are_intact(larger)));
    check_heap();
    release_all(left);
    CHECK(are_intact(larger));
    release_all(larger);
    static_cast<void>(default_heap::trim());
    check_heap();
    CHECK(heap::g_default_core.span_bytes() <= before + kMiB);
}

TEST_CASE("of many spans a few are counted in each malloc, while others leave") {
    std::vector<Held> left = keep_one_of(16, make_many(250'000, 256));  // a thousand spans
    std::vector<Held> larger;
    std::size_t not_mixed = 0;
    for (unsigned i = 0; i < 60'000; ++i) {
        larger.push_back(make(512, static_cast<unsigned char>(i)));
        if (!is_in_mixed(larger.back().block)) {
            ++not_mixed;
            for (unsigned freed = 0; freed < 4 && left.size() > 8'000; ++freed) {  // spans that are about to be counted go
                release(left.back());
                left.pop_back();
            }
        }
    }
    CHECK(not_mixed < 15'000);
    CHECK((are_intact(left) && are_intact(larger)));
    check_heap();
    release_all(left);
    release_all(larger);
    static_cast<void>(default_heap::trim());
    check_heap();
}

TEST_CASE("without sparse spans, or for a thread that needs little, nothing is mixed") {
    std::vector<Held> full = make_many(30'000, 256);
    std::vector<Held> larger = make_many(10'000, 512);
    CHECK(count_mixed(full) + count_mixed(larger) == 0);
    release_all(larger);
    release_all(full);
    std::thread([] {
        std::vector<Held> left = keep_one_of(16, make_many(2'000, 256));
        std::vector<Held> few = make_many(500, 512);
        CHECK(count_mixed(few) == 0);
        release_all(few);
        release_all(left);
    }).join();
    static_cast<void>(default_heap::trim());
}

TEST_CASE("a process that keeps sizes apart mixes nothing") {
    default_heap::set_mixing(false);
    {
        const ChangedMix mix;
        CHECK(count_mixed(mix.larger) == 0);
    }
    default_heap::set_mixing(true);
    const ChangedMix mix;
    CHECK(count_mixed(mix.larger) > 1'000);
}

TEST_CASE("a block in a mixed span has its size, grows, is zeroed and lies at multiples of 16") {
    ChangedMix mix;
    REQUIRE(count_mixed(mix.larger) > 1'000);
    unsigned moved = 0;
    for (Held& one : mix.larger) {
        REQUIRE(default_heap::usable_bytes(one.block) >= one.bytes);
        REQUIRE(reinterpret_cast<std::uintptr_t>(one.block) % 16 == 0);
        if (is_in_mixed(one.block)) {
            REQUIRE(default_heap::usable_bytes(one.block) == 512);
            REQUIRE(default_heap::resize_in_place(one.block, 400));
            REQUIRE_FALSE(default_heap::resize_in_place(one.block, 513));
            if (++moved % 4 == 0) {
                one.block = static_cast<unsigned char*>(default_heap::reallocate(one.block, 700));
                REQUIRE(is_intact(one));
                std::memset(one.block, one.mark, 700);
                one.bytes = 700;
            }
        }
    }
    for (const Held& one : mix.left) {
        REQUIRE(default_heap::usable_bytes(one.block) == 256);
    }
    std::vector<Held> zeroed;
    for (unsigned i = 0; i < 4'000; ++i) {
        auto* const block = static_cast<unsigned char*>(default_heap::allocate_zeroed(496));
        REQUIRE(std::all_of(block, block + 496, [](unsigned char byte) { return byte == 0; }));
        zeroed.push_back({.block = block, .bytes = 496, .mark = 0});
        void* const aligned = default_heap::allocate_aligned(100, 128);
        REQUIRE(reinterpret_cast<std::uintptr_t>(aligned) % 128 == 0);
        zeroed.push_back({.block = static_cast<unsigned char*>(aligned)});
    }
    CHECK(count_mixed(zeroed) > 0);
    CHECK((are_intact(mix.left) && are_intact(mix.larger)));
    check_heap();
    release_all(zeroed);
}

TEST_CASE("a second free into a mixed span, and a free inside of a block, stop the program") {
    ChangedMix mix;
    const auto found = std::find_if(mix.larger.begin(), mix.larger.end(), [](const Held& one) { return is_in_mixed(one.block); });
    REQUIRE(found != mix.larger.end());
    unsigned char* const block = found->block;
    const auto twice = death_of([&] {
        default_heap::release(block);
        default_heap::release(block);
        heap::settle_freed(heap::find_span(block));  // and not trim(): another thread may have held its lock at the fork
    });
    CHECK(twice.died);
    CHECK(said(twice, "free"));
    const auto inside = death_of([&] {
        default_heap::release(block + 32);
        heap::settle_freed(heap::find_span(block));  // and not trim(): another thread may have held its lock at the fork
    });
    CHECK(inside.died);
    CHECK(said(inside, "free"));
}

/// Frees blocks of a mixed span, which is settled then; not all that live in it. Returns what was freed.
std::vector<unsigned char*> free_some_of_one_span(ChangedMix& mix, std::size_t most) {
    const auto found = std::find_if(mix.larger.begin(), mix.larger.end(), [](const Held& one) { return is_in_mixed(one.block); });
    REQUIRE(found != mix.larger.end());
    heap::Span* const span = heap::find_span(found->block);
    span->cache.load()->on_countdown(span);
    std::vector<unsigned char*> freed;
    std::erase_if(mix.larger, [&](const Held& one) {
        const bool is_freed = freed.size() < most && heap::find_span(one.block) == span && span->countdown > 1;
        if (is_freed) {
            freed.push_back(one.block);
            release(one);
        }
        return is_freed;
    });
    REQUIRE(freed.size() >= 2);
    REQUIRE(span->local_free != nullptr);
    span->cache.load()->on_countdown(span);
    REQUIRE(span->local_free == nullptr);
    return freed;
}

TEST_CASE("what is freed in mixed spans is at hand for the next malloc of its size, without a change of its span") {
    ChangedMix mix;
    const heap::SizeClass size_class = heap::class_of(512);
    const heap::ThreadCache& cache = *heap::find_span(mix.larger.back().block)->cache.load();
    for (std::uint32_t before = cache.kept_blocks(size_class); before != 0; before = cache.kept_blocks(size_class)) {
        mix.larger.push_back(make(512, 1));
    }
    const std::vector<unsigned char*> freed = free_some_of_one_span(mix, 6);
    heap::Span* const span = heap::find_span(freed.front());
    const std::uint32_t blocks = heap::mixed_record_of(span)->blocks();
    CHECK(cache.kept_blocks(size_class) == freed.size());
    CHECK(span->live() == blocks);
    check_heap();
    std::size_t again = 0;
    for (unsigned i = 0; i < 64 && again < freed.size(); ++i) {
        mix.larger.push_back(make(512, static_cast<unsigned char>(i)));
        again += std::count(freed.begin(), freed.end(), mix.larger.back().block) != 0 ? 1U : 0U;
    }
    CHECK(again == freed.size());
    CHECK(heap::mixed_record_of(span)->blocks() == blocks);
    CHECK(are_intact(mix.larger));
    check_heap();
}

TEST_CASE("a second free of a block that is at hand stops the program") {
    ChangedMix mix;
    const std::vector<unsigned char*> freed = free_some_of_one_span(mix, 4);
    heap::Span* const span = heap::find_span(freed.front());
    const os::LockGuard guard(heap::turn_lock());  // so that the clock holds none of the thread's locks at the fork
    const auto again = death_of([&] {
        default_heap::release(freed[1]);
        span->cache.load()->on_countdown(span);
    });
    CHECK(again.died);
    CHECK(said(again, "free"));
    const auto at_once = death_of([&] {
        const auto next =
            std::find_if(mix.larger.begin(), mix.larger.end(), [&](const Held& one) { return heap::find_span(one.block) == span; });
        if (next != mix.larger.end() && span->countdown > 2) {
            default_heap::release(next->block);
            default_heap::release(next->block);
            span->cache.load()->on_countdown(span);
        }
    });
    CHECK(at_once.died);
    CHECK(said(at_once, "free"));
    const auto where_room_is_wanted = death_of([&] {
        default_heap::release(freed[1]);
        static_cast<void>(make_many(60'000, 240));  // until malloc looks for room in that span
    });
    CHECK(where_room_is_wanted.died);
    CHECK(said(where_room_is_wanted, "free"));
}

TEST_CASE("a mixed span in which blocks live is not empty, whatever its count says") {
    ChangedMix mix;
    const auto found = std::find_if(mix.larger.begin(), mix.larger.end(), [](const Held& one) { return is_in_mixed(one.block); });
    REQUIRE(found != mix.larger.end());
    heap::Span* const span = heap::find_span(found->block);
    heap::settle_freed(span);
    const std::uint32_t live = span->live();
    REQUIRE(live == heap::mixed_record_of(span)->blocks());
    span->set_live(0, 0);
    CHECK_FALSE(heap::is_empty_mixed(span));
    CHECK(span->live() == live);
    heap::arm_mixed(span);
    check_heap();
}

TEST_CASE(
    "a malloc that a mixed span serves takes more than one block, and who needs blocks at multiples of their size gets none of them") {
    ChangedMix mix;
    const heap::SizeClass size_class = heap::class_of(512);
    const heap::ThreadCache& cache = *heap::find_span(mix.larger.back().block)->cache.load();
    std::vector<Held> more;
    unsigned found_some = 0;
    for (unsigned i = 0; i < 2'000; ++i) {
        more.push_back(make(512, static_cast<unsigned char>(i)));
        found_some += is_in_mixed(more.back().block) && cache.kept_blocks(size_class) != 0 ? 1U : 0U;
        if (i > 800 && i % 16 == 3) {  // whose span serves the others, too
            check_heap();
            auto* const aligned = static_cast<unsigned char*>(default_heap::allocate_aligned(512, 512));
            REQUIRE(reinterpret_cast<std::uintptr_t>(aligned) % 512 == 0);
            std::memset(aligned, 1, 512);
            more.push_back({.block = aligned, .bytes = 512, .mark = 1});
        }
        if (i % 3 == 0) {
            std::swap(more[more.size() / 2], more.back());
            release(more.back());
            more.pop_back();
        }
    }
    CHECK(found_some > 20);
    CHECK((are_intact(more) && are_intact(mix.left) && are_intact(mix.larger)));
    check_heap();
    release_all(more);
}

TEST_CASE("of long blocks a mixed span settles few frees at once, of short ones more") {
    ChangedMix mix;
    std::vector<Held> long_ones = make_many(1'500, 4096);
    heap::Span* span = nullptr;
    for (Held& one : mix.left) {  // room for long blocks, too
        release(one);
    }
    mix.left.clear();
    for (Held& one : mix.larger) {
        if (is_in_mixed(one.block)) {
            span = heap::find_span(one.block);
            break;
        }
    }
    REQUIRE(span != nullptr);
    heap::settle_freed(span);
    heap::arm_mixed(span);
    const heap::MixedRecord* const record = heap::mixed_record_of(span);
    const std::size_t mean = record->used_granules() * heap::kGranuleBytes / span->live();
    CHECK(record->taken_granules() == record->used_granules());
    CHECK(span->countdown * mean <= 8192 + mean);
    CHECK(span->countdown >= 1);
    const std::uint32_t due = span->countdown;
    unsigned freed = 0;
    for (std::size_t i = 0; i < mix.larger.size() && freed < due; ++i) {
        if (heap::find_span(mix.larger[i].block) == span) {
            release(mix.larger[i]);
            std::swap(mix.larger[i--], mix.larger.back());
            mix.larger.pop_back();
            ++freed;
        }
    }
    CHECK(freed == due);
    CHECK(span->local_free == nullptr);  // room again, long before all of it was freed
    check_heap();
    release_all(long_ones);
}

TEST_CASE("sparse spans without a gap that is long enough are not tried again before others") {
    // In the last sixteen spans every other block is left, in the others one of sixteen.
    std::vector<Held> made = make_many(45'000, 256);
    std::vector<Held> left;
    const std::size_t begin = made.size() - 4'000;
    for (std::size_t i = 0; i < made.size(); ++i) {
        if (i % (i < begin ? 16 : 2) == 0) {
            left.push_back(made[i]);
        } else {
            release(made[i]);
        }
    }
    std::vector<Held> larger = make_many(12'000, 512);
    CHECK(count_mixed(larger) > 1'000);
    CHECK((are_intact(left) && are_intact(larger)));
    check_heap();
    release_all(larger);
    release_all(left);
    static_cast<void>(default_heap::trim());
}

TEST_CASE("pages of mixed spans in which nothing lives go back, and come again with their blocks") {
    ChangedMix mix;
    std::vector<Held> kept;
    for (std::size_t i = 0; i < mix.larger.size(); ++i) {
        (i / 64 % 2 == 0 ? kept : mix.left).push_back(mix.larger[i]);
    }
    mix.larger = std::move(kept);
    release_all(mix.left);
    const std::uint64_t absent = default_heap::statistics().absent_bytes;
    static_cast<void>(default_heap::trim());
    CHECK(default_heap::statistics().absent_bytes > absent + kMiB / 2);
    std::vector<Held> again = make_many(6'000, 512);
    CHECK((are_intact(mix.larger) && are_intact(again)));
    release_all(again);
    check_heap();
}

TEST_CASE("the figures know what lives in mixed spans") {
    static_cast<void>(default_heap::trim());
    const HeapStatistics before = default_heap::statistics();
    ChangedMix mix;
    REQUIRE(count_mixed(mix.larger) > 1'000);
    const HeapStatistics during = default_heap::statistics();
    const std::size_t bytes = mix.left.size() * 256 + mix.larger.size() * 512;
    CHECK(during.small_blocks - before.small_blocks >= mix.left.size() + mix.larger.size());
    CHECK(during.allocated_bytes - before.allocated_bytes >= bytes);
    CHECK(during.allocated_bytes - before.allocated_bytes <= bytes + bytes / 8);
}

}  // namespace
}  // namespace heapwright::test
