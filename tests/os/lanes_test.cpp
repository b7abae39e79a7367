// Parts of shared objects for each thread.
#include <heapwright/os/lanes.hpp>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

namespace heapwright::os {
namespace {

struct Owner : LaneOwner {
    Owner() : LaneOwner([](LaneOwner& owner, ThreadToken thread) noexcept { static_cast<Owner&>(owner).ended = thread; }) {}
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;
    ~Owner() { stop_listening(); }
    using LaneOwner::cached_lane;
    using LaneOwner::remember_lane;
    std::atomic<ThreadToken> ended{kNoThread};
};

TEST_CASE("an owner is told when a thread ends that was numbered") {
    Owner owner;
    ThreadToken thread = kNoThread;
    std::thread{[&] { thread = current_thread(); }}.join();
    CHECK(thread != kNoThread);
    CHECK(owner.ended == thread);
    CHECK(current_thread() != thread);
    CHECK(current_thread() == current_thread());
}

TEST_CASE("a thread that never asked for its number ends unheard") {
    Owner owner;
    std::thread{[] {}}.join();
    CHECK(owner.ended == kNoThread);
}

TEST_CASE("an owner that ends before its threads is not told") {
    std::atomic<int> stage{0};
    auto* owner = new Owner;
    std::thread thread{[&] {
        static_cast<void>(current_thread());
        stage = 1;
        stage.notify_all();
        stage.wait(1);
    }};
    stage.wait(0);
    delete owner;
    stage = 2;
    stage.notify_all();
    thread.join();  // under a sanitizer a call into the owner would be seen
}

TEST_CASE("numbers of threads and owners are never used again") {
    std::set<ThreadToken> threads;
    int lane = 0;
    for (int round = 0; round < 50; ++round) {
        Owner owner;
        CHECK(owner.cached_lane() == nullptr);  // though the last one stood at the same address
        owner.remember_lane(&lane);
        std::thread{[&] { CHECK(threads.insert(current_thread()).second); }}.join();
    }
}

TEST_CASE("a lane is found by its thread and by no other") {
    Owner owner;
    int lane = 0;
    CHECK(owner.cached_lane() == nullptr);
    owner.remember_lane(&lane);
    CHECK(owner.cached_lane() == &lane);
    std::thread{[&] { CHECK(owner.cached_lane() == nullptr); }}.join();
}

TEST_CASE("a displaced lane is forgotten, not mistaken") {
    std::vector<Owner> owners(20);
    std::vector<int> lanes(20);
    for (std::size_t index = 0; index < owners.size(); ++index) {
        owners[index].remember_lane(&lanes[index]);
    }
    for (std::size_t index = 0; index < owners.size(); ++index) {
        void* const lane = owners[index].cached_lane();
        CHECK((lane == nullptr || lane == &lanes[index]));
    }
}

TEST_CASE("owners and threads may end at the same time") {
    for (int round = 0; round < 200; ++round) {
        auto* owner = new Owner;
        std::thread thread{[] { static_cast<void>(current_thread()); }};
        delete owner;
        thread.join();
    }
}

}  // namespace
}  // namespace heapwright::os
