// Readers, pinners, owners and a compactor at the same time. Under ThreadSanitizer, this is what shows a half-moved object.
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/base/platform.hpp>
#include <heapwright/own/handle/box.hpp>
#include <heapwright/own/handle/detail/gate.hpp>
#include <heapwright/own/handle/handle.hpp>
#include <heapwright/own/handle/vector.hpp>

#include <tests/support/random.hpp>

namespace heapwright::test {

namespace {

constexpr int kRounds = HEAPWRIGHT_UNDER_TSAN != 0 || HEAPWRIGHT_UNDER_ASAN != 0 ? 3000 : 20'000;

/// All words are equal: a half-moved one shows.
struct Even {
    explicit Even(std::uint64_t value) noexcept { words.fill(value); }
    [[nodiscard]] bool is_whole() const noexcept {
        for (const std::uint64_t word : words) {
            if (word != words[0]) {
                return false;
            }
        }
        return true;
    }
    std::array<std::uint64_t, 12> words;
};

/// Moved by its constructor, word by word.
struct Careful : Even {
    using Even::Even;
    Careful(Careful&& other) noexcept : Even(0) {
        for (std::size_t i = 0; i < words.size(); ++i) {
            words[i] = std::exchange(other.words[i], i);
        }
    }
    ~Careful() { words.fill(1); }
};

struct Shared {
    MovableHeap heap;
    std::vector<Handle<Even>> handles;
    std::vector<MovableBox<Careful>> boxes;
    std::atomic<bool> stops{false};
    std::atomic<std::uint64_t> torn{0};
    std::atomic<bool> was_busy{false};  // the compactor has moved enough; until then nobody stops

    [[nodiscard]] bool goes_on(int round) const { return round < kRounds || !was_busy.load(std::memory_order_relaxed); }  // a flag alone

