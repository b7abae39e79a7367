// Interior mutability, the weak cache, and the way to std::shared_ptr and back.
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/report.hpp>
#include <heapwright/own/rc/biased_counts.hpp>
#include <heapwright/own/rc/cell.hpp>
#include <heapwright/own/rc/cycle_collector.hpp>
#include <heapwright/own/rc/hosted_shared_ptr.hpp>
#include <heapwright/own/rc/rc.hpp>
#include <heapwright/own/rc/weak_cache.hpp>

#include <tests/support/death.hpp>
#include <tests/support/random.hpp>

namespace heapwright {
namespace {

TEST_CASE("a cell replaces its value through a const handle") {
    const Rc<const Cell<int>> cell = make_rc<Cell<int>>(4);
    cell->set(5);
    CHECK(cell->get() == 5);
    CHECK(cell->replace(6) == 5);
    CHECK(cell->take() == 6);
    CHECK(cell->get() == 0);
}

TEST_CASE("a RefCell lends to many readers or to one writer") {
    const RefCell<std::string, BorrowCheck::always> cell{"text"};
    {
        const auto one = cell.borrow();
        const auto two = cell.borrow();
        CHECK(*one == *two);
        CHECK_FALSE(cell.try_borrow_mut());
        CHECK(cell.try_borrow());
    }
    {
        auto writer = cell.borrow_mut();
        writer->append("!");
        auto moved = std::move(writer);
        CHECK_FALSE(cell.try_borrow());
        CHECK_FALSE(cell.try_borrow_mut());
        CHECK(*moved == "text!");
    }
    CHECK(cell.borrow()->size() == 5);
    const auto dies_with = [](auto act) {
        return test::death_of([&] {
            os::report_failures_to_stderr();
            act();
        });
    };
    CHECK(test::said(dies_with([&] {
                         const auto writer = cell.borrow_mut();
                         static_cast<void>(cell.borrow());
                     }),
                     "a RefCell is lent to somebody who writes; end that loan first"));
    CHECK(test::said(dies_with([&] {
                         const auto reader = cell.borrow();
                         static_cast<void>(cell.borrow_mut());
                     }),
                     "a RefCell is lent to somebody who reads; end that loan first"));
    CHECK(test::said(dies_with([] {
                         auto lent = std::make_unique<RefCell<int, BorrowCheck::always>>(1);
                         const auto reader = lent->borrow();
                         lent.reset();
                     }),
                     "a RefCell ends while it is lent"));
}

struct Member {
    RefCell<std::vector<Rc<Member>>> friends;
    Cell<Rc<Member>> best;
    void trace(auto& visit) const { visit(friends, best); }
};

TEST_CASE("cycles through cells are collected, lent or not") {
    CycleCollector collector;
    Rc<Member> one = collector.make<Member>();
    Rc<Member> two = collector.make<Member>();
    one->friends.borrow_mut()->push_back(two);
    two->best.set(one);
    {
        const auto lent = one->friends.borrow_mut();
        two.reset();
        CHECK(collector.collect_all().freed == 0);
    }
    one.reset();
    CHECK(collector.collect_all().freed == 2);
}

TEST_CASE("a cache finds what somebody holds, and keeps nothing by itself") {
    WeakCache<std::string, std::vector<int>> cache;
    int made = 0;
    const auto make = [&] {
        ++made;
        return make_rc<std::vector<int>>(std::vector<int>{made});
    };
    CHECK_FALSE(cache.find("a"));
    Rc<std::vector<int>> first = cache.get_or_create("a", make);
    const Rc<std::vector<int>> again = cache.get_or_create("a", make);
    CHECK(first == again);
    CHECK(made == 1);
    CHECK(first.strong_count() == 2);
    Rc<std::vector<int>> other = cache.get_or_create("b", make);
    other.reset();
    CHECK_FALSE(cache.find("b"));
    CHECK(cache.stats().entries == 1);  // the expired one left with the request
    CHECK_THROWS_AS(static_cast<void>(cache.get_or_create("c", []() -> Rc<std::vector<int>> { throw std::runtime_error("no"); })),
                    std::runtime_error);
    CHECK_FALSE(cache.get_or_create("c", [] { return Rc<std::vector<int>>(); }));
    CHECK(cache.stats().entries == 1);
    cache.erase("a");
    CHECK_FALSE(cache.find("a"));
    CHECK(first->front() == 1);
}

/// Every key has the same hash: the table's worst case.
struct SameHash {
    std::size_t operator()(int) const { return 5; }
};

template <class Cache>
void against_map(Cache& cache, std::uint64_t salt, int steps, int keys) {
    test::Random random{salt};
    std::map<int, Rc<int>> held;
    for (int step = 0; step < steps; ++step) {
        const int key = static_cast<int>(random.below(static_cast<std::uint64_t>(keys)));
        const auto found = held.find(key);
        switch (random.below(4)) {
            case 0: {
                const Rc<int> object = cache.get_or_create(key, [&] { return make_rc<int>(key); });
                REQUIRE(*object == key);
                REQUIRE((found == held.end() || found->second == object));
                held[key] = object;
                break;
            }
            case 1: held.erase(key); break;
            case 2: {
                const Rc<int> object = cache.find(key);
                REQUIRE((object ? found != held.end() && found->second == object : found == held.end()));
                break;
            }
            default:
                if (random.one_in(20)) {
                    cache.erase(key);
                    held.erase(key);
                }
        }
        if (step % 64 == 0) {
            REQUIRE(cache.broken_invariant() == nullptr);
        }
    }
    cache.sweep();
    CHECK(cache.stats().entries == held.size());
}

TEST_CASE("a cache agrees with a map through any history, whatever the hash") {
    WeakCache<int, int> usual;
    against_map(usual, 1, 20'000, 300);
    WeakCache<int, int, SameHash> worst;
    against_map(worst, 2, 2'000, 20);
}

TEST_CASE("expired entries never outnumber the living for long") {
    WeakCache<int, int> cache;
    std::vector<Rc<int>> held;
    std::size_t most = 0;
    for (int key = 0; key < 100'000; ++key) {
        Rc<int> made = cache.get_or_create(key, [&] { return make_rc<int>(key); });
        if (held.size() < 100) {
            held.push_back(std::move(made));
        }
        most = std::max(most, cache.stats().places);
    }
    CHECK(most <= 1024);
    CHECK(cache.find(50) == held[50]);
}

TEST_CASE_TEMPLATE("a handle becomes a shared_ptr and comes back as the same object", Policy, SingleThread, ManyThreads, Biased) {
    auto handle = make_counted<std::string, Policy>("both");
    std::shared_ptr<std::string> shared = to_shared(handle);
    CHECK(shared.get() == handle.get());
    CHECK(handle.strong_count() == 2);
    const std::shared_ptr<std::string> copy = shared;
    CHECK(handle.strong_count() == 2);
    auto back = to_counted<std::string, Policy>(copy);
    CHECK(back == handle);
    CHECK(handle.strong_count() == 3);
    back.reset();
    const std::weak_ptr<std::string> weak = shared;
    const WeakCounted<std::string, Policy> weak_handle = handle;
    handle.reset();
    CHECK(*shared == "both");
    shared.reset();
    CHECK(*copy == "both");
    const_cast<std::shared_ptr<std::string>&>(copy).reset();
    CHECK(weak.expired());
    CHECK(weak_handle.is_expired());
    CHECK_FALSE(to_shared(Counted<std::string, Policy>()));
    // An object that std::make_shared made has no counts before it.
    const auto foreign = std::make_shared<std::string>("foreign");
    CHECK_FALSE((to_counted<std::string, Policy>(foreign)));
    const auto view = view_shared<Policy>(foreign);
    CHECK(view.get() == foreign.get());
    CHECK(foreign.use_count() == 2);
    const auto second = view;
    CHECK(foreign.use_count() == 2);
    CHECK(to_shared(view) == foreign);
}

}  // namespace
}  // namespace heapwright
