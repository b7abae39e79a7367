// Where frames come from: each policy asks its own source for no more than it says, and in steady state nobody asks malloc.
#include <heapwright/own/coroutine/frame_policy.hpp>

#include <cstdlib>
#include <memory>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/base/poison.hpp>
#include <heapwright/own/coroutine/frame_budget.hpp>
#include <heapwright/own/coroutine/generator.hpp>
#include <heapwright/own/coroutine/run_loop.hpp>
#include <heapwright/own/coroutine/task.hpp>

#include <tests/support/failing_source.hpp>

namespace {

// Counted by thread, so that what other threads of the test program do is not counted. The sanitizers have operators of
// their own, which cannot be replaced: under them only the misses of the cache are counted.
thread_local std::size_t news = 0;
thread_local std::size_t deletes = 0;

#if !HEAPWRIGHT_UNDER_TSAN && !HEAPWRIGHT_UNDER_ASAN
#define HEAPWRIGHT_COUNTS_NEW 1
void* counted_new(std::size_t bytes) noexcept {
    ++news;
    return std::malloc(bytes == 0 ? 1 : bytes);
}
void counted_delete(void* block) noexcept {
    ++deletes;
    std::free(block);
}
#endif

}  // namespace

#ifdef HEAPWRIGHT_COUNTS_NEW
void* operator new(std::size_t bytes) {
    void* const block = counted_new(bytes);
    if (block == nullptr) {
        std::abort();
    }
    return block;
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return counted_new(bytes); }
void operator delete(void* block) noexcept { counted_delete(block); }
void operator delete(void* block, std::size_t) noexcept { counted_delete(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { counted_delete(block); }
#endif

namespace heapwright {
namespace {

using test::FailingSource;

/// What one frame of a coroutine asks of its source: the policies differ by what they put behind it.
constinit FrameMeter program_meter{new_source};

[[gnu::noinline, maybe_unused]] Task<int, GlobalFrames> global(int n) { co_return n; }
[[gnu::noinline]] Task<int, RecycledFrames> recycled(int n) { co_return n; }
[[gnu::noinline]] Task<int, FramesOf<program_meter>> metered(int n) { co_return n; }
[[gnu::noinline]] Task<int, FramesFrom<FrameMeter>> from(std::allocator_arg_t, FrameMeter&, int n) { co_return n; }
[[gnu::noinline]] Task<int, FramesFromAny> from_any(std::allocator_arg_t, FrameMeter&, int n) { co_return n; }
[[gnu::noinline]] Task<int, FramesFromAny> from_any(int n) { co_return n; }
[[gnu::noinline]] Task<int, FramesFrom<Arena>> from_arena(std::allocator_arg_t, Arena& arena, int n) {
    if (n == 0) {  // not ?:, in which g++ 12 awaits whichever way the condition goes
        co_return 0;
    }
    co_return 1 + co_await from_arena(std::allocator_arg, arena, n - 1);
}

struct Worker {
    FrameMeter& meter;
    int offset;
    [[gnu::noinline]] Task<int, FramesFrom<FrameMeter>> add(std::allocator_arg_t, FrameMeter&, int n) { co_return n + offset; }
    [[gnu::noinline]] Task<int, FramesFromAny> add_any(std::allocator_arg_t, FrameMeter&, int n) const { co_return n + offset; }
};

template <class MakeTask>
std::size_t bytes_of(FrameMeter& meter, MakeTask make) {
    const auto before = meter.figures().made_bytes;
    CHECK(run(make()) == 7);
    return static_cast<std::size_t>(meter.figures().made_bytes - before);
}

TEST_CASE("a source named in the type costs no byte, one among the parameters 8, any one 16, and then all are rounded") {
    FailingSource source;
    FrameMeter meter{source};
    const std::size_t plain = bytes_of(program_meter, [] { return metered(7); });
    const std::size_t with_reference = bytes_of(meter, [&] { return from(std::allocator_arg, meter, 7); });
    const std::size_t with_any = bytes_of(meter, [&] { return from_any(std::allocator_arg, meter, 7); });
    MESSAGE("bytes of a trivial frame: " << plain << ", its source found by a pointer " << with_reference << ", any source " << with_any);
    CHECK(with_any <= with_reference + 16);
    CHECK(with_reference <= plain + 8 + 16 + 8);  // the parameters are part of the frame as well
    CHECK(source.outstanding() == 0);
    CHECK(program_meter.figures().live == 0);
}

TEST_CASE("the source is found behind the object of a member function and of a lambda") {
    FailingSource source;
    FrameMeter meter{source};
    Worker worker{meter, 3};
    CHECK(run(worker.add(std::allocator_arg, meter, 4)) == 7);
    CHECK(run(worker.add_any(std::allocator_arg, meter, 4)) == 7);
    const auto lambda = [](std::allocator_arg_t, FrameMeter&, int n) -> Task<int, FramesFrom<FrameMeter>> { co_return n; };
    CHECK(run(lambda(std::allocator_arg, meter, 7)) == 7);
    CHECK(meter.figures().made == 3);
    CHECK(meter.figures().live == 0);
}

TEST_CASE("frames of an arena end with it, and the newest makes room for the next") {
    FailingSource source;
    Arena arena{source};
    CHECK(run(from_arena(std::allocator_arg, arena, 20)) == 20);
    if (!kPoisoning) {                         // poisoned fences between blocks keep the arena from seeing where the newest ends
        CHECK(arena.stats().used_bytes == 0);  // each was the newest when it ended
    }
    CHECK(run(from_arena(std::allocator_arg, arena, 20)) == 20);
}

TEST_CASE("in steady state no frame asks malloc") {
    RunLoop loop;
    const auto numbers = [](int end) -> Generator<int> {
        for (int number = 0; number < end; ++number) {
            co_yield number;
        }
    };
    const auto turns = [&](int count) -> Task<int> {
        int sum = 0;
        for (int turn = 0; turn < count; ++turn) {
            co_await loop.next_turn();
            for (const int number : numbers(10)) {
                sum += number + co_await recycled(1) + co_await from_any(1);
            }
        }
        co_return sum;
    };
    const auto work = [&] {
        auto a = turns(20);
        auto b = turns(20);
        loop.start(a);
        loop.start(b);
        loop.run();
        return a.result() + b.result();
    };
    const int expected = work();
    const std::size_t misses = thread_frame_cache().stats().misses;
    news = 0;
    deletes = 0;
    for (int round = 0; round < 50; ++round) {
        if (work() != expected) {
            news = 1'000'000;
        }
    }
    CHECK(news == 0);
    CHECK(deletes == 0);
    CHECK(thread_frame_cache().stats().misses == misses);
    CHECK(thread_frame_cache().broken_invariant() == nullptr);
#ifdef HEAPWRIGHT_COUNTS_NEW
    CHECK(run(global(1)) == 1);
    CHECK(news == 1);
    CHECK(deletes == 1);
#endif
}

TEST_CASE("a cache gives the newest frame of a size, keeps to its limit, and gives everything back") {
    FailingSource source;
    FrameCache cache{source, 320};
    const auto layout = [](std::size_t bytes) { return Layout{.size = bytes, .alignment = 16}; };
    void* const first = cache.try_allocate(layout(100));
    void* const second = cache.try_allocate(layout(128));  // both 128
    cache.deallocate(first, layout(100));
    cache.deallocate(second, layout(128));
    CHECK(cache.stats().kept_bytes == 256);
    CHECK(cache.try_allocate(layout(97)) == second);
    CHECK(cache.try_allocate(layout(100)) == first);
    void* const third = cache.try_allocate(layout(128));
    for (void* const frame : {first, second, third}) {
        cache.deallocate(frame, layout(128));
    }
    CHECK(cache.stats().kept_frames == 2);
    CHECK(cache.stats().given_back == 1);
    CHECK(cache.stats().misses == 3);
    CHECK(cache.broken_invariant() == nullptr);
    void* const large = cache.try_allocate(layout(5000));
    CHECK(source.outstanding_bytes() == 256 + 5000);
    cache.deallocate(large, layout(5000));
    void* const small = cache.try_allocate(layout(1));
    CHECK(source.outstanding_bytes() == 256 + 32);
    cache.deallocate(small, layout(1));
    cache.set_limit(100);
    CHECK(source.outstanding() == 0);
    CHECK(cache.stats().kept_bytes == 0);
    CHECK(cache.release() == 0);
    test::fail_at_every_step([&](FailingSource& failing) {
        FrameCache refusing{failing};
        void* const frame = refusing.try_allocate(layout(64));
        if (frame == nullptr) {
            return false;
        }
        refusing.deallocate(frame, layout(64));
        refusing.release();
        return true;
    });
}

TEST_CASE("a thread's kept frames are freed when it ends, and a frame may end in another thread") {
    std::size_t kept = 0;
    std::thread{[&] {
        std::vector<Task<int>> tasks;
        tasks.reserve(100);
        for (int number = 0; number < 100; ++number) {
            tasks.push_back(recycled(number));
        }
        tasks.clear();
        kept = thread_frame_cache().stats().kept_frames;  // the leak checker tells if they are not freed
    }}.join();
    CHECK(kept == 100);
    Task<int> made_here = recycled(5);
    std::thread{[task = std::move(made_here)]() mutable { static_cast<void>(run(std::move(task))); }}.join();
    Task<int> made_there;
    std::thread{[&] { made_there = recycled(6); }}.join();
    CHECK(run(std::move(made_there)) == 6);
}

#ifdef HEAPWRIGHT_COUNTS_NEW
std::size_t news_at_end = 0;
std::size_t deletes_at_end = 0;

TEST_CASE("a thread gives back as many frames as it took, also those that end after its cache has") {
    std::thread{[] {
        struct Last {  // ends after the cache, because it was made before it
            Task<int> task;
            Last() = default;
            Last(const Last&) = delete;
            Last& operator=(const Last&) = delete;
            ~Last() {
                task = {};
                news_at_end = news;
                deletes_at_end = deletes;
            }
        };
        static thread_local Last last;
        news = 1;  // the closure of this thread, which was made in another and ends here
        deletes = 0;
        last.task = recycled(1);
        for (int number = 0; number < 10; ++number) {
            static_cast<void>(run(recycled(number)));
        }
    }}.join();
    CHECK(news_at_end >= 2);
    CHECK(news_at_end == deletes_at_end);
}
#endif

}  // namespace
}  // namespace heapwright