    explicit Shared(const MovableHeapOptions& options) : heap(options) {
        for (std::uint64_t i = 0; i < 400; ++i) {
            handles.push_back(*make_handle<Even>(heap, i));
            boxes.push_back(*make_box<Careful>(heap, i));
        }
    }
};

void read(Shared& shared, std::uint64_t salt) {
    Random random(salt);
    for (int round = 0; shared.goes_on(round); ++round) {
        const Borrow borrow(shared.heap);
        for (int i = 0; i < 20; ++i) {
            const std::size_t index = random.below(shared.handles.size());
            const bool whole = borrow[shared.handles[index]].is_whole() && borrow[shared.boxes[index]].is_whole() &&
                               borrow[shared.handles[index]].words[0] == index && borrow[shared.boxes[index]].words[0] == index;
            shared.torn.fetch_add(whole ? 0 : 1, std::memory_order_relaxed);  // a count
        }
    }
}

void pin(Shared& shared, std::uint64_t salt) {
    Random random(salt);
    for (int round = 0; shared.goes_on(round); ++round) {
        const std::size_t index = random.below(shared.handles.size());
        const auto handle = shared.handles[index].pin();
        const auto box = shared.boxes[index].pin();
        const bool whole = handle->is_whole() && box->is_whole() && handle->words[0] == index && box->words[0] == index;
        shared.torn.fetch_add(whole ? 0 : 1, std::memory_order_relaxed);  // a count
    }
}

/// Makes, moves, writes and ends objects of its own.
void own(Shared& shared, std::uint64_t salt) {
    Random random(salt);
    std::vector<MovableBox<Careful>> boxes(500);
    std::vector<Handle<Even>> handles(500);
    MovableVector<std::uint64_t> numbers;
    for (int round = 0; shared.goes_on(round); ++round) {
        const std::size_t index = random.below(boxes.size());
        boxes[index] = *make_box<Careful>(shared.heap, std::uint64_t{index});
        std::swap(boxes[index], boxes[random.below(boxes.size())]);
        handles[index] = *make_handle<Even>(shared.heap, std::uint64_t{index});
        handles[index].pin()->words.fill(salt);
        shared.heap.rename(handles[index]);
        for (std::size_t i = 0; round % 500 == 0 && i < handles.size(); ++i) {
            handles[i].reset();  // holes to be filled
        }
        REQUIRE(numbers.push_back(shared.heap, salt));
        if (numbers.size() > 200) {
            numbers.reset();
        }
        const bool whole = (!boxes[index] || boxes[index].pin()->is_whole()) && (!handles[index] || handles[index].pin()->is_whole());
        shared.torn.fetch_add(whole ? 0 : 1, std::memory_order_relaxed);  // a count
    }
}

std::string broken_in(const MovableHeap& heap) {
    const char* const broken = heap.broken_invariant();
    return broken == nullptr ? "" : broken;
}

void run(const MovableHeapOptions& options, bool moves_everything) {
    Shared shared(options);
    std::thread compactor([&] {
        while (!shared.stops.load(std::memory_order_relaxed)) {  // a flag alone
            if (moves_everything) {
                shared.heap.move_everything();
            } else {
                static_cast<void>(shared.heap.compact(1'000'000));
                shared.heap.tick();
            }
            shared.was_busy.store(shared.heap.stats().moved_objects > 100, std::memory_order_relaxed);  // as in goes_on()
            std::this_thread::yield();
        }
    });
    std::vector<std::thread> others;
    others.emplace_back(read, std::ref(shared), 1);
    others.emplace_back(read, std::ref(shared), 2);
    others.emplace_back(pin, std::ref(shared), 3);
    others.emplace_back(own, std::ref(shared), 4);
    others.emplace_back(own, std::ref(shared), 5);
    for (std::thread& other : others) {
        other.join();
    }
    shared.stops.store(true, std::memory_order_relaxed);  // as above
    compactor.join();
    CHECK(shared.torn.load() == 0);
    CHECK(broken_in(shared.heap) == "");
    CHECK(shared.heap.stats().live_objects == 800);
    CHECK(shared.heap.stats().moved_objects > 100);
    REQUIRE(shared.heap.compact());
    CHECK(broken_in(shared.heap) == "");
}

}  // namespace

TEST_CASE("readers, pinners and owners see whole objects while others are compacted") { run({}, false); }

TEST_CASE("readers, pinners and owners see whole objects while everything is moved again and again") { run({}, true); }

TEST_CASE("a Borrow that another thread holds refuses compactions, which say so, and lets them go on when it ends") {
    MovableHeapOptions options;
    options.reader_wait_ns = 1000;
    MovableHeap heap(options);
    auto first = *make_handle<int>(heap, 1);
    std::atomic<int> state{0};
    std::thread reader([&] {
        const Borrow borrow(heap);
        state.store(1);
        while (state.load() != 2) {
            std::this_thread::yield();
        }
    });
    while (state.load() != 1) {
        std::this_thread::yield();
    }
    const auto refused = heap.compact(5'000'000);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == Errc::timed_out);
    CHECK(refused.error().number > 0);
    CHECK(heap.stats().refused_steps > 0);
    CHECK_FALSE(heap.move_everything());
    state.store(2);
    reader.join();
    CHECK(heap.compact());
    CHECK(heap.move_everything());
}

TEST_CASE("lanes of threads that have ended are taken over") {
    MovableHeap heap;
    auto handle = *make_handle<int>(heap, 0);
    for (int i = 0; i < 300; ++i) {
        std::thread([&] { ++*handle.pin(); }).join();
    }
    CHECK(*handle.pin() == 300);
    CHECK(heap.compact());
}

TEST_CASE("a gate that is closed lets its closer in, and nobody else until it is opened") {
    auto lanes = std::make_unique<movable::Gate::Lane[]>(movable::Gate::kLanesMost);
    movable::Gate gate(lanes.get());
    REQUIRE(gate.close(1'000'000));
    CHECK(gate.is_mover());
    movable::Gate::leave(gate.enter());
    std::atomic<bool> is_in{false};
    std::thread other([&] {
        auto& lane = gate.enter();
        is_in.store(true);
        movable::Gate::leave(lane);
    });
    for (int i = 0; i < 100; ++i) {
        std::this_thread::yield();
        REQUIRE_FALSE(is_in.load());
    }
    gate.reopen();
    gate.let_through(1'000'000'000);
    other.join();
    CHECK(is_in.load());
    CHECK(gate.broken_invariant() == nullptr);
}

}  // namespace heapwright::test
