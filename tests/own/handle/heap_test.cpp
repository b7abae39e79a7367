#include <heapwright/own/handle/heap.hpp>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/own/handle/box.hpp>
#include <heapwright/own/handle/handle.hpp>
#include <heapwright/own/handle/vector.hpp>

#include <tests/own/handle/survivors.hpp>
#include <tests/support/death.hpp>
#include <tests/support/random.hpp>

namespace heapwright::test {

namespace {

/// Bytes that know what they are to be.
template <std::size_t kBytes>
struct Stamped {
    explicit Stamped(std::uint64_t stamp) noexcept {
        for (std::uint64_t& word : words) {
            word = stamp++;
        }
    }
    [[nodiscard]] bool is(std::uint64_t stamp) const noexcept {
        for (const std::uint64_t word : words) {
            if (word != stamp++) {
                return false;
            }
        }
        return true;
    }
    std::uint64_t words[kBytes / 8];
};
using Block = Stamped<256>;

bool are_whole(MovableHeap& heap, const std::vector<Handle<Block>>& blocks) {
    const Borrow borrow(heap);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        if (blocks[i] && !borrow[blocks[i]].is(i)) {
            return false;
        }
    }
    return true;
}

}  // namespace

TEST_CASE("a compaction moves survivors together, keeps every byte, and gives the rest back") {
    MovableHeap heap;
    auto blocks = survivors<Block>(heap, 40'000, 16);
    const MovableHeapStats before = heap.stats();
    CHECK(before.resident_bytes > 10 * before.live_bytes);
    const auto result = heap.compact();
    REQUIRE(result);
    const MovableHeapStats after = heap.stats();
    CHECK(result->is_finished);
    CHECK(result->moved_objects > 2000);
    CHECK(result->moved_bytes == result->moved_objects * 256);
    CHECK(result->returned_bytes == before.resident_bytes - after.resident_bytes);
    CHECK(result->largest_free_run_after > result->largest_free_run_before);
    CHECK(result->pinned_objects == 0);
    CHECK(after.resident_bytes * 100 <= after.live_bytes * 105);
    CHECK(are_whole(heap, blocks));
    CHECK(heap.broken_invariant() == nullptr);
    CHECK(heap.compact()->moved_objects == 0);
}

TEST_CASE("random survivors of many sizes end close together") {
    MovableHeap heap;
    Random random(1);
    std::vector<MovableBuffer> buffers(60'000);
    std::size_t requested = 0;
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        const std::size_t bytes = random.between(16, 1024);
        REQUIRE(buffers[i].resize(heap, bytes));
        std::memset(buffers[i].pin().span().data(), static_cast<int>(i), bytes);
        if (!random.one_in(5)) {
            continue;
        }
        requested += bytes;
    }
    Random again(1);
    for (MovableBuffer& buffer : buffers) {
        static_cast<void>(again.between(16, 1024));
        if (!again.one_in(5)) {
            buffer.reset();
        }
    }
    REQUIRE(heap.compact());
    const MovableHeapStats stats = heap.stats();
    CHECK(stats.resident_bytes * 100 <= requested * 110);
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        const auto pin = buffers[i].pin();
        REQUIRE(std::count(pin.begin(), pin.end(), static_cast<std::byte>(i)) == std::distance(pin.begin(), pin.end()));
    }
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("a budget is kept to, and the next call goes on") {
    MovableHeapOptions options;
    options.step_ns = 20'000;
    MovableHeap heap(options);
    auto blocks = survivors<Block>(heap, 60'000, 4);
    std::size_t calls = 0;
    for (bool finished = false; !finished; ++calls) {
        const auto result = heap.compact(50'000);
        REQUIRE(result);
        finished = result->is_finished;
        REQUIRE(calls < 1'000'000);
    }
    CHECK(calls > 1);
    CHECK(heap.stats().compactions == 1);
    CHECK(heap.stats().resident_bytes * 100 <= heap.stats().live_bytes * 105);
    CHECK(are_whole(heap, blocks));
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("no budget moves nothing") {
    MovableHeap heap;
    auto blocks = survivors<Block>(heap, 4000, 4);
    const auto result = heap.compact(0);
    REQUIRE(result);
    CHECK_FALSE(result->is_finished);
    CHECK(result->moved_objects == 0);
}

TEST_CASE("everything is moved that may be, however many chunks there are") {
    MovableHeap heap;
    auto blocks = survivors<Block>(heap, 60'000, 1);
    const auto pin = blocks[777].pin();
    std::vector<const Block*> places;
    {
        const Borrow borrow(heap);
        for (const auto& block : blocks) {
            places.push_back(&borrow[block]);
        }
    }
    REQUIRE(heap.move_everything());
    const Borrow borrow(heap);
    std::size_t stayed = 0;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        stayed += &borrow[blocks[i]] == places[i] ? 1U : 0U;
    }
    CHECK(stayed == 1);
    CHECK(heap.stats().moved_objects == blocks.size() - 1);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("pinned objects stay, are counted, and what lies around them goes back") {
    MovableHeap heap;
    auto blocks = survivors<Block>(heap, 16'000, 16);
    std::vector<Pin<Block>> pins;
    std::vector<Block*> places;
    for (std::size_t i = 0; i < blocks.size(); i += 1600) {
        pins.push_back(blocks[i].pin());
        places.push_back(pins.back().get());
    }
    const auto result = heap.compact();
    REQUIRE(result);
    CHECK(result->pinned_objects > 0);
    CHECK(result->pinned_objects <= pins.size());
    CHECK(result->pinned_bytes == result->pinned_objects * 256);
    for (std::size_t i = 0; i < pins.size(); ++i) {
        CHECK(pins[i].get() == places[i]);
        CHECK(pins[i]->is(i * 1600));
    }
    // The pages around a pinned object have gone back, and come again when they are used.
    CHECK(heap.stats().resident_bytes < 3 * heap.stats().live_bytes);
    CHECK(heap.broken_invariant() == nullptr);
    pins.clear();
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        if (!blocks[i]) {
            blocks[i] = *make_handle<Block>(heap, i);
        }
    }
    CHECK(heap.broken_invariant() == nullptr);
    CHECK(are_whole(heap, blocks));
    REQUIRE(heap.compact());
    CHECK(are_whole(heap, blocks));
}

TEST_CASE("pages that came back from between pinned objects are counted once, whatever happens to the chunk then") {
    MovableHeap heap;
    auto blocks = survivors<Block>(heap, 4000, 200);
    std::vector<Pin<Block>> pins;
    for (auto& block : blocks) {
        if (block) {
            pins.push_back(block.pin());
        }
    }
    REQUIRE(heap.compact());
    CHECK(heap.broken_invariant() == nullptr);
    pins.resize(pins.size() / 2);  // the end of the last chunk can go back, with the holes in it
    for (std::size_t i = blocks.size() / 2; i < blocks.size(); ++i) {
        blocks[i].reset();
    }
    CHECK(heap.broken_invariant() == nullptr);
    REQUIRE(heap.compact());
    CHECK(heap.broken_invariant() == nullptr);
    pins.clear();
    blocks.clear();
    CHECK(heap.broken_invariant() == nullptr);
    blocks = survivors<Block>(heap, 4000, 1);
    CHECK(heap.broken_invariant() == nullptr);
    blocks.clear();
    REQUIRE(heap.compact());
    CHECK(heap.stats().resident_bytes == 0);
}

TEST_CASE("everything freed is given back without a call, but for what is kept for the next objects") {
    MovableHeap heap;
    auto blocks = survivors<Block>(heap, 100'000, 1);
    CHECK(heap.stats().resident_bytes > std::size_t{20} << 20);
    blocks.clear();
    CHECK(heap.stats().resident_bytes <= std::size_t{2} << 20);
    CHECK(heap.stats().live_objects == 0);
    REQUIRE(heap.compact());
    CHECK(heap.stats().resident_bytes == 0);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("a limit refuses what is beyond it, after memory of other sizes was made use of") {
    MovableHeapOptions options;
    options.limit_bytes = std::size_t{8} << 20;
    MovableHeap heap(options);
    std::vector<Handle<Block>> blocks;
    Result<Handle<Block>> made;
    while ((made = make_handle<Block>(heap, blocks.size()))) {
        blocks.push_back(std::move(*made));
    }
    CHECK(made.error() == Error{.kind = Errc::limit_reached, .number = options.limit_bytes});
    CHECK(heap.stats().refusals == 1);
    CHECK(blocks.size() * 264 > options.limit_bytes * 95 / 100);
    CHECK(heap.stats().resident_bytes <= options.limit_bytes);
    // Half of them are freed, all over the place: room for another size has to be made by moving the rest.
    for (std::size_t i = 0; i < blocks.size(); i += 2) {
        blocks[i].reset();
    }
    std::vector<Handle<Stamped<1000>>> others;
    Result<Handle<Stamped<1000>>> other;
    while ((other = make_handle<Stamped<1000>>(heap, 0U))) {
        others.push_back(std::move(*other));
    }
    CHECK(others.size() * 1000 > options.limit_bytes * 40 / 100);
    CHECK(are_whole(heap, blocks));
    CHECK(heap.broken_invariant() == nullptr);
    MovableBuffer large;
    CHECK(large.resize(heap, std::size_t{16} << 20).error().kind == Errc::limit_reached);
    CHECK(large.resize(heap, SIZE_MAX / 2).error().kind == Errc::overflow);
    CHECK(large.empty());
}

TEST_CASE("a Borrow of the caller refuses a compaction, and so does another compaction") {
    MovableHeap heap;
    auto blocks = survivors<Block>(heap, 1000, 2);
    {
        const Borrow borrow(heap);
        CHECK(heap.compact().error() == Error{.kind = Errc::timed_out, .number = 0});
        CHECK_FALSE(heap.move_everything());
        Block& seen = borrow[blocks[0]];
        const Borrow inner(heap);
        CHECK(&inner[blocks[0]] == &seen);
    }
    CHECK(heap.compact());
}

TEST_CASE("a tick compacts above the threshold, within its part of the time") {
    MovableHeapOptions options;
    options.cpu_millionths = 1'000'000;
    MovableHeap heap(options);
    auto blocks = survivors<Block>(heap, 40'000, 8);
    for (int i = 0; i < 10'000 && heap.stats().vacant_millionths() > options.threshold_millionths; ++i) {
        heap.tick();
        usleep(1000);
    }
    CHECK(heap.stats().vacant_millionths() <= options.threshold_millionths);
    CHECK(are_whole(heap, blocks));
    options.auto_compaction = false;
    MovableHeap idle(options);
    auto others = survivors<Block>(idle, 4000, 8);
    idle.tick();
    usleep(1000);
    idle.tick();
    CHECK(idle.stats().moved_objects == 0);
}

TEST_CASE("renamed handles leave a short name table") {
    MovableHeap heap;
    auto blocks = survivors<Block>(heap, 200'000, 16);
    const std::size_t before = heap.stats().name_bytes;
    REQUIRE(heap.compact());
    for (auto& block : blocks) {
        heap.rename(block);
    }
    MovableVector<int> last;
    REQUIRE(last.push_back(heap, 5));
    heap.rename(last);
    CHECK(last.pin()[0] == 5);
    REQUIRE(heap.compact());
    CHECK(heap.stats().name_bytes * 8 < before);
    CHECK(heap.stats().name_bytes < heap.stats().names * 5);  // full pages: records would be more
    CHECK(are_whole(heap, blocks));
    CHECK(heap.broken_invariant() == nullptr);
    for (auto& block : blocks) {
        heap.rename(block);  // no lower name is free: nothing happens
    }
    CHECK(are_whole(heap, blocks));
}

TEST_CASE("large objects stay, and their pages go back at once") {
    MovableHeap heap;
    std::vector<MovableBuffer> buffers(20);
    for (std::size_t i = 0; i < buffers.size(); ++i) {
        REQUIRE(buffers[i].resize(heap, (i + 1) * 50'000));
        std::memset(buffers[i].pin().span().data(), static_cast<int>(i + 1), buffers[i].size());
    }
    const std::size_t all = heap.stats().resident_bytes;
    CHECK(all >= 210 * 50'000);
    CHECK(all <= 210 * 50'000 + 20 * 8192);
    for (std::size_t i = 0; i < buffers.size(); i += 2) {
        buffers[i].reset();
    }
    CHECK(heap.stats().resident_bytes <= 110 * 50'000 + 10 * 8192);
    CHECK(heap.broken_invariant() == nullptr);
    REQUIRE(heap.compact());
    for (std::size_t i = 1; i < buffers.size(); i += 2) {
        CHECK(buffers[i].pin()[buffers[i].size() - 1] == static_cast<std::byte>(i + 1));
    }
}

TEST_CASE("a child of fork goes on with the heap") {
    MovableHeap heap;
    auto blocks = survivors<Block>(heap, 4000, 4);
    const pid_t child = fork();
    if (child == 0) {
        heap.after_fork_in_child();
        const bool good = heap.compact() && are_whole(heap, blocks) && heap.broken_invariant() == nullptr;
        _exit(good ? 0 : 1);
    }
    int status = 1;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

TEST_CASE("addresses that the kernel does not have are an error, not a crash") {
    MovableHeapOptions options;
    CHECK(MovableHeap::can_make(options));
    CHECK(MovableHeap(options).owns(&options) == false);
}

TEST_CASE("a heap that ends before its objects stops the program") {
    const Death death = death_of([] {
        std::optional<MovableHeap> heap(std::in_place);
        auto block = *make_handle<Block>(*heap, 1U);
        heap.reset();
    });
    CHECK(death.died);
    CHECK(said(death, "a heap of movable objects ends before its objects"));
}

TEST_CASE("an object that ends while it is pinned stops the program") {
    const Death death = death_of([] {
        MovableHeap heap;
        auto block = *make_handle<Block>(heap, 1U);
        const auto pin = block.pin();
        block.reset();
    });
    CHECK(death.died);
    CHECK(said(death, "an object ends while somebody has it pinned"));
}

}  // namespace heapwright::test
