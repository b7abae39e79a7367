// Lines on stderr: whole, with a newline, errno untouched.
#include <heapwright/os/report.hpp>

#include <cerrno>
#include <string>

#include <doctest/doctest.h>

#include <heapwright/base/check.hpp>
#include <heapwright/os/report_by_default.hpp>

#include <tests/support/death.hpp>

namespace heapwright::os {

TEST_CASE("a line ends with a newline and leaves errno alone") {
    const auto child = test::death_of([] {
        errno = 77;
        write_stderr_line("first");
        write_stderr_line("");
        write_stderr_line(errno == 77 ? "kept" : "changed");
    });
    CHECK_FALSE(child.died);
    CHECK(child.last_words == "first\n\nkept\n");
}

TEST_CASE("a line that is too long is cut but still ends") {
    const auto child = test::death_of([] { write_stderr_line(std::string(100'000, 'x')); });
    CHECK(child.last_words.size() <= 4096);
    CHECK(child.last_words.ends_with("xx\n"));
}

TEST_CASE("failed checks are told on stderr once somebody asks for it") {
    const auto death = test::death_of([] {
        set_failure_handler(nullptr);
        report_failures_to_stderr();
        HEAPWRIGHT_CHECK(false, "the last line");
    });
    CHECK(death.died);
    CHECK(test::said(death, "heapwright: the last line (false) at tests/os/report_test.cpp:"));
}

TEST_CASE("a handler that the program set stays; without one, the front doors set theirs") {
    const auto death = test::death_of([] {
        set_failure_handler([](const Failure& failure) noexcept { write_stderr_line(failure.sentence); });
        report_failures_by_default();
        HEAPWRIGHT_CHECK(false, "in the program's own words");
    });
    CHECK(death.last_words == "in the program's own words\n");
    const auto plain = test::death_of([] {
        set_failure_handler(nullptr);
        report_failures_by_default();
        HEAPWRIGHT_CHECK(false, "by default");
    });
    CHECK(test::said(plain, "heapwright: by default (false) at "));
    CHECK(kFailuresAreReported);
}

}  // namespace heapwright::os
