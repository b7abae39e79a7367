#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/root.hpp>
#include <heapwright/own/gc/traced_allocator.hpp>
#include <heapwright/own/gc/weak.hpp>

#include <tests/support/random.hpp>

namespace gc = heapwright::gc;

namespace {

struct Node {
    gc::Ptr<Node> next;
    std::uint64_t number = 0;
    Node() = default;
    explicit Node(std::uint64_t its_number, gc::Ptr<Node> its_next = {}) : next(its_next), number(its_number) {}
    void trace(gc::Tracer& tracer) const { tracer(next); }
};

template <class T>
using Traced = gc::TracedAllocator<T>;

struct Tables {
    explicit Tables(gc::Heap& heap) : list(heap), by_number(heap), by_name(heap) {}
    std::vector<gc::Ptr<Node>, Traced<gc::Ptr<Node>>> list;
    std::map<int, gc::Ptr<Node>, std::less<>, Traced<std::pair<const int, gc::Ptr<Node>>>> by_number;
    std::unordered_map<std::uint64_t, gc::Ptr<Node>, std::hash<std::uint64_t>, std::equal_to<>,
                       Traced<std::pair<const std::uint64_t, gc::Ptr<Node>>>>
        by_name;
    void trace(gc::Tracer& tracer) const { tracer(list, by_number, by_name); }
};

struct Holder {
    gc::WeakMap<Node, Node> map;
    void trace(gc::Tracer& tracer) const { tracer(map); }
};

struct Mixin {
    static constexpr bool gc_mixin = true;
    virtual ~Mixin() = default;
    virtual int answer() const = 0;
};
struct Both : Node, Mixin {
    int answer() const override { return static_cast<int>(number); }
    using Node::trace;
};
struct UsesMixin {
    gc::Ptr<Mixin> mixin;
    void trace(gc::Tracer& tracer) const { tracer(mixin); }
};

gc::GcConfig precise() {
    gc::GcConfig config;
    config.stack = gc::StackScan::none;
    config.verify_always = true;
    return config;
}

std::vector<std::uint64_t> ended;

}  // namespace

TEST_CASE("a weak root is cleared when its object goes, not before") {
    gc::Heap heap{precise()};
    gc::Root<Node> root{heap, gc::make<Node>(heap)};
    const gc::WeakRoot<Node> weak{heap, root.ptr()};
    heap.collect();
    CHECK(weak.lock() == root.ptr());
    root = nullptr;
    heap.collect();
    CHECK(weak.lock() == nullptr);
    CHECK(heap.stats().weak_cleared == 1);
}

TEST_CASE("an entry of a weak map lives as long as its key, also through chains of entries") {
    auto config = precise();
    SUBCASE("minor collections and steps") { config.stress = 3; }
    SUBCASE("explicit collections") {}
    gc::Heap heap{config};
    gc::Root<Holder> holder{heap, gc::make<Holder>(heap)};
    gc::Root<Node> first{heap, gc::make<Node>(heap, 0U)};
    constexpr std::uint64_t kLength = 60;
    {
        // The value of each entry is the key of the next.
        gc::Root<Node> key{heap, first.ptr()};
        for (std::uint64_t number = 1; number < kLength; ++number) {
            gc::Root<Node> value{heap, gc::make<Node>(heap, number)};
            holder->map.insert(heap, key.ptr(), value.ptr());
            key = value;
        }
        // And entries that nobody can ask for, with a cycle from value to key.
        for (std::uint64_t number = 0; number < 40; ++number) {
            gc::Root<Node> lost{heap, gc::make<Node>(heap, number)};
            gc::Root<Node> value{heap, gc::make<Node>(heap, number, lost.ptr())};
            holder->map.insert(heap, lost.ptr(), value.ptr());
        }
    }
    for (int round = 0; round < 3; ++round) {
        heap.collect();
        CHECK(holder->map.size() == kLength - 1);
        gc::Root<Node> at{heap, first.ptr()};
        for (std::uint64_t number = 1; number < kLength; ++number) {
            at = holder->map.find(at.ptr());
            REQUIRE(at);
            REQUIRE(at->number == number);
        }
    }
    first = nullptr;
    heap.collect();
    CHECK(holder->map.size() == 0);
}

