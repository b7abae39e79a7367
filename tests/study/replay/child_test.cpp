#include <heapwright/study/replay/child.hpp>

#include <csignal>
#include <cstdlib>

#include <doctest/doctest.h>

namespace heapwright::test {

using study::ChildOrder;
using study::run_child;

ChildOrder shell(const std::string& script) {
    ChildOrder order;
    order.program = "/bin/sh";
    order.arguments = {"-c", script};
    order.limit_s = 20;
    return order;
}

TEST_CASE("status, signal and last words of a child come back") {
    const auto result = run_child(shell("echo trouble >&2; exit 3"));
    CHECK(result.status == 3);
    CHECK(result.errors == "trouble\n");
    CHECK(run_child(shell("kill -SEGV $$")).signal == SIGSEGV);
}

TEST_CASE("a program that is missing does not start") {
    ChildOrder order;
    order.program = "/nonexistent/program";
    CHECK(run_child(order).start_errno == ENOENT);
}

TEST_CASE("a child that does not end is stopped") {
    ChildOrder order = shell("exec sleep 1000");
    order.limit_s = 0.2;
    const auto result = run_child(order);
    CHECK(result.timed_out);
    CHECK(result.signal == SIGKILL);
}

TEST_CASE("what an allocator listens to is not inherited, and what is ordered is set") {
    setenv("MALLOC_ARENA_MAX", "7", 1);
    setenv("HEAPWRIGHT_TEST_ORDINARY", "kept", 1);
    setenv("ORDINARY", "kept", 1);
    ChildOrder order = shell("echo \"$MALLOC_ARENA_MAX,$ORDINARY,$MALLOC_TOP_PAD_\" >&2");
    order.environment = {{"MALLOC_TOP_PAD_", "5"}};
    CHECK(run_child(order).errors == ",kept,5\n");
    unsetenv("MALLOC_ARENA_MAX");
}

TEST_CASE("system calls are counted when asked for") {
    ChildOrder order = shell("exit 0");
    order.count_system_calls = true;
    const auto few = run_child(order);
    CHECK(few.status == 0);
    ChildOrder more = shell("i=0; while [ $i -lt 100 ]; do i=$((i+1)); echo x; done; exit 5");
    more.count_system_calls = true;
    const auto many = run_child(more);
    CHECK(many.status == 5);
    if (few.system_calls == 0) {
        return;  // tracing is forbidden here
    }
    CHECK(many.system_calls >= few.system_calls + 90);
}

}  // namespace heapwright::test
