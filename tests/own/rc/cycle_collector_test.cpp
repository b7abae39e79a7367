// Cycles of counted objects, found and freed.
#include <heapwright/own/rc/cycle_collector.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/report.hpp>
#include <heapwright/own/rc/rc.hpp>

#include <tests/own/rc/rings.hpp>
#include <tests/support/death.hpp>

namespace heapwright {
namespace {

using test::make_ring;

struct Ring {
    static inline int alive = 0;
    Ring() { ++alive; }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;
    ~Ring() { --alive; }
    Rc<Ring> next;
    using traced_members = Members<&Ring::next>;
};

/// Every way in which a node can hold a handle.
struct Wide {
    Rc<Wide> one;
    std::vector<Rc<Wide>> many;
    std::map<std::string, Rc<Wide>> named;
    std::optional<Rc<Wide>> maybe;
    std::array<Rc<Wide>, 2> pair;
    Rc<Wide> bare[2];
    WeakRc<Wide> parent;
    RcView<int, Wide> view;
    int number = 0;
    void trace(auto& visit) const { visit(one, many, named, maybe, pair, bare, parent, view, number); }
};

TEST_CASE("a ring that nobody holds is freed, one that is held is not") {
    Ring::alive = 0;
    {
        CycleCollector collector;
        for (const int length : {1, 2, 3, 1000}) {
            Rc<Ring> ring = make_ring<Ring>(collector, length);
            CHECK(collector.collect_all().freed == 0);
            CHECK(Ring::alive == length);
            ring.reset();
            CHECK(Ring::alive == length);
            CHECK(collector.collect_all().freed == static_cast<std::size_t>(length));
            CHECK(Ring::alive == 0);
            CHECK(collector.candidates() == 0);
        }
        Rc<Ring> alone = collector.make<Ring>();
        alone.reset();
        CHECK(Ring::alive == 0);  // at once, as any counted object
        make_ring<Ring>(collector, 7).reset();
        CHECK(Ring::alive == 7);
    }
    CHECK(Ring::alive == 0);  // the collector's end collects what is left
}

TEST_CASE("handles are found in members, containers, maps, optionals, arrays and views, and weak ones keep nothing") {
    CycleCollector collector;
    using Place = void (*)(Wide&, const Rc<Wide>&);
    const Place places[] = {
        [](Wide& node, const Rc<Wide>& to) { node.one = to; },
        [](Wide& node, const Rc<Wide>& to) { node.many.assign(3, to); },
        [](Wide& node, const Rc<Wide>& to) { node.named["here"] = to; },
        [](Wide& node, const Rc<Wide>& to) { node.maybe = to; },
        [](Wide& node, const Rc<Wide>& to) { node.pair[1] = to; },
        [](Wide& node, const Rc<Wide>& to) { node.bare[0] = to; },
        [](Wide& node, const Rc<Wide>& to) { node.view = {to, &to->number}; },
    };
    for (const Place there : places) {
        for (const Place back : places) {
            Rc<Wide> one = collector.make<Wide>();
            Rc<Wide> two = collector.make<Wide>();
            there(*one, two);
            back(*two, one);
            two->parent = one;
            WeakRc<Wide> weak = one;
            two.reset();
            CHECK(collector.collect_all().freed == 0);
            one.reset();
            CHECK(collector.collect_all().freed == 2);
            CHECK(weak.is_expired());
            CHECK_FALSE(weak.upgrade());
        }
    }
}

struct Clings {
    Rc<Clings> self;
    static inline Rc<Clings>* saved = nullptr;
    ~Clings() {
        if (saved != nullptr) {
            *saved = self;
        }
    }
    using traced_members = Members<&Clings::self>;
};

TEST_CASE("a node that a collection is about to destroy cannot be kept, and says so") {
    const auto death = test::death_of([] {
        os::report_failures_to_stderr();
        CycleCollector collector;
        Rc<Clings> saved;
        Clings::saved = &saved;
        Rc<Clings> node = collector.make<Clings>();
        node->self = node;
        node.reset();
        static_cast<void>(collector.collect_all());
    });
    CHECK(test::said(death, "is being destroyed and must not be kept"));
}

struct Twice {
    Rc<Twice> next;
    void trace(auto& visit) const { visit(next, next); }
};

TEST_CASE("a handle that is named twice is refused") {
    const auto death = test::death_of([] {
        os::report_failures_to_stderr();
        CycleCollector collector;
        Rc<Twice> node = collector.make<Twice>();
        node->next = node;
        Rc<Twice> other = std::move(node->next);
        other->next = other;
        node.reset();
        other.reset();
        static_cast<void>(collector.collect_all());
    });
    CHECK(test::said(death, "does its trace function name a member twice?"));
}

struct Leaky {
    Rc<Leaky> named;
    Rc<Leaky> not_named;
    using traced_members = Members<&Leaky::named>;
};

TEST_CASE("leaks are reported by type, and the end of the collector names the type that has most") {
    const auto death = test::death_of([] {
        os::report_failures_to_stderr();
        CycleCollector collector;
        for (int count = 0; count < 3; ++count) {
            Rc<Leaky> node = collector.make<Leaky>();
            node->not_named = node;
        }
    });
    CHECK(test::said(death, "heapwright: nodes outlive their collector: 3 are alive, 3 of them "));
    CHECK(test::said(death, "Leaky; drop their handles first, or name every handle in trace"));
    CycleCollector collector;
    Rc<Leaky> node = collector.make<Leaky>();
    node->not_named = node;
    make_ring<Ring>(collector, 5).reset();
    static_cast<void>(collector.collect_all());
    std::map<std::string, NodeTypeReport> reports;
    collector.for_each_type([&](const NodeTypeReport& report) { reports[std::string(report.name)] = report; });
    REQUIRE(reports.size() == 2);
    for (const auto& [name, report] : reports) {
        CHECK(report.made == (name.ends_with("Ring") ? 5 : 1));
        CHECK(report.live == (name.ends_with("Ring") ? 0 : 1));
        CHECK(report.collected == (name.ends_with("Ring") ? 5 : 0));
    }
    node->not_named.reset();
}

TEST_CASE("a budget bounds how many nodes are visited, and everything that fits in it is freed in the end") {
    CycleCollector collector;
    for (int count = 0; count < 100; ++count) {
        make_ring<Ring>(collector, 10).reset();
    }
    make_ring<Ring>(collector, 500).reset();
    std::size_t freed = 0;
    int calls = 0;
    for (; freed < 1000 && calls < 1000; ++calls) {
        const Collection collection = collector.collect(50, Overdraft::never);
        CHECK(collection.visited <= 50);
        CHECK(collector.broken_invariant() == nullptr);
        freed += collection.freed;
    }
    CHECK(freed == 1000);
    CHECK(calls < 100);
    CHECK(collector.collect_all().freed == 500);
}

TEST_CASE("calls with a budget save up for a cycle that is larger, and visit no more than twice their budgets together") {
    CycleCollector collector;
    for (const int length : {51, 400, 20'000, 60}) {
        make_ring<Ring>(collector, length).reset();
        std::size_t freed = 0;
        std::size_t visited = 0;
        std::size_t calls = 0;
        const std::size_t most_calls = static_cast<std::size_t>(length) * 4 / 50 + 8;
        for (; freed == 0 && calls < most_calls; ++calls) {
            const Collection collection = collector.collect(50);
            visited += collection.visited;
            freed += collection.freed;
            CHECK(collector.broken_invariant() == nullptr);
        }
        CHECK(freed == static_cast<std::size_t>(length));
        CHECK(visited <= calls * 2 * 50 + static_cast<std::size_t>(length));
        CHECK(collector.candidates() == 0);
    }
}

TEST_CASE("a living cycle larger than the budget, touched all the time, is looked at ever more seldom") {
    CycleCollector collector;
    constexpr std::size_t kNodes = 2000;
    Rc<Ring> ring = make_ring<Ring>(collector, kNodes);
    std::size_t whole_looks = 0;
    for (int round = 0; round < 5000; ++round) {
        {
            const Rc<Ring> copy = ring;
        }
        whole_looks += collector.collect(50).visited >= kNodes ? 1U : 0U;
    }
    CHECK(whole_looks > 0);
    CHECK(whole_looks < 5);
    ring.reset();
    CHECK(collector.collect_all().freed == kNodes);
}

TEST_CASE("a large living graph that is touched all the time is seldom walked") {
    CycleCollector collector;
    constexpr int kNodes = 20'000;
    std::vector<Rc<Ring>> all;
    Rc<Ring> ring = make_ring<Ring>(collector, kNodes);
    for (Rc<Ring> node = ring; all.size() < kNodes; node = node->next) {
        all.push_back(node);
    }
    std::size_t visited = 0;
    constexpr int kRounds = 100;
    for (int round = 0; round < kRounds; ++round) {
        for (const Rc<Ring>& node : all) {
            const Rc<Ring> copy = node;
        }
        const Collection collection = collector.collect();
        CHECK(collection.freed == 0);
        visited += collection.visited;
    }
    CHECK(visited <= kNodes * 6);
    all.clear();
    ring.reset();
    CHECK(collector.collect_all().freed == kNodes);
}

TEST_CASE("old garbage is collected without asking for it") {
    CycleCollector collector;
    Rc<Ring> ring = make_ring<Ring>(collector, 100);
    Rc<Ring> second = ring;
    second.reset();
    static_cast<void>(collector.collect());  // the ring survives and is old
    ring.reset();
    std::size_t freed = 0;
    for (int call = 0; call < 70 && freed == 0; ++call) {
        freed = collector.collect().freed;
    }
    CHECK(freed == 100);
    // A cycle of young and old nodes: the young part alone keeps nothing and is kept by nothing that is young.
    Rc<Ring> old_part = make_ring<Ring>(collector, 2);
    Rc<Ring> copy = old_part;
    copy.reset();
    static_cast<void>(collector.collect());
    Rc<Ring> young = collector.make<Ring>();
    young->next = old_part->next;
    old_part->next = young;
    young.reset();
    old_part.reset();
    freed = 0;
    for (int call = 0; call < 200 && freed < 3; ++call) {
        freed += collector.collect().freed;
    }
    CHECK(freed == 3);
}

TEST_CASE("a young candidate that only an old node keeps is looked at again with the old ones") {
    CycleCollector collector;
    Rc<Ring> old_node = collector.make<Ring>();
    { const Rc<Ring> copy = old_node; }
    CHECK(collector.collect().visited == 1);
    CHECK(collector.candidates() == 0);  // it survived, and is known to live
    Rc<Ring> young = collector.make<Ring>();
    old_node->next = young;
    young->next = std::move(old_node);  // moved: the old node loses no handle, and is no candidate
    young.reset();
    std::size_t freed = 0;
    for (int call = 0; call < 70 && freed == 0; ++call) {
        freed = collector.collect().freed;
    }
    CHECK(freed == 2);
}

struct Busy {
    CycleCollector* collector = nullptr;
    Rc<Busy> self;
    Rc<Ring> ring;
    ~Busy() {
        if (collector != nullptr) {
            make_ring<Ring>(*collector, 3).reset();
            CHECK(collector->collect().visited == 0);
        }
    }
    void trace(auto& visit) const { visit(self, ring); }
};

TEST_CASE("a destructor may make nodes, drop nodes and ask for a collection") {
    Ring::alive = 0;
    CycleCollector collector;
    Rc<Busy> busy = collector.make<Busy>();
    busy->collector = &collector;
    busy->self = busy;
    busy->ring = make_ring<Ring>(collector, 4);
    busy.reset();
    const Collection collection = collector.collect_all();
    CHECK(collection.freed == 1 + 4 + 3);
    CHECK(Ring::alive == 0);
}

struct Animal {
    virtual ~Animal() = default;
    Rc<Animal> friend_;
    void trace(auto& visit) const { visit(friend_); }
};
struct Dog : Animal {
    std::vector<Rc<Dog>> puppies;
    void trace(auto& visit) const {
        Animal::trace(visit);
        visit(puppies);
    }
};

TEST_CASE("nodes are traced as what they are, also through handles to their base") {
    CycleCollector collector;
    Rc<Dog> dog = collector.make<Dog>();
    Rc<Dog> puppy = collector.make<Dog>();
    dog->puppies.push_back(puppy);
    puppy->friend_ = dog;
    Rc<Animal> animal = dog;
    dog.reset();
    puppy.reset();
    CHECK(collector.collect_all().freed == 0);
    animal.reset();
    CHECK(collector.collect_all().freed == 2);
}

}  // namespace
}  // namespace heapwright
