// A trial of replay as a memory.toml: what is written reads back as what was tried.
#include <apps/cli/candidate.hpp>

#include <string>

#include <doctest/doctest.h>

namespace heapwright::test {
namespace {

using cli::candidate_of_trial;

config::ConfigFile read_back(const cli::Candidate& candidate) {
    const config::ConfigReading reading = config::check_config(cli::candidate_text(candidate, {"a remark", "another\none"}));
    CHECK(reading.mistakes.empty());
    return reading.file;
}

}  // namespace

TEST_CASE("settings of our own heap become keys of [heap]") {
    const auto candidate = candidate_of_trial("heapwright:purge_delay=0,huge_pages=always,background=false,limit=4096");
    REQUIRE(candidate.has_value());
    const HeapConfig& heap = candidate->file.memory.heap;
    CHECK(heap.purge_delay_ns == 0);
    CHECK(heap.huge_pages == HugePageWish::always);
    CHECK_FALSE(heap.background);
    CHECK(heap.limit_bytes == 4096);
    CHECK(read_back(*candidate) == candidate->file);
}

TEST_CASE("settings of another allocator become its list of settings") {
    const auto candidate = candidate_of_trial("jemalloc:narenas=2,dirty_decay_ms=0");
    REQUIRE(candidate.has_value());
    CHECK(candidate->file.memory.allocator.strategy == MallocStrategy::jemalloc);
    CHECK(candidate->file.memory.allocator.settings.view() == "narenas=2,dirty_decay_ms=0");
    CHECK(read_back(*candidate) == candidate->file);
}

TEST_CASE("what no memory.toml can say is no candidate") {
    CHECK_FALSE(candidate_of_trial("/usr/lib/libother.so").has_value());
    CHECK_FALSE(candidate_of_trial("ourmalloc").has_value());
    CHECK_FALSE(candidate_of_trial("heapwright:colour=red").has_value());
    CHECK_FALSE(candidate_of_trial("heapwright:purge_delay=soon").has_value());
}

TEST_CASE("a file for our own heap as it is names it all the same, and remarks are comments whatever they hold") {
    const auto candidate = candidate_of_trial("heapwright");
    REQUIRE(candidate.has_value());
    const std::string text = cli::candidate_text(*candidate, {"one", std::string(300, 'x') + " y", "with\nbreak"});
    CHECK(text.find("strategy = \"heapwright\"") != std::string::npos);
    CHECK(text.find("# with?break\n") != std::string::npos);
    CHECK(read_back(*candidate) == candidate->file);
}

TEST_CASE("a file that changes nothing says so") {
    cli::Candidate plain{.label = "plain", .file = {}};
    plain.file.memory.allocator.enable_custom_allocator = false;
    CHECK(plain.changes_nothing());
    CHECK_FALSE(read_back(plain).memory.allocator.enable_custom_allocator);
}

}  // namespace heapwright::test
