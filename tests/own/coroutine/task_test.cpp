// What tasks promise: they run when awaited, jump back at their end, and pass results, exceptions and refusals.
#include <heapwright/own/coroutine/task.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/report.hpp>
#include <heapwright/own/coroutine/frame_budget.hpp>
#include <heapwright/own/coroutine/run_loop.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

static_assert(!std::is_copy_constructible_v<Task<int>> && std::is_nothrow_move_constructible_v<Task<int>>);
static_assert(sizeof(Task<int>) == sizeof(void*));

Task<int> add(int a, int b) { co_return a + b; }
Task<int> add_three(int a, int b, int c) { co_return co_await add(a, b) + c; }
Task<> note(std::string& log, const char* word) {
    log += word;
    co_return;
}
Task<std::unique_ptr<int>> boxed(int value) { co_return std::make_unique<int>(value); }
Task<int&> referred(int& value) { co_return value; }

TEST_CASE("a task runs when it is awaited, not before, and gives its result once") {
    std::string log;
    {
        auto task = note(log, "ran ");
        CHECK(static_cast<bool>(task));
        CHECK(log.empty());
        CHECK(!task.is_done());
        CHECK(run(std::move(task)).has_value());
        CHECK(log == "ran ");
        const auto never_started = note(log, "never ");
    }
    CHECK(log == "ran ");
    CHECK(run(add_three(1, 2, 3)) == 6);
    CHECK(**run(boxed(7)) == 7);
    int value = 1;
    auto task = referred(value);
    task.start();
    CHECK(&task.result() == &value);
}

TEST_CASE("a moved task is empty, and starting or awaiting an empty one stops the program") {
    auto task = add(1, 2);
    auto moved = std::move(task);
    CHECK(!task);  // NOLINT(bugprone-use-after-move): that it is empty is the promise
    task = std::move(moved);
    CHECK(run(std::move(task)) == 3);
    CHECK(run(Task<int>{}) == fail_with(Errc::out_of_memory));
    const auto death = test::death_of([] {
        os::report_failures_to_stderr();
        Task<int> none;
        none.start();
    });
    CHECK(test::said(death, "a task without a frame is started"));
    const auto second = test::death_of([] {
        os::report_failures_to_stderr();
        static_cast<void>(run([]() -> Task<int> { co_return co_await Task<int>{}; }()));
    });
    CHECK(test::said(second, "a task without a frame is awaited"));
    const auto third = test::death_of([] {
        os::report_failures_to_stderr();
        RunLoop loop;
        Event never{loop};
        const auto wait = [](Event& event) -> Task<int> {
            co_await event;
            co_return 1;
        };
        static_cast<void>(run(wait(never)));
    });
    CHECK(test::said(third, "a task waits for something that nobody will make happen"));
}

Task<int> fails(bool now) {
    if (now) {
        throw std::runtime_error("told to");
    }
    co_return 1;
}
Task<int> catches() {
    try {
        co_return co_await fails(true);
    } catch (const std::runtime_error&) {
        co_return -1;
    }
}
Task<> passes_on() { static_cast<void>(co_await fails(true)); }

TEST_CASE("an exception passes to who awaits the task") {
    CHECK(run(fails(false)) == 1);
    CHECK_THROWS_AS(static_cast<void>(run(fails(true))), std::runtime_error);
    CHECK(run(catches()) == -1);
    CHECK_THROWS_AS(static_cast<void>(run(passes_on())), std::runtime_error);
}

/// Kept out of line and given a condition the compiler cannot see through, so that no frame is put into the caller's.
[[gnu::noinline]] Task<std::size_t> chain(std::size_t depth) {
    if (depth == 0) {
        co_return 0;
    }
    co_return 1 + co_await chain(depth - 1);
}
Task<std::size_t> loop_of(std::size_t rounds) {
    std::size_t sum = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
        sum += static_cast<std::size_t>(co_await add(1, 0));
    }
    co_return sum;
}

TEST_CASE("a chain of a million tasks, or a million tasks in a loop, takes no more stack than one") {
    CHECK(run(chain(1'000'000)) == 1'000'000);
    CHECK(run(loop_of(1'000'000)) == 1'000'000);
}

