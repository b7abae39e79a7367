// When two runs of a program said the same.
#include <apps/cli/output_facts.hpp>

#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

#include <doctest/doctest.h>

namespace heapwright::test {
namespace {

using cli::OutputFacts;
using cli::Sameness;

OutputFacts facts_of(const std::string& text) {
    const auto path = std::filesystem::temp_directory_path() / ("heapwright-output-" + std::to_string(getpid()));
    std::ofstream{path, std::ios::binary} << text;
    const OutputFacts facts = cli::output_facts_of(path.string());
    std::filesystem::remove(path);
    return facts;
}

}  // namespace

TEST_CASE("equal outputs have equal facts, others have not") {
    CHECK(facts_of("hello\n") == facts_of("hello\n"));
    CHECK_FALSE(facts_of("hello\n") == facts_of("hallo\n"));
    CHECK(facts_of("hello").bytes == 5);
    CHECK(cli::output_facts_of("/no/such/file") == facts_of(""));
}

TEST_CASE("numbers do not count in the rough form, other letters do") {
    const auto rough = [](const char* text) { return facts_of(text).rough; };
    CHECK(rough("took 12.5 ms at 0x7ffe12ab") == rough("took 3 ms at 0x55aa"));
    CHECK(rough("took 12 ms") != rough("took 12 s"));
    CHECK(rough("12 34") != rough("1234"));
}

TEST_CASE("a long output is read whole") {
    const std::string many(200'000, 'a');
    CHECK(facts_of(many + "b").exact != facts_of(many + "c").exact);
    CHECK(facts_of(many).bytes == many.size());
}

TEST_CASE("outputs are compared as closely as the plain program's own agree") {
    const OutputFacts first{.bytes = 1, .exact = 1, .rough = 10};
    const OutputFacts second{.bytes = 1, .exact = 2, .rough = 10};
    const OutputFacts other{.bytes = 1, .exact = 3, .rough = 30};
    CHECK(cli::compare_outputs({first, first}, {first, first}) == Sameness::same);
    CHECK(cli::compare_outputs({first, first}, {first, second}) == Sameness::differs);
    CHECK(cli::compare_outputs({first, second}, {second}) == Sameness::same_but_numbers);
    CHECK(cli::compare_outputs({first, second}, {other}) == Sameness::differs);
    CHECK(cli::compare_outputs({first, other}, {second}) == Sameness::varies_by_itself);
}

TEST_CASE("what was cut off by us is no other output") {
    const OutputFacts whole{.bytes = 9, .exact = 1, .rough = 10};
    OutputFacts part{.bytes = 3, .exact = 2, .rough = 20, .cut_off = true};
    CHECK(cli::compare_outputs({whole, whole}, {part}) == Sameness::cut_off);
    CHECK(cli::compare_outputs({part, part}, {whole}) == Sameness::cut_off);
    CHECK(cli::compare_outputs({part, whole}, {part}) == Sameness::cut_off);
    CHECK(cli::compare_outputs({part, part}, {part}) == Sameness::same);
    part.cut_off = false;
    CHECK(cli::compare_outputs({whole, whole}, {part}) == Sameness::differs);
}

}  // namespace heapwright::test
