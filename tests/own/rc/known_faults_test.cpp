// Four mistakes that counted pools are known to make, each with the test that it is not made here.
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/pool/pool.hpp>
#include <heapwright/alloc/pool/shared_pool.hpp>
#include <heapwright/os/page_source.hpp>
#include <heapwright/os/report.hpp>
#include <heapwright/own/rc/biased_counts.hpp>
#include <heapwright/own/rc/cycle_collector.hpp>
#include <heapwright/own/rc/rc.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

struct Payload {
    explicit Payload(std::uint64_t n = 0) : number(n) {}
    std::uint64_t number;
    std::uint64_t more[3] = {};
};

TEST_CASE("fault 43: every block goes back to the pool it came from, by its address and not by its index") {
    Pool pool{Layout{.size = 96, .alignment = 8}, os::kPages};
    std::vector<Rc<Payload>> handles;
    for (std::uint64_t number = 0; number < 1000; ++number) {
        handles.push_back(make_rc_in<Payload>(pool, number));
    }
    CHECK(pool.stats().live_blocks == 1000);
    for (std::size_t at = 0; at < handles.size(); at += 2) {
        CHECK(pool.owns(reinterpret_cast<const std::byte*>(handles[at].get()) - 32));  // 24 bytes say where it goes back to
        handles[at].reset();
    }
    CHECK(pool.stats().live_blocks == 500);
    CHECK(handles[1]->number == 1);
    handles.clear();
    CHECK(pool.stats().live_blocks == 0);
    test::FailingSource source;
    { const Arc<Payload[]> array = make_arc_in<Payload[]>(source, std::size_t{100}); }
    CHECK(source.outstanding() == 0);
}

TEST_CASE("fault 44: counts die with their objects: a million objects one after another take the memory of one") {
    test::FailingSource source;
    Pool pool{Layout{.size = 96, .alignment = 8}, source, {.limit_blocks = 2}};
    for (std::uint64_t number = 0; number < 1'000'000; ++number) {
        const Rc<Payload> handle = try_make_rc<Payload>(number);  // the process's heap
        if (number % 10 == 0) {
            const Rc<Payload> pooled = make_rc_in<Payload>(pool, number);
            if (pooled->number != number) {
                FAIL("another object's value");
            }
        }
    }
    CHECK(pool.stats().peak_blocks <= 2);
    CHECK(source.peak_bytes() <= 128 << 10);
}

TEST_CASE_TEMPLATE("fault 45: the last drop sees what every thread did before its own drop", Policy, ManyThreads, Biased) {
    // Plain writes without any other order; ThreadSanitizer objects if the last drop does not acquire what the others released.
    static std::atomic<int> good{0};
    struct Board {
        int marks[3] = {};
        ~Board() { good.fetch_add(marks[0] == 1 && marks[1] == 1 && marks[2] == 1 ? 1 : 0); }
    };
    good = 0;
    constexpr int kRounds = HEAPWRIGHT_UNDER_TSAN ? 100 : 400;
    for (int round = 0; round < kRounds; ++round) {
        auto board = make_counted<Board, Policy>();
        std::thread one([mine = board]() mutable {
            mine->marks[0] = 1;
            mine.reset();
        });
        std::thread two([mine = board]() mutable {
            mine->marks[1] = 1;
            mine.reset();
        });
        board->marks[2] = 1;
        board.reset();
        one.join();
        two.join();
        drain_biased();
    }
    CHECK(good == kRounds);
}

TEST_CASE_TEMPLATE("fault 46: a count that would overflow stops the program", Policy, SingleThread, ManyThreads, Biased) {
    const auto death = test::death_of([] {
        os::report_failures_to_stderr();
        auto handle = make_counted<Payload, Policy>();
        auto& counts = detail::Shape<Payload, Policy>::counts(handle.get());
        if constexpr (std::is_same_v<Policy, Biased>) {
            // The maker's own number is 32 bits of its own; that of the others is the shorter one.
            counts.set_others_for_test(1 << 28);
            std::thread([&] { static_cast<void>(std::move(Counted<Payload, Policy>(handle)).into_raw()); }).join();
        } else {
            counts.set_strong_for_test(UINT32_MAX >> 1);
            for (int time = 0; time < 2; ++time) {
                static_cast<void>(std::move(Counted<Payload, Policy>(handle)).into_raw());
            }
        }
    });
    CHECK(death.died);
    CHECK(test::said(death, "too many handles: an object has 2^31 strong ones"));
}

TEST_CASE_TEMPLATE("fault 46: an upgrade that would overflow is refused as well", Policy, SingleThread, ManyThreads) {
    const auto death = test::death_of([] {
        os::report_failures_to_stderr();
        auto handle = make_counted<Payload, Policy>();
        const WeakCounted<Payload, Policy> weak = handle;
        detail::Shape<Payload, Policy>::counts(handle.get()).set_strong_for_test(UINT32_MAX >> 1);
        static_cast<void>(weak.upgrade().into_raw());
    });
    CHECK(test::said(death, "too many handles"));
}

TEST_CASE_TEMPLATE("fault 46: a dead object is not resurrected, its destructor runs, weak handles expire, a handle is a pointer wide",
                   Policy, SingleThread, ManyThreads, Biased) {
    static int destroyed = 0;
    struct Ends {
        ~Ends() { ++destroyed; }
    };
    destroyed = 0;
    auto handle = make_counted<Ends, Policy>();
    const WeakCounted<Ends, Policy> weak = handle;
    CHECK(sizeof(handle) == sizeof(void*));
    handle.reset();
    CHECK(destroyed == 1);
    CHECK_FALSE(weak.upgrade());
    CHECK(weak.is_expired());
}

}  // namespace
}  // namespace heapwright
