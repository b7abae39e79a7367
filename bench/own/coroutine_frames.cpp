// What does the frame of a coroutine cost, by where it comes from: ten tasks deep, one at a time, and as a generator?
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/os/page_source.hpp>
#include <heapwright/own/coroutine/frame_budget.hpp>
#include <heapwright/own/coroutine/frame_stack.hpp>
#include <heapwright/own/coroutine/generator.hpp>
#include <heapwright/own/coroutine/task.hpp>

#include <bench/own/cell_rows.hpp>

// The same library from either package: libasio-dev, or libboost-dev.
#if __has_include(<asio/awaitable.hpp>)
#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#define BENCH_HAS_ASIO 1
#elif __has_include(<boost/asio/awaitable.hpp>)
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#define BENCH_HAS_ASIO 1
namespace asio = boost::asio;
#endif

namespace {

using namespace heapwright;

constexpr int kDepth = 10;
constexpr int kCalls = 10'000;

/// Tasks of one kind: `nested(depth)` awaits itself, `leaf(n)` does nothing.
template <class Frames>
struct Plain {
    [[gnu::noinline]] static Task<int, Frames> nested(int depth) {
        if (depth == 0) {
            co_return 0;
        }
        co_return 1 + co_await nested(depth - 1);
    }
    [[gnu::noinline]] static Generator<int, Frames> numbers(int end) {
        for (int number = 0; number < end; ++number) {
            co_yield number;
        }
    }
};

template <class Frames, class Source>
[[gnu::noinline]] Task<int, Frames> nested_in(std::allocator_arg_t, Source& source, int depth) {
    if (depth == 0) {
        co_return 0;
    }
    co_return 1 + co_await nested_in<Frames>(std::allocator_arg, source, depth - 1);
}

template <class MakeTask>
void call_many(MakeTask make) {
    int sum = 0;
    for (int call = 0; call < kCalls; ++call) {
        sum += *run(make());
    }
    bench::escape(&sum);
}

void add_frames(bench::Rows& rows, FrameStack& stack, Arena& arena, FrameBudget& budget) {
    const auto add = [&rows](const char* who, auto make) {
        rows.add("coroutine frames", "ten tasks deep, a frame", who, double{kCalls} * (kDepth + 1),
                 [make] { call_many([&] { return make(kDepth); }); });
        rows.add("coroutine frames", "one task, a frame", who, kCalls, [make] { call_many([&] { return make(0); }); });
    };
    add("operator new", [](int depth) { return Plain<GlobalFrames>::nested(depth); });
    add("heapwright RecycledFrames", [](int depth) { return Plain<RecycledFrames>::nested(depth); });
    add("heapwright FramesFrom<FrameStack>",
        [&stack](int depth) { return nested_in<FramesFrom<FrameStack>>(std::allocator_arg, stack, depth); });
    add("heapwright FramesFrom<Arena>", [&arena](int depth) { return nested_in<FramesFrom<Arena>>(std::allocator_arg, arena, depth); });
    add("heapwright FramesFrom<FrameBudget>",
        [&budget](int depth) { return nested_in<FramesFrom<FrameBudget>>(std::allocator_arg, budget, depth); });
    add("heapwright FramesFromAny of an Arena", [&arena](int depth) { return nested_in<FramesFromAny>(std::allocator_arg, arena, depth); });
}

template <class Frames>
void add_generator(bench::Rows& rows, const char* who) {
    rows.add("generators", "of three elements, made and walked", who, kCalls, [] {
        int sum = 0;
        for (int call = 0; call < kCalls; ++call) {
            for (const int number : Plain<Frames>::numbers(3)) {
                sum += number;
            }
        }
        bench::escape(&sum);
    });
}

#ifdef BENCH_HAS_ASIO
[[gnu::noinline]] asio::awaitable<int> asio_nested(int depth) {
    if (depth == 0) {
        co_return 0;
    }
    co_return 1 + co_await asio_nested(depth - 1);
}
asio::awaitable<void> asio_calls(int depth) {
    int sum = 0;
    for (int call = 0; call < kCalls; ++call) {
        sum += co_await asio_nested(depth);
    }
    bench::escape(&sum);
}
void add_asio(bench::Rows& rows) {
    for (const int depth : {kDepth, 0}) {
        rows.add("coroutine frames", depth == 0 ? "one task, a frame" : "ten tasks deep, a frame", "asio::awaitable (recycling)",
                 double{kCalls} * (depth + 1), [depth] {
                     asio::io_context context;
                     asio::co_spawn(context, asio_calls(depth), asio::detached);
                     context.run();
                 });
    }
}
#endif

}  // namespace

int main(int count, char** arguments) {
    bench::Rows rows;
    std::vector<std::byte> buffer(std::size_t{1} << 20);
    FrameStack stack{std::span<std::byte>{buffer}};
    Arena arena{os::kPages};
    FrameCache cache{new_source};
    FrameBudget budget{cache, std::size_t{1} << 20};
    add_frames(rows, stack, arena, budget);
    add_generator<GlobalFrames>(rows, "operator new");
    add_generator<RecycledFrames>(rows, "heapwright RecycledFrames");
#ifdef BENCH_HAS_ASIO
    add_asio(rows);
#endif
    const int status = rows.start(count, arguments);
    cache.release();
    return status;
}
