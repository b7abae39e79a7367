// Programs that are ended by the clock, asked or forced; with and without the launcher between.
#include <apps/cli/run.hpp>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include <doctest/doctest.h>

namespace heapwright::test {
namespace {

cli::RunRequest shell(const char* command, bool measured) {
    cli::RunRequest request;
    request.program = {.name = "sh", .path = "/bin/sh", .interpreter = {}};
    request.arguments = {"-c", command};
    request.measured = measured;
    return request;
}

TEST_CASE("a duration ends a program, however early, and what was measured is not lost") {
    for (const bool measured : {false, true}) {
        for (const double duration_s : {0.0001, 0.05}) {
            cli::RunRequest request = shell("exec sleep 600", measured);
            request.duration_s = duration_s;
            const cli::RunResult result = cli::run(request);
            CHECK(result.start_errno == 0);
            CHECK(result.stopped);
            CHECK_FALSE(result.killed);
            CHECK(result.well());
            CHECK(result.ending() == "signal 15 (Terminated)");
            CHECK((result.peak_resident_bytes > 0) == measured);
        }
    }
}

TEST_CASE("the clock begins when the program is under way") {
    cli::RunRequest request = shell("exec sleep 600", true);
    int asked = 0;
    request.under_way = [&asked] { return ++asked == 3; };
    request.duration_s = 0.001;
    CHECK(cli::run(request).well());
    CHECK(asked == 3);
    request = shell("exit 5", true);
    request.under_way = [] { return false; };
    request.duration_s = 600;
    CHECK(cli::run(request).ending() == "exit status 5");
}

TEST_CASE("a program that will not end is killed, and its launcher reports") {
    for (const bool measured : {false, true}) {
        cli::RunRequest request = shell("trap '' TERM; echo; while :; do sleep 600; done", measured);
        request.output = "/dev/null";
        request.duration_s = 0.2;
        request.grace_s = 0.05;
        const cli::RunResult result = cli::run(request);
        CHECK(result.stopped);
        CHECK(result.well());  // in time for the trap or not
        CHECK((result.peak_resident_bytes > 0) == measured);
    }
}

TEST_CASE("how a program that was asked to end does so is its own affair, unless it crashes") {
    cli::RunRequest request = shell("trap 'exit 3' TERM; while :; do sleep 0.01; done", true);
    request.duration_s = 0.2;
    CHECK(cli::run(request).well());
    CHECK_FALSE(cli::run(shell("exit 3", true)).well());
    CHECK_FALSE(cli::run(shell("kill -SEGV $$", true)).well());
    CHECK_FALSE(cli::run(shell("kill -TERM $$", true)).well());
}

TEST_CASE("a load that fails is told, though the program ended well") {
    cli::RunRequest request = shell("exec sleep 600", true);
    request.load = "exit 7";
    const cli::RunResult result = cli::run(request);
    CHECK(result.program_well());
    CHECK_FALSE(result.well());
    CHECK(result.ending() == "a load that failed with status 7");
}

TEST_CASE("a signal that is to end us ends a measured run at once, and is told") {
    std::signal(SIGINT, SIG_DFL);  // a shell's background jobs ignore it, and what is ignored stays so
    for (const bool ends_with_us : {false, true}) {
        cli::RunRequest request = shell("exec sleep 600", true);
        request.ends_with_us = ends_with_us;
        request.under_way = [] {
            std::raise(SIGINT);
            return true;
        };
        request.duration_s = 0.3;
        const cli::RunResult result = cli::run(request);
        CHECK(result.interrupted_by == SIGINT);
        CHECK(result.stopped);
        CHECK_FALSE(result.killed);
    }
    cli::RunRequest request = shell("exec sleep 600", true);
    request.ends_with_us = true;
    request.patience_s = 0.001;
    request.impatient = [](double) { std::raise(SIGTERM); };
    CHECK(cli::run(request).interrupted_by == SIGTERM);
    request.load = "exec sleep 600";
    request.under_way = [] {
        std::raise(SIGHUP);
        return true;
    };
    CHECK(cli::run(request).interrupted_by == SIGHUP);
    CHECK(cli::run(shell("exit 0", true)).interrupted_by == 0);
}

TEST_CASE("what a load says goes where it is wanted") {
    cli::RunRequest request = shell("exec sleep 600", true);
    request.load = "echo words; echo more >&2";
    request.load_output = "run_test.load";
    CHECK(cli::run(request).well());
    std::ifstream file{"run_test.load"};
    CHECK(std::string{std::istreambuf_iterator<char>{file}, {}} == "words\nmore\n");
    std::remove("run_test.load");
}

TEST_CASE("what cannot be started is told by its reason") {
    for (const bool measured : {false, true}) {
        cli::RunRequest request = shell("", measured);
        request.program.path = "/no/such/program";
        CHECK(cli::run(request).start_errno == ENOENT);
    }
}

}  // namespace
}  // namespace heapwright::test
