// Cycles of nodes that many threads hold.
#include <heapwright/own/rc/shared_cycle_collector.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/report.hpp>
#include <heapwright/own/rc/rc.hpp>

#include <tests/support/death.hpp>
#include <tests/support/random.hpp>

namespace heapwright {
namespace {

/// With the promise a collector goes on from call to call, without it a large cycle is looked at in one go.
template <bool kPromises>
struct BasicPage {
    static constexpr bool kHandlesStay = kPromises;
    static inline std::atomic<int> alive{0};
    static constexpr std::uint64_t kWhole = 0x600D'600D'600D'600D;
    BasicPage() { alive.fetch_add(1); }
    BasicPage(const BasicPage&) = delete;
    BasicPage& operator=(const BasicPage&) = delete;
    ~BasicPage() {
        check = 0;
        alive.fetch_sub(1);
    }
    std::uint64_t check = kWhole;
    std::mutex lock;  // threads exclude each other; the collector excludes itself by the access
    std::vector<Arc<BasicPage>> links;
    using traced_members = Members<&BasicPage::links>;
};
using Page = BasicPage<false>;

TEST_CASE("rings of Arc nodes are collected by any thread") {
    Page::alive = 0;
    SharedCycleCollector collector;
    WeakArc<Page> weak;
    {
        const Arc<Page> one = collector.make<Page>();
        const Arc<Page> two = collector.make<Page>();
        const auto access = collector.access();
        one->links.push_back(two);
        two->links.push_back(one);
        weak = one;
        const Arc<Page> copy = two;  // dropped inside the access: no waiting for itself
    }
    CHECK(weak.upgrade());
    std::thread([&] { CHECK(collector.collect_all().freed == 2); }).join();
    CHECK_FALSE(weak.upgrade());
    CHECK(Page::alive == 0);
    CHECK(collector.live_nodes() == 0);
}

TEST_CASE_TEMPLATE("a ring of Arc nodes that is larger than every call's budget is freed", Page, BasicPage<false>, BasicPage<true>) {
    Page::alive = 0;
    SharedCycleCollector collector;
    constexpr int kNodes = 500;
    {
        const auto access = collector.access();
        const Arc<Page> first = collector.make<Page>();
        Arc<Page> last = first;
        for (int count = 1; count < kNodes; ++count) {
            const Arc<Page> next = collector.make<Page>();
            last->links.push_back(next);
            last = next;
        }
        last->links.push_back(first);
    }
    constexpr int kCalls = Page::kHandlesStay ? kNodes * 12 / 50 + 12 : kNodes * 4 / 50 + 8;
    for (int call = 0; call < kCalls; ++call) {
        CHECK((collector.collect(50).visited <= 50 || !Page::kHandlesStay));
    }
    CHECK(Page::alive == 0);
    CHECK(collector.live_nodes() == 0);
}

TEST_CASE("a weak handle may outlive its node's collector") {
    WeakArc<Page> weak;
    {
        SharedCycleCollector collector;
        const Arc<Page> page = collector.make<Page>();
        page->links.push_back(page);
        weak = page;
    }
    CHECK(weak.is_expired());
    CHECK_FALSE(weak.upgrade());
}

TEST_CASE("who collects inside an access of its own is told so") {
    const auto death = test::death_of([] {
        os::report_failures_to_stderr();
        SharedCycleCollector collector;
        const auto access = collector.access();
        static_cast<void>(collector.collect());
    });
    CHECK(test::said(death, "a thread collects inside its own access, which it would wait for; end the access first"));
}

template <class Page>
void act_once(SharedCycleCollector& collector, test::Random& random, std::vector<Arc<Page>>& held, std::vector<WeakArc<Page>>& watched) {
    const auto any = [&]() -> Arc<Page>& { return held[random.below(held.size())]; };
    const std::uint64_t act = random.below(8);
    if (held.empty() || act == 0) {
        held.push_back(collector.make<Page>());
    } else if (act <= 2) {
        const auto access = collector.access();
        Page& from = *any();
        const std::lock_guard guard(from.lock);
        from.links.push_back(any());
    } else if (act == 3) {
        any() = std::move(held.back());
        held.pop_back();
    } else if (act == 4) {  // follow a link
        Arc<Page> next;
        {
            const Arc<Page> from = any();
            const std::lock_guard guard(from->lock);
            if (!from->links.empty()) {
                next = from->links[random.below(from->links.size())];
            }
        }
        if (next) {
            held.push_back(std::move(next));
        }
    } else if (act == 5) {  // move a link out: no count changes, which is what the promise excludes
        const auto access = collector.access();
        Arc<Page> taken;
        {
            Page& from = *any();
            const std::lock_guard guard(from.lock);
            if (!from.links.empty()) {
                taken = Page::kHandlesStay ? Arc<Page>(from.links.back()) : std::move(from.links.back());
                from.links.pop_back();
            }
        }
        held.emplace_back(taken ? std::move(taken) : any());
    } else if (act == 6) {
        watched.push_back(any());
    } else if (!watched.empty()) {
        if (Arc<Page> kept = watched.back().upgrade()) {
            held.push_back(std::move(kept));
        }
        watched.pop_back();
    }
}

TEST_CASE_TEMPLATE("threads make, link, move, drop and upgrade nodes while others collect: nothing held dies, nothing else stays", Page,
                   BasicPage<false>, BasicPage<true>) {
    Page::alive = 0;
    constexpr int kSteps = HEAPWRIGHT_UNDER_TSAN ? 4'000 : 20'000;
    for (int life = 0; life < 2; ++life) {
        SharedCycleCollector collector;
        std::mutex exchange;
        std::vector<Arc<Page>> passed_on;
        std::vector<std::thread> threads;
        for (int thread = 0; thread < 4; ++thread) {
            threads.emplace_back([&, thread] {
                test::Random random{static_cast<std::uint64_t>(life * 10 + thread)};
                std::vector<Arc<Page>> held;
                std::vector<WeakArc<Page>> watched;
                for (int step = 0; step < kSteps; ++step) {
                    act_once(collector, random, held, watched);
                    for (const Arc<Page>& page : held) {
                        if (page->check != Page::kWhole) {
                            FAIL("a node that is held was destroyed");
                        }
                    }
                    while (held.size() > 12) {
                        held.erase(held.begin());
                    }
                    if (random.one_in(16)) {
                        const std::lock_guard guard(exchange);
                        passed_on.push_back(held.empty() ? nullptr : held.front());
                        if (passed_on.size() > 5) {
                            held.push_back(std::move(passed_on.front()));
                            passed_on.erase(passed_on.begin());
                            if (!held.back()) {
                                held.pop_back();
                            }
                        }
                    }
                    if (random.one_in(50)) {
                        static_cast<void>(random.one_in(Page::kHandlesStay ? 8 : 2) ? collector.collect()
                                                                                    : collector.collect(random.between(1, 60)));
                    }
                    if (random.one_in(200)) {
                        const auto access = collector.access();
                        for (const Arc<Page>& page : held) {
                            const std::lock_guard guard(page->lock);
                            page->links.clear();
                        }
                    }
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        passed_on.clear();
        static_cast<void>(collector.collect_all());
        CHECK(collector.live_nodes() == 0);
        CHECK(collector.candidates() == 0);
        CHECK(collector.broken_invariant() == nullptr);
    }
    CHECK(Page::alive == 0);
}

}  // namespace
}  // namespace heapwright
