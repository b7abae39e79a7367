// Cycles that are larger than every budget, collected in steps while the program goes on.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/report.hpp>
#include <heapwright/own/rc/cycle_collector.hpp>
#include <heapwright/own/rc/rc.hpp>

#include <tests/own/rc/rings.hpp>
#include <tests/support/death.hpp>
#include <tests/support/random.hpp>

namespace heapwright {
namespace {

using test::make_ring;

struct Bead {
    static inline std::size_t alive = 0;
    Bead() { ++alive; }
    Bead(const Bead&) = delete;
    Bead& operator=(const Bead&) = delete;
    ~Bead() { --alive; }
    Rc<Bead> next;
    Rc<Bead> other;
    using traced_members = Members<&Bead::next, &Bead::other>;
    static constexpr bool kHandlesStay = true;
};

/// Calls with a budget until there is nothing left to do, or so many were made. Returns: how many were made.
std::size_t collect_in_steps(CycleCollector& collector, std::size_t budget_nodes, std::size_t most_calls) {
    for (std::size_t call = 1; call <= most_calls; ++call) {
        const Collection collection = collector.collect(budget_nodes, Overdraft::never);
        REQUIRE(collection.visited <= budget_nodes);
        REQUIRE(collector.broken_invariant() == nullptr);
        if (!collection.was_cut) {
            return call;
        }
    }
    return most_calls;
}

TEST_CASE("a cycle far larger than the budget is freed by calls of which none visits more than it") {
    Bead::alive = 0;
    CycleCollector collector;
    for (const std::size_t length : {std::size_t{51}, std::size_t{400}, std::size_t{20'000}}) {
        make_ring<Bead>(collector, length).reset();
        std::size_t calls = 0;
        for (; Bead::alive > 0 && calls < length * 12 / 50 + 12; ++calls) {
            CHECK(collector.collect(50, Overdraft::never).visited <= 50);
        }
        CHECK(Bead::alive == 0);
        static_cast<void>(collect_in_steps(collector, 50, length));
        CHECK(collector.candidates() == 0);
    }
}

TEST_CASE("a cycle of a million nodes is freed by bounded calls") {
    constexpr std::size_t kNodes = HEAPWRIGHT_UNDER_ASAN || HEAPWRIGHT_UNDER_TSAN ? 100'000 : 1'000'000;
    Bead::alive = 0;
    CycleCollector collector;
    make_ring<Bead>(collector, kNodes).reset();
    std::size_t most = 0;
    std::size_t freed = 0;
    for (std::size_t call = 0; call < kNodes * 12 / 10'000 + 12 && freed < kNodes; ++call) {
        const Collection collection = collector.collect(10'000);
        most = std::max(most, collection.visited);
        freed += collection.freed;
    }
    CHECK(freed == kNodes);
    CHECK(Bead::alive == 0);
    CHECK(most <= 10'000);
}

TEST_CASE("a budget of one node suffices, also while young nodes are dropped all the time") {
    Bead::alive = 0;
    CycleCollector collector;
    make_ring<Bead>(collector, 30).reset();
    const Rc<Bead> busy = collector.make<Bead>();
    for (int call = 0; call < 1000; ++call) {
        {
            const Rc<Bead> copy = busy;
        }
        CHECK(collector.collect(1).visited <= 1);
    }
    CHECK(Bead::alive == 1);
}

/// Brings a long pass over a necklace of `length` so many calls forward, lets `change` happen, and goes on to the end.
template <class Change>
void change_on_the_way(std::size_t length, Change change) {
    for (std::size_t calls = 0; calls < length * 6; ++calls) {
        CycleCollector collector;
        Rc<Bead> first = make_ring<Bead>(collector, length);
        const WeakRc<Bead> weak = first->next;
        { const Rc<Bead> copy = first; }  // a candidate that lives
        for (std::size_t call = 0; call < calls; ++call) {
            static_cast<void>(collector.collect(2));
        }
        change(collector, first, weak);
        REQUIRE(collector.broken_invariant() == nullptr);
        first.reset();
        static_cast<void>(collect_in_steps(collector, 2, length * 200));
        for (int call = 0; call < 100 && collector.live_nodes() > 0; ++call) {  // old candidates are looked at now and then
            static_cast<void>(collect_in_steps(collector, 2, length * 200));
        }
        REQUIRE(collector.live_nodes() == 0);
    }
}

TEST_CASE("what changes between the calls of a long pass is noticed, whenever it changes") {
    change_on_the_way(9, [](CycleCollector&, Rc<Bead>&, const WeakRc<Bead>&) {});
    change_on_the_way(9, [](CycleCollector&, Rc<Bead>& first, const WeakRc<Bead>&) {  // held elsewhere
        Rc<Bead> held = first->next->next->next;
        first = held;
        CHECK(first->next);
    });
    change_on_the_way(9, [](CycleCollector& collector, Rc<Bead>& first, const WeakRc<Bead>&) {  // longer, and crossed
        Rc<Bead> fresh = collector.make<Bead>();
        fresh->next = first->next->next;
        first->other = fresh;
        fresh->other = first;
    });
    change_on_the_way(9, [](CycleCollector&, Rc<Bead>& first, const WeakRc<Bead>&) {  // opened: counting alone frees it
        first->next->next->next.reset();
    });
    change_on_the_way(9, [](CycleCollector&, Rc<Bead>& first, const WeakRc<Bead>&) {  // the one handle goes in
        Rc<Bead> second = first->next;
        second->other = std::move(first);
        first = std::move(second);
    });
}

TEST_CASE("a weak handle upgraded in the middle of a long pass keeps all, one upgraded at its end gets nothing") {
    constexpr std::size_t kLength = 9;
    std::size_t kept = 0;
    std::size_t refused = 0;
    for (std::size_t calls = 0; calls < kLength * 4; ++calls) {
        Bead::alive = 0;
        CycleCollector collector;
        Rc<Bead> first = make_ring<Bead>(collector, kLength);
        const WeakRc<Bead> weak = first->next;
        first.reset();
        for (std::size_t call = 0; call < calls; ++call) {
            static_cast<void>(collector.collect(2));
        }
        Rc<Bead> again = weak.upgrade();
        static_cast<void>(collect_in_steps(collector, 2, kLength * 200));
        if (again) {
            ++kept;
            REQUIRE(Bead::alive == kLength);
            std::size_t seen = 1;
            for (Rc<Bead> bead = again->next; bead != again; bead = bead->next) {
                ++seen;
            }
            CHECK(seen == kLength);
        } else {
            ++refused;
            CHECK(Bead::alive == 0);
            CHECK(weak.is_expired());
        }
        again.reset();
        static_cast<void>(collector.collect_all());
        CHECK(Bead::alive == 0);
    }
    CHECK(kept > 5);
    CHECK(refused > 5);
}

struct Nosy {
    static inline CycleCollector* asked = nullptr;
    ~Nosy() {
        if (asked != nullptr) {
            for (int call = 0; call < 100; ++call) {
                static_cast<void>(asked->collect(2));
            }
        }
        CHECK((!held || held->next));
    }
    Rc<Nosy> next;
    Rc<Nosy> held;
    using traced_members = Members<&Nosy::next, &Nosy::held>;
    static constexpr bool kHandlesStay = true;
};

TEST_CASE("a node that dies in the middle of a long pass may still follow its handles") {
    for (int calls = 0; calls < 20; ++calls) {
        CycleCollector collector;
        Rc<Nosy> ring = collector.make<Nosy>();
        ring->next = collector.make<Nosy>();
        ring->next->next = collector.make<Nosy>();
        ring->next->next->next = ring;
        Rc<Nosy> dying = collector.make<Nosy>();
        dying->held = ring;
        ring.reset();
        { const Rc<Nosy> copy = dying; }
        for (int call = 0; call < calls; ++call) {
            static_cast<void>(collector.collect(2));
        }
        Nosy::asked = &collector;
        dying.reset();
        Nosy::asked = nullptr;
        static_cast<void>(collector.collect_all());
        CHECK(collector.live_nodes() == 0);
    }
}

struct Broken {
    Rc<Broken> next;
    using traced_members = Members<&Broken::next>;
    static constexpr bool kHandlesStay = true;
};

#ifndef NDEBUG
TEST_CASE("a type that promises that handles stay, and breaks it, is told so in debug builds") {
    const auto death = test::death_of([] {
        os::report_failures_to_stderr();
        for (int calls = 0; calls < 10; ++calls) {
            CycleCollector collector;
            Rc<Broken> first = collector.make<Broken>();
            first->next = collector.make<Broken>();
            { const Rc<Broken> copy = first; }
            for (int call = 0; call < calls; ++call) {
                static_cast<void>(collector.collect(1));
            }
            Rc<Broken> taken = std::move(first->next);  // unseen: the first refers to the second, or the other way round
            taken->next = std::move(first);
            for (int call = 0; call < 20; ++call) {
                static_cast<void>(collector.collect(1));
            }
            taken->next.reset();
        }
    });
    CHECK(test::said(death, "though the type says kHandlesStay; copy it instead"));
}
#endif

struct Loose {
    Rc<Bead> bead;
    Rc<Loose> next;
    using traced_members = Members<&Loose::bead, &Loose::next>;
};

TEST_CASE("a type without the promise, met in the middle of a long pass, makes calls save up as before") {
    Bead::alive = 0;
    CycleCollector collector;
    Rc<Bead> ring = make_ring<Bead>(collector, 100);
    ring.reset();
    for (int call = 0; call < 5; ++call) {
        static_cast<void>(collector.collect(10));
    }
    Rc<Loose> loose = collector.make<Loose>();
    loose->next = loose;
    loose->bead = make_ring<Bead>(collector, 5);
    loose.reset();
    for (int call = 0; call < 400 && collector.live_nodes() > 0; ++call) {
        static_cast<void>(collector.collect(10));
        REQUIRE(collector.broken_invariant() == nullptr);
    }
    CHECK(collector.live_nodes() == 0);
}

TEST_CASE("a living graph that is touched all the time costs ever fewer long passes") {
    CycleCollector collector;
    constexpr std::size_t kNodes = 2000;
    Rc<Bead> ring = make_ring<Bead>(collector, kNodes);
    std::size_t visited = 0;
    for (int round = 0; round < 5000; ++round) {
        {
            const Rc<Bead> copy = ring;
        }
        visited += collector.collect(50).visited;
    }
    MESSAGE("visited ", visited, " of ", 5000 * 50);
    CHECK(visited < kNodes * 40);
    ring.reset();
    CHECK(collector.collect_all().freed == kNodes);
}

}  // namespace
}  // namespace heapwright
