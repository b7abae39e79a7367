// Whole free pages inside spans that are in use: they go back whoever asks, and come again with their blocks.
#include <heapwright/alloc/heap/detail/page_return.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include <sys/mman.h>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>
#include <heapwright/alloc/heap/heap.hpp>
#include <heapwright/os/pages.hpp>

#include <tests/alloc/heap/fork_child.hpp>
#include <tests/alloc/heap/held_blocks.hpp>
#include <tests/support/random.hpp>

namespace heapwright::test {
namespace {

/// Pages of the first region's slices that have memory.
std::size_t resident_bytes() {
    heap::Region& region = heap::g_region;
    char* const base = reinterpret_cast<char*>(region.records());
    const std::size_t from = region.first_slice() * heap::kSliceBytes;
    const std::size_t to = region.used_slices() * heap::kSliceBytes;
    std::vector<unsigned char> pages((to - from) / os::kPageBytes);
    REQUIRE(::mincore(base + from, to - from, pages.data()) == 0);
    return static_cast<std::size_t>(std::count_if(pages.begin(), pages.end(), [](unsigned char page) { return (page & 1) != 0; })) *
           os::kPageBytes;
}

/// Waits at most a minute: for what the clock does by itself.
bool comes_true(const std::function<bool()>& condition) {
    for (unsigned i = 0; i < 6000 && !condition(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return condition();
}

/// A thread that does one step, and sleeps until it is told to do the next.
class Sleeper {
public:
    explicit Sleeper(std::function<void(unsigned)> step)
        : thread_([this, step = std::move(step)] {
              for (unsigned number = 0;; ++number) {
                  wanted_.wait(number);
                  if (wanted_ == kEnd) {
                      return;
                  }
                  step(number);
                  done_ = number + 1;
                  done_.notify_all();
              }
          }) {}
    ~Sleeper() {
        wanted_ = kEnd;
        wanted_.notify_all();
        thread_.join();
    }
    void next() {
        const unsigned number = wanted_ + 1;
        wanted_ = number;
        wanted_.notify_all();
        while (done_ < number) {
            done_.wait(done_);
        }
    }

private:
    static constexpr unsigned kEnd = ~0U;
    std::atomic<unsigned> wanted_{0};
    std::atomic<unsigned> done_{0};
    std::thread thread_;
};

}  // namespace

TEST_CASE("trim gives whole free pages back from spans that are in use, and their blocks are used again") {
    for (const std::size_t bytes : {8U, 48U, 200U, 1000U, 5000U, 9000U, 40'000U}) {
        CAPTURE(bytes);
        static_cast<void>(default_heap::trim());
        const std::size_t before = resident_bytes();
        const std::size_t count = 8 * kMiB / bytes;
        const std::size_t run = std::max<std::size_t>(8192 / bytes, 1);
        std::vector<Held> left = thin_out(make_many(count, bytes), run, 3 * run);
        const std::size_t given = default_heap::trim();
        CHECK(given > 3 * kMiB);
        CHECK(resident_bytes() < before + 5 * kMiB);
        CHECK(are_intact(left));
        check_heap();
        std::vector<Held> again = make_many(count * 3 / 4, bytes);
        CHECK(resident_bytes() < before + 10 * kMiB);
        CHECK(are_intact(left));
        CHECK(are_intact(again));
        check_heap();
        release_all(again);
        release_all(left);
        static_cast<void>(default_heap::trim());
        check_heap();
        CHECK(resident_bytes() < before + kMiB);
    }
}

TEST_CASE("pages of a thread that sleeps go back at another's trim, and it goes on with its blocks") {
    std::vector<Held> left;
    std::vector<Held> again;
    bool is_good = true;
    Sleeper sleeper([&](unsigned step) {
        if (step == 0) {
            left = thin_out(make_many(80'000, 200), 40, 120);
        } else if (step == 1) {
            is_good = are_intact(left);
            again = make_many(60'000, 200);
            is_good = is_good && are_intact(left) && are_intact(again);
        } else {
            release_all(left);
            release_all(again);
        }
    });
    const std::size_t before = resident_bytes();
    sleeper.next();
    CHECK(resident_bytes() > before + 14 * kMiB);
    CHECK(default_heap::trim() > 7 * kMiB);
    check_heap();
    sleeper.next();
    CHECK(is_good);
    check_heap();
    sleeper.next();
    static_cast<void>(default_heap::trim());
    check_heap();
}

TEST_CASE("what others freed of a thread that sleeps goes back, too") {
    std::vector<Held> made;
    std::vector<Held> rest;
    Sleeper sleeper([&](unsigned step) {
        if (step == 0) {
            made = make_many(80'000, 200);
            // Some by itself, so that its spans are of either kind: full, and listed.
            for (std::size_t i = 0; i < made.size() / 2; i += 5) {
                default_heap::release(made[i].block);
                made[i].block = nullptr;
            }
        } else {
            rest = make_many(10'000, 200);
        }
    });
    const std::size_t before = resident_bytes();
    sleeper.next();
    for (std::size_t i = 0; i < made.size(); ++i) {
        if (i % 4000 >= 40 && made[i].block != nullptr) {
            default_heap::release(made[i].block);
        } else if (made[i].block != nullptr) {
            rest.push_back(made[i]);
        }
    }
    static_cast<void>(default_heap::trim());
    check_heap();
    CHECK(resident_bytes() < before + 6 * kMiB);
    CHECK(are_intact(rest));
    std::vector<Held> kept = rest;
    sleeper.next();
    CHECK(are_intact(rest));
    CHECK(are_intact(kept));
    release_all(kept);
    release_all(rest);
    static_cast<void>(default_heap::trim());
    check_heap();
}

TEST_CASE("of full spans of a thread that sleeps, and that freed nothing itself, what others freed goes back page by page") {
    std::vector<Held> made;
    Sleeper sleeper([&](unsigned step) {
        if (step == 0) {
            made = make_many(20'000, 1000);
        }
    });
    const std::size_t before = resident_bytes();
    sleeper.next();
    CHECK(resident_bytes() > before + 18 * kMiB);
    std::vector<Held> kept;
    for (std::size_t i = 0; i < made.size(); ++i) {  // no span is empty: one block of each is left
        if (i % 60 == 0) {
            kept.push_back(made[i]);
        } else {
            default_heap::release(made[i].block);
        }
    }
    static_cast<void>(default_heap::trim());
    check_heap();
    CHECK(resident_bytes() < before + 6 * kMiB);
    CHECK(are_intact(kept));
    sleeper.next();
    release_all(kept);
    static_cast<void>(default_heap::trim());
    check_heap();
}

TEST_CASE("who trims while others trim finds nothing half done: mail that they took out has been sent on") {
    constexpr int kRounds = 6;
    std::vector<Held> made;
    Sleeper sleeper([&](unsigned) { made = make_many(40'000, 200); });
    const std::size_t before = resident_bytes();
    for (int round = 0; round < kRounds; ++round) {
        sleeper.next();
        std::atomic<bool> is_over{false};
        std::thread other([&] {
            while (!is_over) {
                static_cast<void>(default_heap::trim());
            }
        });
        release_all(made);
        static_cast<void>(default_heap::trim());
        CHECK(resident_bytes() < before + 2 * kMiB);
        is_over = true;
        other.join();
    }
    check_heap();
}

TEST_CASE("the clock gives back what is free in spans of a thread that sleeps") {
    std::vector<Held> left;
    Sleeper sleeper([&](unsigned step) {
        if (step == 0) {
            left = thin_out(make_many(200'000, 200), 40, 400);
        } else {
            release_all(left);
        }
    });
    const std::size_t before = resident_bytes();
    sleeper.next();
    CHECK(comes_true([&] { return resident_bytes() < before + 20 * kMiB; }));
    CHECK(are_intact(left));
    sleeper.next();
    static_cast<void>(default_heap::trim());
    check_heap();
}

TEST_CASE("spans without a thread give their pages back") {
    std::vector<Held> left;
    std::thread([&] { left = thin_out(make_many(80'000, 200), 40, 120); }).join();
    const std::size_t before = resident_bytes();
    static_cast<void>(default_heap::trim());
    CHECK(resident_bytes() + 7 * kMiB < before);
    CHECK(are_intact(left));
    std::vector<Held> again = make_many(60'000, 200);
    CHECK(are_intact(left));
    CHECK(are_intact(again));
    release_all(left);
    release_all(again);
    static_cast<void>(default_heap::trim());
    check_heap();
}

TEST_CASE("threads keep their blocks while others visit their spans all the time") {
    std::atomic<bool> is_over{false};
    std::atomic<unsigned> bad{0};
    std::vector<std::thread> threads;
    std::vector<std::atomic<unsigned char*>> exchange(256);
    for (unsigned number = 0; number < 3; ++number) {
        threads.emplace_back([&, number] {
            Random random(number + 1);
            std::vector<Held> held(4000);
            for (unsigned step = 0; step < 120'000; ++step) {
                // Phases: the heap fills, and empties in runs.
                const bool fills = step / 4000 % 2 == 0;
                Held& one = held[fills ? random.below(held.size()) : (step * 7 / 8) % held.size()];
                if (one.block != nullptr) {
                    bad += is_intact(one) ? 0U : 1U;
                    unsigned char* given = one.block;
                    // Some are freed by whoever finds them.
                    given = random.one_in(4) ? exchange[random.below(exchange.size())].exchange(given) : given;
                    default_heap::release(given);
                    one = {};
                } else if (fills) {
                    one = make(1 + random.size_up_to(random.one_in(8) ? 12'000 : 400), static_cast<unsigned char>(step));
                }
            }
            for (const Held& one : held) {
                bad += one.block == nullptr || is_intact(one) ? 0U : 1U;
                default_heap::release(one.block);
            }
        });
    }
    std::thread visitor([&] {
        while (!is_over) {
            static_cast<void>(heap::visit_all());
        }
    });
    for (std::thread& thread : threads) {
        thread.join();
    }
    is_over = true;
    visitor.join();
    for (std::atomic<unsigned char*>& slot : exchange) {
        default_heap::release(slot);
    }
    CHECK(bad == 0);
    static_cast<void>(default_heap::trim());
    check_heap();
}

#if !HEAPWRIGHT_UNDER_TSAN  // it refuses a child of fork that starts threads
TEST_CASE("a child of fork that is born during a visit has whole lists") {
    std::vector<Held> left = thin_out(make_many(40'000, 200), 40, 120);
    std::atomic<bool> is_over{false};
    std::thread visitor([&] {
        while (!is_over) {
            static_cast<void>(heap::visit_all());
        }
    });
    std::vector<Held> churned;
    for (unsigned round = 0; round < 60; ++round) {
        // Spans fill and empty, so that there is something to be visited.
        release_all(churned);
        churned = thin_out(make_many(4'000, 200), 20, 60);
        REQUIRE(is_well_in_child([&] {
            const bool survived = are_intact(left) && are_intact(churned);
            const std::vector<Held> again = make_many(20'000, 200);
            static_cast<void>(default_heap::trim());
            return survived && are_intact(left) && are_intact(again) && heap::g_default_core.broken_invariant() == nullptr;
        }));
    }
    is_over = true;
    visitor.join();
    release_all(churned);
    release_all(left);
    static_cast<void>(default_heap::trim());
    check_heap();
}
#endif

}  // namespace heapwright::test