using Budgeted = FramesFrom<FrameBudget>;

[[gnu::noinline]] Task<int, Budgeted> budgeted(std::allocator_arg_t, FrameBudget& budget, int depth) {
    if (depth == 0) {
        co_return 0;
    }
    const Result<int> below = co_await budgeted(std::allocator_arg, budget, depth - 1).checked();
    co_return below.has_value() ? *below + 1 : -1000 - depth;
}

TEST_CASE("a task over budget comes back without a frame, and its caller can go on without") {
    FailingSource source;
    FrameBudget roomy{source, 1 << 20};
    CHECK(run(budgeted(std::allocator_arg, roomy, 10)) == 10);
    CHECK(roomy.used_bytes() == 0);
    CHECK(roomy.refusals() == 0);
    std::size_t frame_bytes = 0;
    {
        const auto one = budgeted(std::allocator_arg, roomy, 1);
        frame_bytes = roomy.used_bytes();
    }
    FrameBudget tight{source, 4 * frame_bytes};
    const Result<int> result = run(budgeted(std::allocator_arg, tight, 10));  // four fit, the fifth is refused
    CHECK(result == -1007 + 3);
    CHECK(tight.refusals() == 1);
    CHECK(tight.used_bytes() == 0);
    CHECK(tight.broken_invariant() == nullptr);
    FrameBudget none{source, 0};
    CHECK(!budgeted(std::allocator_arg, none, 0));
    CHECK(run(budgeted(std::allocator_arg, none, 0)) == fail_with(Errc::out_of_memory));
    CHECK(source.outstanding() == 0);
}

Task<> counts(RunLoop& loop, std::string& log, char name, int turns) {
    for (int turn = 0; turn < turns; ++turn) {
        log += name;
        co_await loop.next_turn();
    }
}

TEST_CASE("tasks in a loop take turns in the order in which they became ready") {
    std::string log;
    RunLoop loop;
    auto a = counts(loop, log, 'a', 3);
    auto b = counts(loop, log, 'b', 1);
    auto c = counts(loop, log, 'c', 2);
    loop.start(a);
    loop.start(b);
    loop.start(c);
    CHECK(log == "abc");
    CHECK(loop.run() == 6);
    CHECK(log == "abcaca");
    CHECK((a.is_done() && b.is_done() && c.is_done()));
    CHECK(!loop.run_one());
}

TEST_CASE("an event wakes all that wait for it, and a destroyed task waits for nothing") {
    std::string log;
    RunLoop loop;
    Event event{loop};
    const auto wait = [&](char name) -> Task<int> {
        co_await event;
        log += name;
        co_return name;
    };
    auto a = wait('a');
    auto c = wait('c');
    {
        auto b = wait('b');
        loop.start(a);
        loop.start(b);
        loop.start(c);
    }
    CHECK(loop.run_until_done(a) == fail_with(Errc::timed_out));
    event.set();
    CHECK(event.is_set());
    CHECK(log.empty());
    CHECK(loop.run_until_done(a) == 'a');
    CHECK(loop.run_until_done(c) == 'c');
    CHECK(log == "ac");
    auto late = wait('d');
    loop.start(late);
    CHECK(late.is_done());
    event.reset();
    auto later = wait('e');
    loop.start(later);
    CHECK(!later.is_done());
    Task<int> none;
    CHECK(loop.run_until_done(none) == fail_with(Errc::out_of_memory));
}

TEST_CASE("destroying a task that waits ends its locals and those of what it awaits") {
    RunLoop loop;
    const auto alive = std::make_shared<int>(1);
    const auto inner = [&](std::shared_ptr<int> held) -> Task<int> {
        co_await loop.next_turn();
        co_return *held;
    };
    const auto outer = [&](std::shared_ptr<int> held) -> Task<int> { co_return *held + co_await inner(held); };
    {
        auto task = outer(alive);
        loop.start(task);
        CHECK(alive.use_count() > 2);
    }
    CHECK(alive.use_count() == 1);
    CHECK(loop.run() == 0);
}

}  // namespace
}  // namespace heapwright