TEST_CASE("finalisers run once, in order, with everything they refer to") {
    gc::Heap heap{precise()};
    ended.clear();
    gc::Root<Node> kept{heap};
    {
        gc::Root<Node> last{heap, gc::make<Node>(heap, 3U)};
        gc::Root<Node> middle{heap, gc::make<Node>(heap, 2U, last.ptr())};
        gc::Root<Node> first{heap, gc::make<Node>(heap, 1U, middle.ptr())};
        const auto note = [](Node& node, void*) { ended.push_back(node.number * 10 + (node.next ? node.next->number : 0)); };
        heap.on_unreachable<Node>(last.ptr(), note);
        heap.on_unreachable<Node>(first.ptr(), note);
        heap.on_unreachable<Node>(middle.ptr(), note);
    }
    for (int round = 0; round < 5; ++round) {
        heap.collect();
    }
    CHECK(ended == std::vector<std::uint64_t>{12, 23, 30});
    CHECK(heap.stats().finalised == 3);
    CHECK(heap.stats().resurrected == 0);

    gc::Root<Node> back{heap};
    heap.on_unreachable<Node>(
        gc::make<Node>(heap, 9U), [](Node& node, void* root) { *static_cast<gc::Root<Node>*>(root) = gc::Ptr<Node>(&node); }, &back);
    heap.collect();
    REQUIRE(back);
    CHECK(back->number == 9);
    heap.collect();
    CHECK(heap.stats().resurrected == 1);  // never silently
    back = nullptr;
    heap.collect();
    CHECK(heap.stats().finalised == 4);
}

