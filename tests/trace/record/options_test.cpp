// The one environment variable, and the file names that follow from it.
#include <heapwright/trace/record/options.hpp>

#include <memory>
#include <string>

#include <unistd.h>

#include <doctest/doctest.h>

using namespace heapwright;
using namespace heapwright::trace;
using record::Options;

namespace {

std::string path_of(const Options& options, std::uint32_t pid, unsigned attempt) {
    Text<record::kPathBytesMax> path;
    options.append_path(path, pid, attempt);
    return std::string(path.view());
}

}  // namespace

TEST_CASE("every option is read, in any order") {
    const auto options = std::make_unique<Options>();
    CHECK(
        options->parse("depth=12,out=/t/a.hwtrace,first=77,stack=frames,sample=4096,max_size=1000000,duration_ms=250,"
                       "mappings=1,children=0,fallback=/t/f"));
    CHECK(std::string(options->out) == "/t/a.hwtrace");
    CHECK(std::string(options->fallback) == "/t/f");
    CHECK(options->first_pid == 77);
    CHECK(options->stack == stack::StackMode::frames);
    CHECK(options->depth == 12);
    CHECK(options->sample_interval_bytes == 4096);
    CHECK(options->max_file_bytes == 1'000'000);
    CHECK(options->duration_ns == 250'000'000);
    CHECK(options->mappings);
    CHECK(!options->children);
}

TEST_CASE("what is not said keeps its default") {
    const auto options = std::make_unique<Options>();
    CHECK(options->parse(""));
    CHECK(std::string(options->out) == "heapwright.%p.hwtrace");
    CHECK(options->stack == stack::StackMode::full);
    CHECK(options->depth == record::kDefaultDepth);
    CHECK(options->children);
    CHECK(options->parse("depth=0"));
    CHECK(options->depth == record::kDefaultDepth);
}

TEST_CASE("what makes no sense is reported, and the rest is taken all the same") {
    for (const char* text : {"nonsense", "unknown=1", "depth=many", "stack=deep", "children=maybe", "sample=-1", "out="}) {
        const auto options = std::make_unique<Options>();
        CHECK_MESSAGE(!options->parse(std::string(text) + ",first=5"), text);
        CHECK(options->first_pid == 5);
    }
    const auto options = std::make_unique<Options>();
    CHECK(!options->parse("out=" + std::string(record::kPathBytesMax, 'x')));
}

TEST_CASE("the first process gets the plain name, every other one a name of its own") {
    const auto options = std::make_unique<Options>();
    REQUIRE(options->parse("out=/t/a.b/trace.hwtrace,first=10"));
    CHECK(path_of(*options, 10, 1) == "/t/a.b/trace.hwtrace");
    CHECK(path_of(*options, 10, 2) == "/t/a.b/trace.10-2.hwtrace");
    CHECK(path_of(*options, 11, 1) == "/t/a.b/trace.11.hwtrace");
    CHECK(path_of(*options, 11, 3) == "/t/a.b/trace.11-3.hwtrace");
}

TEST_CASE("a name without an extension, and one that asks for the process number") {
    const auto options = std::make_unique<Options>();
    REQUIRE(options->parse("out=/t/a.b/trace"));
    CHECK(path_of(*options, 11, 1) == "/t/a.b/trace.11");
    REQUIRE(options->parse("out=/t/%p/x.hwtrace,first=11"));
    CHECK(path_of(*options, 11, 1) == "/t/11/x.hwtrace");
    CHECK(path_of(*options, 11, 2) == "/t/11-2/x.hwtrace");
}

TEST_CASE("the fallback folder takes the file's own name") {
    const auto options = std::make_unique<Options>();
    REQUIRE(options->parse("out=/home/a.hwtrace,first=11,fallback=/tmp/everybody"));
    Text<record::kPathBytesMax> path;
    options->append_fallback_path(path, 11, 1);
    CHECK(path.view() == "/tmp/everybody/a.11.hwtrace");
}

TEST_CASE("relative names are made absolute") {
    const auto options = std::make_unique<Options>();
    REQUIRE(options->parse("out=a.hwtrace,fallback=f"));
    options->make_absolute();
    char folder[4096];
    REQUIRE(::getcwd(folder, sizeof folder) != nullptr);
    CHECK(std::string(options->out) == std::string(folder) + "/a.hwtrace");
    CHECK(std::string(options->fallback) == std::string(folder) + "/f");
}
