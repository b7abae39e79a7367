// Everything that threads may do with one heap, or with several, at once. Run under ThreadSanitizer.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/base/platform.hpp>
#include <heapwright/base/text.hpp>
#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/root.hpp>
#include <heapwright/own/gc/traced_allocator.hpp>
#include <heapwright/own/gc/weak.hpp>

#include <tests/support/random.hpp>

namespace gc = heapwright::gc;
using heapwright::test::Random;

namespace {

std::atomic<int> alive{0};

struct Node {
    gc::Ptr<Node> left;
    gc::Ptr<Node> right;
    gc::Weak<Node> weak;
    std::uint64_t check = 4711;
    Node() { alive.fetch_add(1, std::memory_order_relaxed); }
    ~Node() { alive.fetch_sub(1, std::memory_order_relaxed); }
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    void trace(gc::Tracer& tracer) const { tracer(left, right, weak); }
};

struct Bag {
    explicit Bag(gc::Heap& heap) : items(heap) {}
    std::vector<gc::Ptr<Node>, gc::TracedAllocator<gc::Ptr<Node>>> items;
    gc::WeakMap<Node, Node> map;
    void trace(gc::Tracer& tracer) const { tracer(items, map); }
};

constexpr int kRounds = HEAPWRIGHT_UNDER_TSAN != 0 || HEAPWRIGHT_UNDER_ASAN != 0 ? 400 : 1500;

/// One thread's random program. What it holds is its own; all of it lies in blocks and lists that the threads share.
bool work(gc::Heap& heap, std::uint64_t salt) {
    const gc::ThreadScope attached{heap};
    Random random(salt);
    gc::Root<Bag> bag{heap, gc::make<Bag>(heap, heap)};
    gc::Root<gc::Array<gc::Ptr<Node>>> table{heap, gc::make_array<gc::Ptr<Node>>(heap, 3000)};
    bool whole = true;
    for (int round = 0; round < kRounds; ++round) {
        auto node = gc::make<Node>(heap);
        auto& slot = (*table)[random.below(table->size())];
        node->left = slot;
        node->weak = slot;
        slot = node;
        whole = whole && (!node->left || node->left->check == 4711);
        switch (random.below(14)) {
            case 0: bag->items.push_back(node); break;
            case 1:
                if (!bag->items.empty()) {
                    whole = whole && bag->items.back()->check == 4711;
                    bag->items.pop_back();
                }
                break;
            case 2: bag->map.insert(heap, node, slot); break;
            case 3: bag->items.clear(); break;
            case 4: heap.on_unreachable<Node>(node, [](Node& gone, void*) { gone.right = nullptr; }); break;
            case 5: heap.adjust_external_bytes(100); break;
            case 6: heap.adjust_external_bytes(-100); break;
            case 7: static_cast<void>(gc::make_array<std::uint64_t>(heap, 1 + random.below(20'000))); break;
            case 8: node->left = nullptr; break;
            case 9: {
                const gc::BlockingRegion waiting{heap};
                std::this_thread::yield();
                break;
            }
            case 10:
                if (auto before = node->weak.lock()) {
                    whole = whole && before->check == 4711;
                    node->right = before;
                }
                break;
            case 11: {
                gc::WeakRoot<Node> weak{heap, node};
                heap.safepoint();
                whole = whole && weak.lock() == node;
                break;
            }
            default: break;
        }
        if (random.one_in(200)) {
            switch (random.below(6)) {
                case 0: heap.collect(); break;
                case 1: heap.collect_minor(); break;
                case 2: heap.collect_and_shrink(); break;
                case 3: whole = whole && heap.broken_invariant() == nullptr; break;
                case 4: {
                    heapwright::Text<512> text;
                    whole = whole && heap.explain(node, text);
                    break;
                }
                default: heap.request_collection(); break;
            }
        }
    }
    return whole;
}

gc::GcConfig busy() {
    gc::GcConfig config;
    config.nursery_bytes = config.nursery_most_bytes = 60'000;
    config.threshold_bytes = 200'000;
    config.step_bytes = 10'000;
    config.pause_budget_ns = 30'000;
    config.markers = 2;
    config.interval_ns = 200'000;
    return config;
}

}  // namespace

TEST_CASE("threads do everything at once with one heap, and a watcher that is not attached reads its figures") {
    auto config = busy();
    bool shares_stack = true;
    SUBCASE("generations and steps") {}
    SUBCASE("everything in one pause") { config.incremental = false; }
    SUBCASE("a mark stack of 64 entries and three markers") {
        config.mark_stack_entries = 64;
        config.markers = 3;
        config.generational = false;
        shares_stack = false;
    }
    {
        gc::Heap heap{config};
        std::atomic<bool> all_whole{true};
        std::atomic<int> left{2};
        std::uint64_t seen = 0;
        {
            std::vector<std::jthread> threads;
            for (std::uint64_t salt = 0; salt < 2; ++salt) {
                threads.emplace_back([&, salt] {
                    if (!work(heap, salt + (shares_stack ? 10 : 20))) {
                        all_whole = false;
                    }
                    --left;
                });
            }
            std::jthread watcher([&] {
                while (left.load() != 0) {
                    const auto stats = heap.stats();
                    if (stats.pauses < seen || stats.used_bytes > stats.committed_bytes + stats.external_bytes) {
                        all_whole = false;
                    }
                    seen = stats.pauses;
                    heap.tick();
                    std::this_thread::yield();
                }
            });
            const gc::BlockingRegion waiting{heap};
            threads.clear();
            watcher.join();
        }
        CHECK(all_whole);
        CHECK(heap.stats().pauses > 3);
        CHECK(heap.stats().threads == 1);
        CHECK(heap.broken_invariant() == nullptr);
    }
    CHECK(alive.load() == 0);
}

TEST_CASE("threads that use two heaps do not wait for each other in a ring") {
    gc::Heap first{busy()};
    gc::Heap second{busy()};
    std::atomic<bool> all_whole{true};
    {
        std::vector<std::jthread> threads;
        for (std::uint64_t salt = 0; salt < 2; ++salt) {
            threads.emplace_back([&, salt] {
                // One attaches to the heaps in one order, the other in the other; each collects both.
                gc::Heap& one = salt == 0 ? first : second;
                gc::Heap& other = salt == 0 ? second : first;
                const gc::ThreadScope in_one{one};
                const gc::ThreadScope in_other{other};
                gc::Root<Node> in_one_root{one};
                gc::Root<Node> in_other_root{other};
                for (int round = 0; round < kRounds; ++round) {
                    auto made = gc::make<Node>(one);
                    made->left = round % 50 == 0 ? gc::Ptr<Node>() : in_one_root.ptr();
                    in_one_root = made;
                    auto more = gc::make<Node>(other);
                    more->left = round % 50 == 0 ? gc::Ptr<Node>() : in_other_root.ptr();
                    in_other_root = more;
                    if (round % 100 == 99) {
                        one.collect();
                    }
                    for (const Node* at = in_other_root.get(); at != nullptr; at = at->left.get()) {
                        if (at->check != 4711) {
                            all_whole = false;
                        }
                    }
                }
            });
        }
        const gc::BlockingRegion waiting{first};
        const gc::BlockingRegion waiting_too{second};
        threads.clear();
    }
    CHECK(all_whole);
    CHECK(first.stats().pauses > 3);
    CHECK(second.stats().pauses > 3);
    CHECK(first.broken_invariant() == nullptr);
    CHECK(second.broken_invariant() == nullptr);
}
