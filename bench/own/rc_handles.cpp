// What does it cost to make, copy, upgrade and drop a counted handle, beside std::shared_ptr and boost::intrusive_ptr?
#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include <heapwright/own/rc/biased_counts.hpp>
#include <heapwright/own/rc/rc.hpp>

#include <bench/own/cell_rows.hpp>

#if __has_include(<boost/smart_ptr/intrusive_ref_counter.hpp>)
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#define BENCH_HAS_BOOST 1
#endif

namespace {

using namespace heapwright;

constexpr int kTimes = 1'000'000;
constexpr std::size_t kMany = 1000;

struct Eight {
    long number = 0;
};

/// The same rows for every handle: `make()` makes one, `watch(handle)` a weak one, `keep(weak)` upgrades it.
template <class Make>
void add_strong(bench::Rows& rows, const char* who, Make make) {
    rows.add("handles", "copy and drop", who, kTimes, [make] {
        const auto handle = make();
        for (int time = 0; time < kTimes; ++time) {
            const auto copy = handle;
            bench::escape(&copy);
        }
    });
    rows.add("handles", "copy in a vector of 1000, and drop", who, kTimes, [make] {
        std::vector<decltype(make())> handles;
        for (std::size_t count = 0; count < kMany; ++count) {
            handles.push_back(make());
        }
        for (std::size_t round = 0; round < kTimes / kMany; ++round) {
            const auto copies = handles;
            bench::escape(copies.data());
        }
    });
    rows.add("handles", "make and drop", who, kTimes, [make] {
        for (int time = 0; time < kTimes; ++time) {
            const auto made = make();
            bench::escape(&made);
        }
    });
}

template <class Make, class Watch, class Keep>
void add_weak(bench::Rows& rows, const char* who, Make make, Watch watch, Keep keep) {
    rows.add("handles", "upgrade a weak one, and drop", who, kTimes, [=] {
        const auto handle = make();
        const auto weak = watch(handle);
        for (int time = 0; time < kTimes; ++time) {
            const auto kept = keep(weak);
            bench::escape(&kept);
        }
    });
}

template <class Policy>
void add_ours(bench::Rows& rows, const char* who) {
    const auto make = [] { return make_counted<Eight, Policy>(); };
    add_strong(rows, who, make);
    add_weak(rows, who, make, [](const auto& handle) { return handle.downgrade(); }, [](const auto& weak) { return weak.upgrade(); });
}

#ifdef BENCH_HAS_BOOST
template <class Counter>
struct Intrusive : boost::intrusive_ref_counter<Intrusive<Counter>, Counter> {
    long number = 0;
};
template <class Counter>
void add_boost(bench::Rows& rows, const char* who) {
    add_strong(rows, who, [] { return boost::intrusive_ptr<Intrusive<Counter>>(new Intrusive<Counter>); });
}
#endif

}  // namespace

int main(int count, char** arguments) {
    std::thread([] {}).join();  // from now on libstdc++'s shared_ptr is atomic, as in any program that ever had two threads
    bench::Rows rows;
    add_ours<SingleThread>(rows, "heapwright Rc");
    add_ours<ManyThreads>(rows, "heapwright Arc");
    add_ours<Biased>(rows, "heapwright BiasedArc, its maker's thread");
    const auto shared = [] { return std::make_shared<Eight>(); };
    add_strong(rows, "std::shared_ptr", shared);
    add_weak(
        rows, "std::shared_ptr", shared, [](const auto& handle) { return std::weak_ptr<Eight>(handle); },
        [](const auto& weak) { return weak.lock(); });
#ifdef BENCH_HAS_BOOST
    add_boost<boost::thread_unsafe_counter>(rows, "boost::intrusive_ptr, not atomic");
    add_boost<boost::thread_safe_counter>(rows, "boost::intrusive_ptr, atomic");
#endif
    // What no counting can go below on this machine: the two additions alone, in memory, without a branch.
    alignas(64) long word = 1;
    rows.add("handles", "copy and drop", "two locked additions, nothing else", kTimes, [&word] {
        for (int time = 0; time < kTimes; ++time) {
            __atomic_fetch_add(&word, 1, __ATOMIC_RELAXED);
            bench::escape(&word);
            __atomic_fetch_sub(&word, 1, __ATOMIC_RELEASE);
        }
    });
    rows.add("handles", "copy and drop", "two additions, nothing else", kTimes, [&word] {
        for (int time = 0; time < kTimes; ++time) {
            ++word;
            bench::escape(&word);
            --word;
            bench::escape(&word);
        }
    });
    // Another thread than the maker's: what bias costs the others.
    BiasedArc<Eight> foreign;
    std::thread([&] { foreign = make_biased_arc<Eight>(); }).join();
    rows.add("handles", "copy and drop", "heapwright BiasedArc, another thread", kTimes, [&foreign] {
        for (int time = 0; time < kTimes; ++time) {
            const auto copy = foreign;
            bench::escape(&copy);
        }
    });
    return rows.start(count, arguments);
}
