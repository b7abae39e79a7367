// Use cases as people write them.
#include <apps/cli/use_case.hpp>

#include <doctest/doctest.h>

namespace heapwright::test {

using cli::UseCase;

TEST_CASE("every use case by name can run on a machine of 4 GiB") {
    for (const UseCase& one : cli::use_cases()) {
        CAPTURE(one.name);
        CHECK(cli::find_use_case(one.name) == &one);
        CHECK(cli::problem_of(one, std::uint64_t{4} << 30).empty());
    }
    CHECK(cli::find_use_case("nothing") == nullptr);
}

TEST_CASE("sizes are one number or two") {
    UseCase told;
    CHECK(cli::set_sizes(told, "48").empty());
    CHECK((told.least_bytes == 48 && told.most_bytes == 48));
    CHECK(cli::set_sizes(told, "64B..8KiB").empty());
    CHECK((told.least_bytes == 64 && told.most_bytes == 8192));
    for (const char* text : {"", "7", "100..50", "16..", "..16", "a..b", "16..2TiB"}) {
        CAPTURE(text);
        const std::string problem = cli::set_sizes(told, text);
        CHECK(problem.contains("are no sizes"));
        CHECK((told.least_bytes == 64 && told.most_bytes == 8192));
    }
}

TEST_CASE("what cannot run is told with what may be") {
    const auto problem_with = [](auto change) {
        UseCase told;
        change(told);
        return cli::problem_of(told, std::uint64_t{3} << 30);
    };
    CHECK(problem_with([](UseCase&) {}).empty());
    CHECK(problem_with([](UseCase& told) { told.threads = 0; }).contains("--threads"));
    CHECK(problem_with([](UseCase& told) { told.threads = 1025; }).contains("1024"));
    CHECK(problem_with([](UseCase& told) { told.operations = 0; }).contains("--operations"));
    CHECK(problem_with([](UseCase& told) { told.order = "sorted"; }).contains("'sorted' is no order"));
    CHECK(problem_with([](UseCase& told) { told.brief_percent = 101; }).contains("--brief"));
    CHECK(problem_with([](UseCase& told) { told.handed_over_percent = 101; }).contains("--handed-over"));
    CHECK(problem_with([](UseCase& told) { told.live_bytes = std::uint64_t{1} << 30; }).empty());
    CHECK(problem_with([](UseCase& told) { told.live_bytes = (std::uint64_t{1} << 30) + 1; }).contains("third of this machine's memory"));
}

}  // namespace heapwright::test