TEST_CASE("finalisable objects that refer to each other are finalised, the oldest first") {
    gc::Heap heap{precise()};
    ended.clear();
    {
        gc::Root<Node> a{heap, gc::make<Node>(heap, 1U)};
        gc::Root<Node> b{heap, gc::make<Node>(heap, 2U, a.ptr())};
        a->next = b;
        const auto note = [](Node& node, void*) { ended.push_back(node.number); };
        heap.on_unreachable<Node>(a.ptr(), note);
        heap.on_unreachable<Node>(b.ptr(), note);
    }
    for (int round = 0; round < 4; ++round) {
        heap.collect();
    }
    CHECK(ended == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("a pre-finaliser sees the object and its neighbours before anything is freed") {
    gc::Heap heap{precise()};
    ended.clear();
    heap.before_sweep<Node>(gc::make<Node>(heap, 1U, gc::make<Node>(heap, 2U)),
                            [](Node& node, void*) { ended.push_back(node.number + node.next->number * 10); });
    heap.collect_minor();
    CHECK(ended == std::vector<std::uint64_t>{21});
    heap.collect();
    CHECK(ended.size() == 1);
}

TEST_CASE("standard containers of pointers are members: a random program with them agrees with ordinary ones") {
    auto config = precise();
    SUBCASE("a collection at every allocation") { config.stress = 1; }
    SUBCASE("generations and steps") {
        config.nursery_bytes = 10'000;
        config.threshold_bytes = 20'000;
        config.step_bytes = 1000;
        config.pause_budget_ns = 1000;
    }
    gc::Heap heap{config};
    gc::Root<Tables> tables{heap, gc::make<Tables>(heap, heap)};
    heapwright::test::Random random(7);
    std::vector<std::uint64_t> list;
    std::map<int, std::uint64_t> by_number;
    std::unordered_map<std::uint64_t, std::uint64_t> by_name;
    for (std::uint64_t step = 0; step < 1500; ++step) {
        gc::Root<Node> node{heap, gc::make<Node>(heap, step)};
        switch (random.below(7)) {
            case 0:
            case 1:
                tables->list.push_back(node.ptr());
                list.push_back(step);
                break;
            case 2:
                if (!list.empty()) {
                    const auto at = static_cast<std::ptrdiff_t>(random.below(list.size()));
                    tables->list.erase(tables->list.begin() + at);
                    list.erase(list.begin() + at);
                }
                break;
            case 3: {
                const int key = static_cast<int>(random.below(50));
                tables->by_number[key] = node.ptr();
                by_number[key] = step;
                break;
            }
            case 4: {
                const int key = static_cast<int>(random.below(50));
                tables->by_number.erase(key);
                by_number.erase(key);
                break;
            }
            default: {
                const auto key = random.below(90);
                if (random.one_in(3)) {
                    tables->by_name.erase(key);
                    by_name.erase(key);
                } else {
                    tables->by_name[key] = node.ptr();
                    by_name[key] = step;
                }
            }
        }
        if (step % 50 == 49) {
            REQUIRE(tables->list.size() == list.size());
            for (std::size_t index = 0; index < list.size(); ++index) {
                REQUIRE(tables->list[index]->number == list[index]);
            }
            for (const auto& [key, number] : by_number) {
                REQUIRE(tables->by_number.at(key)->number == number);
            }
            for (const auto& [key, number] : by_name) {
                REQUIRE(tables->by_name.at(key)->number == number);
            }
            REQUIRE(heap.broken_invariant() == nullptr);
        }
    }
    tables = nullptr;
    heap.collect();
    heap.collect();
    heap.collect();
    CHECK(heap.stats().used_bytes < 4000);
}

TEST_CASE("a mixin is referred to in the middle of its object") {
    gc::Heap heap{precise()};
    gc::Root<UsesMixin> user{heap, gc::make<UsesMixin>(heap)};
    {
        gc::HandleScope scope{heap};
        auto both = scope.hold(gc::make<Both>(heap));
        both->number = 5;
        both->next = gc::make<Node>(heap, 6U);
        user->mixin = gc::Ptr<Mixin>(both.ptr());
    }
    for (int round = 0; round < 3; ++round) {
        heap.collect();
        gc::make<Node>(heap);
    }
    CHECK(user->mixin->answer() == 5);
    CHECK(static_cast<Both*>(user->mixin.get())->next->number == 6);
}

TEST_CASE("external bytes count as allocated") {
    auto config = precise();
    config.nursery_bytes = config.nursery_most_bytes = 1'000'000;
    gc::Heap heap{config};
    for (int count = 0; count < 100; ++count) {
        gc::make<Node>(heap);
        heap.adjust_external_bytes(100'000);
        heap.safepoint();
        heap.adjust_external_bytes(-100'000);
    }
    CHECK(heap.stats().minor_collections >= 5);
    CHECK(heap.stats().external_bytes == 0);
}

TEST_CASE("who keeps it alive is told as text and as a picture") {
    gc::Heap heap{precise()};
    gc::Root<Node> root{heap, gc::make<Node>(heap, 1U), "the list"};
    root->next = gc::make<Node>(heap, 2U);
    root->next->next = gc::make<Node>(heap, 3U);
    heapwright::Text<2048> text;
    CHECK(heap.explain(root->next->next, text));
    const std::string said(text.view());
    CHECK(said.starts_with("root 'the list'\n  -> "));
    CHECK(said.find("Node at 0x") != std::string::npos);
    CHECK(said.find("[+0] ") != std::string::npos);
    text.clear();
    CHECK(heap.explain(root->next->next, text, gc::PathStyle::graphviz));
    CHECK(std::string(text.view()).starts_with("digraph path {"));
    CHECK(std::string(text.view()).find("n2 -> n3 [label=\"+0\"];") != std::string::npos);
    text.clear();
    CHECK_FALSE(heap.explain(gc::make<Node>(heap, 4U), text));
}

TEST_CASE("events tell of each pause") {
    struct Seen {
        std::vector<gc::GcEvent> events;
    } seen;
    auto config = precise();
    config.nursery_bytes = 100'000;
    config.threshold_bytes = 200'000;
    config.step_bytes = 20'000;
    config.context = &seen;
    config.on_event = [](const gc::GcEvent& event, void* context) noexcept { static_cast<Seen*>(context)->events.push_back(event); };
    gc::Heap heap{config};
    gc::Root<Node> list{heap};
    for (std::uint64_t number = 0; number < 30'000; ++number) {
        const auto node = gc::make<Node>(heap, number, number % 2 == 0 ? list.ptr() : gc::Ptr<Node>());
        list = number % 2 == 0 ? node : list.ptr();
    }
    const auto stats = heap.stats();
    CHECK(seen.events.size() == stats.pauses);
    CHECK(stats.minor_collections > 3);
    CHECK(stats.full_collections > 0);
    CHECK(stats.steps >= stats.full_collections);
    for (std::size_t index = 0; index < seen.events.size(); ++index) {
        CHECK(seen.events[index].number == index + 1);
        CHECK_FALSE(gc::name_of(seen.events[index].cycle).empty());
        CHECK_FALSE(gc::name_of(seen.events[index].reason).empty());
    }
}

TEST_CASE("a monitor's ticks collect when the interval is over") {
    auto config = precise();
    config.interval_ns = 1;
    gc::Heap heap{config};
    gc::make<Node>(heap);
    heap.tick();
    heap.safepoint();
    CHECK(heap.stats().full_collections == 1);
}
