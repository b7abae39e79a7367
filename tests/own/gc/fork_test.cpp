#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/base/platform.hpp>
#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/root.hpp>

#include <tests/own/gc/trees.hpp>

namespace gc = heapwright::gc;

namespace {

using heapwright::test::count_tree;
using heapwright::test::make_tree;
using Node = heapwright::test::TreeNode;

gc::GcConfig busy(unsigned markers) {
    gc::GcConfig config;
    config.nursery_bytes = config.nursery_most_bytes = 60'000;
    config.threshold_bytes = 200'000;
    config.step_bytes = 10'000;
    config.pause_budget_ns = 30'000;
    config.markers = markers;
    return config;
}

/// 0 when all is whole in the child.
int go_on(gc::Heap& heap, const gc::Root<Node>& kept) {
    for (int round = 0; round < 20; ++round) {
        auto made = make_tree(heap, 8);
        if (count_tree(made.get()) != 511 || count_tree(kept.get()) != 16'383) {
            return 1;
        }
    }
    heap.collect();
    heap.collect_minor();
    if (count_tree(kept.get()) != 16'383 || heap.stats().threads != 1) {
        return 2;
    }
    return heap.broken_invariant() == nullptr ? 0 : 3;
}

template <class Act>
int in_child(Act act) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        _exit(act());
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("a child of fork goes on with the heap while threads of the parent allocate and mark") {
    // ThreadSanitizer cannot start threads in such a child.
    gc::Heap heap{busy(HEAPWRIGHT_UNDER_TSAN != 0 ? 1 : 2)};
    gc::Root<Node> kept{heap, make_tree(heap, 13)};
    heap.collect();  // so that the marking threads exist
    std::atomic<bool> ends{false};
    std::atomic<bool> whole{true};
    {
        std::jthread other([&] {
            const gc::ThreadScope attached{heap};
            gc::Root<Node> own{heap};
            while (!ends.load()) {
                own = make_tree(heap, 7);
                if (count_tree(own.get()) != 255) {
                    whole = false;
                }
            }
        });
        for (int round = 0; round < 12; ++round) {
            CHECK(in_child([&] { return go_on(heap, kept); }) == 0);
            static_cast<void>(make_tree(heap, 9));
        }
        ends = true;
        const gc::BlockingRegion waiting{heap};
        other.join();
    }
    CHECK(whole);
    CHECK(count_tree(kept.get()) == 16'383);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("forks while other threads use two heaps each, and make and end heaps, do not wait for each other") {
    gc::Heap low{busy(1)};
    gc::Heap high{busy(1)};
    gc::Root<Node> kept{low, make_tree(low, 13)};
    gc::Root<Node> other_kept{high, make_tree(high, 13)};
    std::atomic<bool> ends{false};
    std::atomic<bool> whole{true};
    const auto use_both = [&] {
        const gc::ThreadScope in_low{low};
        const gc::ThreadScope in_high{high};
        while (!ends.load()) {
            const gc::Root<Node> one{low, make_tree(low, 6)};
            const gc::Root<Node> other{high, make_tree(high, 6)};
            whole = whole && count_tree(one.get()) == 127 && count_tree(other.get()) == 127;
        }
    };
    const auto make_heaps = [&] {
        const gc::ThreadScope in_low{low};
        while (!ends.load()) {
            gc::Heap brief{busy(1)};
            const gc::Root<Node> one{brief, make_tree(brief, 5)};
            whole = whole && count_tree(one.get()) == 63;
            low.safepoint();
        }
    };
    {
        std::jthread first(use_both);
        std::jthread second(use_both);
        std::jthread third(make_heaps);
        for (int round = 0; round < 10; ++round) {
            CHECK(in_child([&] { return go_on(low, kept) + go_on(high, other_kept); }) == 0);
            static_cast<void>(make_tree(low, 7));
            static_cast<void>(make_tree(high, 7));
        }
        ends = true;
        const gc::BlockingRegion in_low{low};
        const gc::BlockingRegion in_high{high};
        first.join();
        second.join();
        third.join();
    }
    CHECK(whole);
    CHECK(count_tree(kept.get()) + count_tree(other_kept.get()) == 2 * 16'383);
}

TEST_CASE("a child of fork from another than the first thread finds its own stack") {
    gc::Heap heap{busy(1)};
    gc::Root<Node> kept{heap, make_tree(heap, 13)};
    int status = -1;
    {
        std::jthread other([&] {
            const gc::ThreadScope attached{heap};
            status = in_child([&] {
                gc::Heap born{busy(1)};  // attached to in the child
                gc::Root<Node> own{born, make_tree(born, 13)};
                return go_on(heap, kept) + go_on(born, own);
            });
        });
        const gc::BlockingRegion waiting{heap};
        other.join();
    }
    CHECK(status == 0);
}

TEST_CASE("a fork inside of a pause, and one by a thread that is not attached, leave both sides whole") {
    static int status = -1;
    auto config = busy(1);
    static bool once = true;
    config.on_event = [](const gc::GcEvent&, void*) noexcept {
        if (once) {
            once = false;
            const pid_t child = fork();
            if (child == 0) {
                return;  // the pause goes on in the child, which ends below
            }
            waitpid(child, &status, 0);
        }
    };
    const pid_t parent = getpid();
    gc::Heap heap{config};
    gc::Root<Node> kept{heap, make_tree(heap, 13)};
    heap.collect();
    if (getpid() != parent) {
        _exit(go_on(heap, kept));
    }
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);

    int of_stranger = -1;
    {
        std::jthread stranger([&] {
            of_stranger = in_child([&] {
                // Nobody is attached to it here any more.
                if (heap.stats().threads != 0) {
                    return 4;
                }
                const gc::ThreadScope attached{heap};
                return go_on(heap, kept);
            });
        });
        const gc::BlockingRegion waiting{heap};
        stranger.join();
    }
    CHECK(of_stranger == 0);
    CHECK(count_tree(kept.get()) == 16'383);
}
