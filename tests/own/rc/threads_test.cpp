// Handles that many threads copy, drop and upgrade.
#include <array>
#include <atomic>
#include <barrier>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/own/rc/biased_counts.hpp>
#include <heapwright/own/rc/rc.hpp>
#include <heapwright/own/rc/shared_weak_cache.hpp>

#include <tests/support/random.hpp>

namespace heapwright {
namespace {

constexpr int kSome = HEAPWRIGHT_UNDER_TSAN ? 3'000 : 20'000;

void on_threads(int count, const auto& body) {
    std::vector<std::thread> threads;
    for (int thread = 0; thread < count; ++thread) {
        threads.emplace_back([&body, thread] { body(thread); });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

struct Watched {
    static inline std::atomic<int> alive{0};
    Watched() { alive.fetch_add(1); }
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;
    ~Watched() {
        CHECK(value == marks);  // not atomic on purpose: every thread's writes come before this
        alive.fetch_sub(1);
    }
    void mark() { marks.fetch_add(1, std::memory_order_relaxed); }
    std::atomic<int> marks{0};
    int value = 0;
};

TEST_CASE_TEMPLATE("an upgrade against the drop of the last handle gives the object or nothing", Policy, ManyThreads, Biased) {
    std::barrier meet{3};
    std::atomic<int> upgrades{0};
    std::array<Counted<std::string, Policy>, 1> shared;
    std::array<WeakCounted<std::string, Policy>, 2> weak;
    on_threads(3, [&](int thread) {
        for (int round = 0; round < kSome / 3; ++round) {
            if (thread == 0) {
                shared[0] = make_counted<std::string, Policy>("alive and whole, beyond any small buffer");
                weak[0] = shared[0];
                weak[1] = shared[0];
            }
            meet.arrive_and_wait();
            if (thread == 0) {
                shared[0].reset();
            } else {
                auto& mine = weak[static_cast<std::size_t>(thread) - 1];
                if (const auto kept = mine.upgrade()) {
                    upgrades.fetch_add(1);
                    const bool is_whole = *kept == "alive and whole, beyond any small buffer";
                    if (!is_whole) {
                        FAIL("a dead object was kept");
                    }
                }
                mine.reset();
            }
            meet.arrive_and_wait();
            if (thread == 0) {
                drain_biased();
            }
        }
    });
    MESSAGE("upgrades that came in time: ", upgrades.load());
}

TEST_CASE_TEMPLATE("what every thread did to an object is done before its destructor", Policy, ManyThreads, Biased) {
    struct Sum {
        std::atomic<int>& result;
        std::array<int, 4> parts{};
        ~Sum() { result.store(parts[0] + parts[1] + parts[2] + parts[3]); }
    };
    for (int round = 0; round < kSome / 50; ++round) {
        std::atomic<int> result{0};
        {
            auto sum = make_counted<Sum, Policy>(result);
            std::vector<Counted<Sum, Policy>> copies(4, sum);
            std::vector<std::thread> threads;
            for (std::size_t thread = 0; thread < 4; ++thread) {
                threads.emplace_back([mine = std::move(copies[thread]), thread]() mutable {
                    mine->parts[thread] = 5;  // plain writes: the counts alone order them before the destructor
                    const auto copy = mine;
                    mine.reset();
                });
            }
            sum.reset();
            for (std::thread& thread : threads) {
                thread.join();
            }
        }
        drain_biased();
        CHECK(result.load() == 20);
    }
}

TEST_CASE("a biased object that its owner never drops is ended by the owner's next object, its drain, or its thread's end") {
    static std::atomic<int> ended{0};
    struct Counts {
        ~Counts() { ended.fetch_add(1); }
        int number = 0;
    };
    ended = 0;
    for (int way = 0; way < 3; ++way) {
        BiasedArc<Counts> moved;
        std::atomic<int> step{0};
        std::thread owner([&] {
            moved = make_biased_arc<Counts>();
            step = 1;
            step.notify_all();
            step.wait(1);
            if (way == 0) {
                static_cast<void>(make_biased_arc<int>(1));
                CHECK(ended == 1);
            } else if (way == 1) {
                drain_biased();
                CHECK(ended == 2);
            }
        });
        step.wait(0);
        CHECK(moved.strong_count() == 1);
        moved.reset();  // by another thread than made it: only the owner can tell that it was the last
        CHECK(ended == way);
        step = 2;
        step.notify_all();
        owner.join();
        drain_biased();
        CHECK(ended == way + 1);
    }
    // And one whose owner is gone already is ended at once.
    BiasedArc<Counts> orphan;
    std::thread([&] { orphan = make_biased_arc<Counts>(); }).join();
    const BiasedArc<Counts> copy = orphan;
    orphan.reset();
    CHECK(ended == 3);
    const_cast<BiasedArc<Counts>&>(copy).reset();
    CHECK(ended == 4);
}

TEST_CASE("biased handles travel between threads at random and every object is ended once") {
    static std::atomic<int> alive{0};
    struct Object {
        Object() { alive.fetch_add(1); }
        ~Object() { alive.fetch_sub(1); }
    };
    using Handle = BiasedArc<Object>;
    constexpr int kThreads = 4;
    for (int life = 0; life < 4; ++life) {
        std::array<std::atomic<Object*>, 16> letters{};  // raw handles on their way
        on_threads(kThreads, [&](int thread) {
            test::Random random{static_cast<std::uint64_t>(life * kThreads + thread)};
            std::vector<Handle> mine;
            std::vector<WeakBiasedArc<Object>> watched;
            for (int step = 0; step < kSome; ++step) {
                std::atomic<Object*>& letter = letters[random.below(letters.size())];
                switch (random.below(6)) {
                    case 0: mine.push_back(make_biased_arc<Object>()); break;
                    case 1:
                        if (!mine.empty()) {
                            mine.push_back(mine[random.below(mine.size())]);
                        }
                        break;
                    case 2:
                        if (!mine.empty()) {
                            Object* sent = std::move(mine.back()).into_raw();
                            mine.pop_back();
                            sent = letter.exchange(sent);
                            if (sent != nullptr) {
                                mine.push_back(Handle::from_raw(sent));
                            }
                        }
                        break;
                    case 3:
                        if (Object* const got = letter.exchange(nullptr)) {
                            mine.push_back(Handle::from_raw(got));
                            watched.push_back(mine.back());
                        }
                        break;
                    case 4:
                        if (!watched.empty()) {
                            if (Handle kept = watched.back().upgrade()) {
                                mine.push_back(std::move(kept));
                            }
                            watched.pop_back();
                        }
                        break;
                    default:
                        while (mine.size() > 20) {
                            mine.erase(mine.begin());
                        }
                }
            }
        });
        for (std::atomic<Object*>& letter : letters) {
            if (Object* const got = letter.exchange(nullptr)) {
                static_cast<void>(Handle::from_raw(got));
            }
        }
        drain_biased();
        CHECK(alive == 0);
    }
}

TEST_CASE("a shared cache makes each object once, however many threads ask") {
    SharedWeakCache<int, std::atomic<int>> cache;
    std::barrier meet{4};
    std::array<std::atomic<int>, 8> made{};
    on_threads(4, [&](int thread) {
        test::Random random{static_cast<std::uint64_t>(thread)};
        for (int round = 0; round < kSome / 30; ++round) {
            meet.arrive_and_wait();
            std::vector<Arc<std::atomic<int>>> held;
            for (std::size_t key = 0; key < made.size(); ++key) {
                held.push_back(cache.get_or_create(static_cast<int>(key), [&] {
                    made[key].fetch_add(1);
                    return make_arc<std::atomic<int>>(static_cast<int>(key));
                }));
                if (held.back()->load() != static_cast<int>(key)) {
                    FAIL("another key's object");
                }
            }
            meet.arrive_and_wait();
            if (thread == 0) {
                for (std::atomic<int>& count : made) {
                    CHECK(count.load() == round + 1);
                }
            }
            meet.arrive_and_wait();
            held.clear();
        }
    });
    cache.sweep();
    CHECK(cache.stats().entries == 0);
    CHECK(cache.broken_invariant() == nullptr);
}

TEST_CASE("when the maker of an object fails, a waiting thread tries itself") {
    SharedWeakCache<int, int> cache;
    std::atomic<int> tries{0};
    std::atomic<int> got{0};
    on_threads(4, [&](int) {
        try {
            const Arc<int> object = cache.get_or_create(1, [&]() -> Arc<int> {
                if (tries.fetch_add(1) < 2) {
                    throw 1;
                }
                return make_arc<int>(7);
            });
            got.fetch_add(*object);
        } catch (int) {}
    });
    CHECK(got == 14);
    CHECK(tries >= 3);
}

}  // namespace
}  // namespace heapwright
