// Mixed spans among threads: who frees into them, who inherits them, and what a child of fork finds.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/heap.hpp>
#include <heapwright/base/platform.hpp>

#include <tests/alloc/heap/fork_child.hpp>
#include <tests/alloc/heap/mixed_blocks.hpp>
#include <tests/support/random.hpp>

namespace heapwright::test {
namespace {

TEST_CASE("other threads free into mixed spans, and what a thread leaves behind is room for the next") {
    auto [left, larger] = mix_of_ended_thread();
    REQUIRE(count_mixed(larger) > 4'000);
    CHECK((are_intact(left) && are_intact(larger)));
    const std::size_t spans = heap::g_default_core.span_bytes();
    std::vector<Held> more;
    std::thread([&] { more = make_many(10'000, 512); }).join();
    CHECK(count_mixed(more) > 6'000);
    CHECK(heap::g_default_core.span_bytes() - spans <= 3 * kMiB);
    CHECK((are_intact(left) && are_intact(larger) && are_intact(more)));
    release_all(more);
    release_all(left);
    CHECK(are_intact(larger));
    release_all(larger);
    static_cast<void>(default_heap::trim());
    check_heap();
}

TEST_CASE("what others free into mixed spans of a thread that sleeps goes back in pages, and is room when it wakes") {
    Mix mix;
    std::vector<Held> more;
    std::atomic<int> step{0};
    std::thread owner([&] {
        mix = Mix(60'000, 20'000);
        step = 1;
        step.notify_one();
        step.wait(1);
        more = make_many(10'000, 512);
        release_all(more);
        release_all(mix.larger);
        release_all(mix.left);
        check_heap();
    });
    step.wait(0);
    REQUIRE(count_mixed(mix.larger) > 15'000);
    static_cast<void>(default_heap::trim());
    const HeapStatistics before = default_heap::statistics();
    const std::size_t many = mix.larger.size();
    std::vector<Held> kept;
    for (std::size_t i = 0; i < many; ++i) {
        if (i / 64 % 8 == 0) {
            kept.push_back(mix.larger[i]);
        } else {
            release(mix.larger[i]);
        }
    }
    const std::size_t freed = many - kept.size();
    mix.larger = std::move(kept);
    for (std::size_t i = 0; i < mix.left.size(); i += 4) {  // and one of the first size is left of four
        std::for_each(mix.left.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                      mix.left.begin() + static_cast<std::ptrdiff_t>(std::min(i + 4, mix.left.size())), [](Held& one) {
                          release(one);
                          one.block = nullptr;
                      });
    }
    std::erase_if(mix.left, [](const Held& one) { return one.block == nullptr; });
    static_cast<void>(default_heap::trim());
    const HeapStatistics after = default_heap::statistics();
    CHECK(after.absent_bytes + (before.active_bytes - after.active_bytes) > before.absent_bytes + 2 * kMiB);
    CHECK(after.small_blocks <= before.small_blocks - freed);
    check_heap();
    CHECK((are_intact(mix.left) && are_intact(mix.larger)));
    step = 2;
    step.notify_one();
    owner.join();
    static_cast<void>(default_heap::trim());
    check_heap();
}

TEST_CASE("a mixed span whose blocks its thread frees in part, and others the rest, goes back while the thread sleeps") {
    Mix mix;
    std::atomic<int> step{0};
    std::vector<Held> of_span;
    std::thread owner([&] {
        mix = Mix(60'000, 20'000);
        const auto found = std::find_if(mix.larger.begin(), mix.larger.end(), [](const Held& one) { return is_in_mixed(one.block); });
        heap::Span* const span = heap::find_span(found->block);
        span->cache.load()->on_countdown(span);
        for (std::vector<Held>* const held : {&mix.left, &mix.larger}) {
            std::erase_if(*held, [&](const Held& one) {
                const bool is_here = heap::find_span(one.block) == span;
                if (is_here) {
                    of_span.push_back(one);
                }
                return is_here;
            });
        }
        step = 1;
        step.notify_one();
        step.wait(1);
        for (unsigned i = 0; i < 3; ++i) {
            release(of_span[i]);
        }
        step = 3;
        step.notify_one();
        step.wait(3);
        release_all(mix.left);
        release_all(mix.larger);
        check_heap();
    });
    step.wait(0);
    REQUIRE(of_span.size() > 8);
    for (std::size_t i = of_span.size() / 2; i < of_span.size(); ++i) {
        release(of_span[i]);
    }
    static_cast<void>(default_heap::trim());  // half of it is room now, which its count does not know
    check_heap();
    step = 2;
    step.notify_one();
    step.wait(2);
    const heap::Span* const span = heap::find_span(of_span.front().block);
    CHECK(span->is_mixed());
    for (std::size_t i = 3; i < of_span.size() / 2; ++i) {
        CHECK(is_intact(of_span[i]));
        release(of_span[i]);
    }
    static_cast<void>(default_heap::trim());
    CHECK((span->owner.load() == heap::owner::kFree || !span->is_mixed()));
    step = 4;
    step.notify_one();
    owner.join();
    static_cast<void>(default_heap::trim());
    check_heap();
}

TEST_CASE("a thread that now and then frees what others left behind does not keep their spans") {
    std::vector<Held> made;
    std::thread([&] { made = make_many(40'000, 256); }).join();
    for (std::size_t i = 0; i < made.size(); i += 64) {  // four of each span
        release(made[i]);
        made[i] = {};
    }
    std::size_t ours = 0;
    for (const Held& one : made) {
        ours += one.block != nullptr && heap::find_span(one.block)->cache.load() != nullptr ? 1U : 0U;
    }
    CHECK(ours < made.size() / 10);
    std::erase_if(made, [](const Held& one) { return one.block == nullptr; });
    CHECK(are_intact(made));
    release_all(made);  // so many of one span that it is worth adopting it
    static_cast<void>(default_heap::trim());
    check_heap();
}

TEST_CASE("threads ask for sizes that change, and hand blocks to each other") {
    constexpr unsigned kThreads = 3;
    constexpr std::size_t kSlots = 6'000;
    std::vector<std::atomic<Held*>> slots(kSlots);
    std::atomic<unsigned> bad{0};
    std::atomic<std::size_t> mixed{0};
    const auto work = [&](unsigned number) {
        Random random(number + 10);
        for (unsigned phase = 0; phase < 6; ++phase) {
            const std::size_t least = std::size_t{32} << (phase * 2 % 5);
            for (unsigned step = 0; step < 9'000; ++step) {
                const std::size_t bytes = random.between(least, least * 2);
                auto* const held = new Held(make(bytes, static_cast<unsigned char>(step)));
                mixed += is_in_mixed(held->block) ? 1U : 0U;
                Held* const before = slots[random.below(kSlots)].exchange(held);
                if (before != nullptr) {
                    bad += is_intact(*before) && default_heap::usable_bytes(before->block) >= before->bytes ? 0U : 1U;
                    release(*before);
                    delete before;
                }
            }
            for (unsigned i = 0; i < kSlots / kThreads; ++i) {  // most go, so that spans are sparse
                if (Held* const before = slots[random.below(kSlots)].exchange(nullptr); before != nullptr) {
                    bad += is_intact(*before) ? 0U : 1U;
                    release(*before);
                    delete before;
                }
            }
        }
    };
    std::vector<std::thread> threads;
    for (unsigned number = 0; number < kThreads; ++number) {
        threads.emplace_back(work, number);
    }
    for (unsigned i = 0; i < 200; ++i) {
        static_cast<void>(default_heap::trim());
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(bad == 0);
    for (auto& slot : slots) {
        if (const Held* const held = slot.load(); held != nullptr) {
            CHECK(is_intact(*held));
            release(*held);
            delete held;
        }
    }
    static_cast<void>(default_heap::trim());
    check_heap();
}

TEST_CASE("a heap of one's own: sizes change at random, and every byte is where it was") {
    Heap heap;
    Random random(5);
    std::vector<Held> held;
    std::size_t mixed = 0;
    for (unsigned phase = 0; phase < 12; ++phase) {
        const std::size_t least = std::size_t{16} << random.below(8);
        for (std::size_t bytes = 0; bytes < 4 * kMiB;) {
            const std::size_t wanted = random.between(least, least * 2);
            auto* const block = static_cast<unsigned char*>(heap.allocate(wanted));
            REQUIRE(block != nullptr);
            const auto mark = static_cast<unsigned char>(random.next());
            std::memset(block, mark, wanted);
            held.push_back({.block = block, .bytes = wanted, .mark = mark});
            mixed += is_in_mixed(block) ? 1U : 0U;
            bytes += wanted;
        }
        const std::uint64_t share = random.between(3, 12);
        std::erase_if(held, [&](const Held& one) {
            const bool is_freed = !random.one_in(share);
            if (is_freed) {
                REQUIRE(is_intact(one));
                heap.release(one.block);
            }
            return is_freed;
        });
        REQUIRE(are_intact(held));
        const char* const broken = heap.broken_invariant();
        REQUIRE_MESSAGE(broken == nullptr, broken);
    }
    CHECK(mixed > 0);
    for (const Held& one : held) {
        REQUIRE(is_intact(one));
        heap.release(one.block);
    }
    CHECK(heap.broken_invariant() == nullptr);
    CHECK(heap.statistics().small_blocks == 0);
}

#if !HEAPWRIGHT_UNDER_TSAN  // it refuses a child of fork that starts threads
TEST_CASE("a child of fork goes on with the mixed spans of its parent's threads") {
    std::atomic<bool> is_over{false};
    std::atomic<bool> has_begun{false};
    std::thread other([&] {
        while (!is_over) {
            ChangedMix mix;
            has_begun = true;
        }
    });
    while (!has_begun) {
        std::this_thread::yield();
    }
    ChangedMix mix;
    for (unsigned round = 0; round < 20; ++round) {
        REQUIRE(is_well_in_child([&] {
            const bool survived = are_intact(mix.left) && are_intact(mix.larger);
            std::vector<Held> more = make_many(20'000, 512);
            release_all(mix.left);
            const bool is_good = survived && are_intact(more) && are_intact(mix.larger);
            release_all(mix.larger);
            release_all(more);
            static_cast<void>(default_heap::trim());
            return is_good;
        }));
    }
    is_over = true;
    other.join();
}
#endif

}  // namespace
}  // namespace heapwright::test
