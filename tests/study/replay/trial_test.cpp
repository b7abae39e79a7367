#include <heapwright/study/replay/trial.hpp>

#include <algorithm>

#include <doctest/doctest.h>

namespace heapwright::test {

using study::parse_trial;
using study::parse_trials;
using study::TrialSpec;

std::string value_in(const TrialSpec& spec, const std::string& variable) {
    for (const auto& [name, value] : spec.environment) {
        if (name == variable) {
            return value;
        }
    }
    return {};
}

TEST_CASE("glibc is the C library's own: nothing is preloaded") {
    const TrialSpec spec = parse_trial("glibc");
    CHECK(spec.problem.empty());
    CHECK(spec.preload.empty());
    CHECK(spec.environment.empty());
}

TEST_CASE("settings become the variables that the allocator reads") {
    const TrialSpec spec = parse_trial("glibc:arena_max=2,mmap_threshold=64K,tcache_count=0,tcache_max=1032");
    CHECK(spec.problem.empty());
    CHECK(value_in(spec, "MALLOC_ARENA_MAX") == "2");
    CHECK(value_in(spec, "MALLOC_MMAP_THRESHOLD_") == "65536");
    CHECK(value_in(spec, "GLIBC_TUNABLES") == "glibc.malloc.tcache_count=0:glibc.malloc.tcache_max=1032");
    CHECK(how_to_apply(parse_trial("glibc:arena_max=2")) == "MALLOC_ARENA_MAX=2");
}

TEST_CASE("an unknown setting is refused with the nearest one that is known") {
    const TrialSpec spec = parse_trial("glibc:arena_mx=2");
    CHECK(spec.problem.find("did you mean 'arena_max'?") != std::string::npos);
    CHECK(parse_trial("glibc:arena_max=two").problem.find("is no value for arena_max") != std::string::npos);
    CHECK(parse_trial("glibc:arena_max").problem.find("is no value for arena_max") != std::string::npos);
}

TEST_CASE("an unknown allocator is refused with those that are known") {
    const TrialSpec spec = parse_trial("mimaloc");
    CHECK(spec.problem.find("did you mean 'mimalloc'?") != std::string::npos);
    CHECK(parse_trial("zzz").problem.find("known are glibc") != std::string::npos);
    CHECK(!parse_trial("").problem.empty());
}

TEST_CASE("a path that does not exist is refused, one that does is preloaded with its variables") {
    CHECK(parse_trial("/nowhere/lib.so").problem.find("no such file") != std::string::npos);
    const TrialSpec spec = parse_trial("/proc/self/exe:FOO=1,BAR=x");
    CHECK(spec.problem.empty());
    CHECK(spec.preload == "/proc/self/exe");
    CHECK(value_in(spec, "FOO") == "1");
    CHECK(value_in(spec, "BAR") == "x");
    CHECK(parse_trial("/proc/self/exe:FOO").problem.find("sets nothing") != std::string::npos);
}

TEST_CASE("a list is split at commas that do not belong to settings") {
    const auto specs = parse_trials("glibc,glibc:arena_max=2,trim_threshold=1M,jemalloc:narenas=2,dirty_decay_ms=0,glibc");
    REQUIRE(specs.size() == 4);
    CHECK(specs[1].label == "glibc:arena_max=2,trim_threshold=1M");
    CHECK(value_in(specs[1], "MALLOC_TRIM_THRESHOLD_") == "1048576");
    CHECK(specs[2].label == "jemalloc:narenas=2,dirty_decay_ms=0");
    CHECK(specs[3].label == "glibc");
    CHECK(parse_trials("").empty());
}

TEST_CASE("settings of one variable are joined in the allocator's own grammar") {
    const TrialSpec spec = parse_trial("jemalloc:narenas=2,background_thread=true");
    if (spec.preload.empty()) {
        return;  // not installed: the sentence says how to get it
    }
    CHECK(value_in(spec, "MALLOC_CONF") == "narenas:2,background_thread:true");
}

TEST_CASE("heapwright's own malloc is found beside this program, and its settings go to its variable") {
    const auto names = study::installed_allocators();
    const bool is_built = std::find(names.begin(), names.end(), "heapwright") != names.end();
    const TrialSpec spec = parse_trial("heapwright:purge_delay=250ms,limit=1G");
    CHECK(spec.allocator == "heapwright");
    CHECK(spec.problem.empty() == is_built);  // a sanitizer's build has no preload libraries
    if (!is_built) {
        CHECK(spec.problem.find("libheapwright.so is not installed; build it first, or give its path") != std::string::npos);
        return;
    }
    CHECK(spec.preload.ends_with("/libheapwright.so"));
    CHECK(value_in(spec, "HEAPWRIGHT_CONF") == "purge_delay:250ms,limit:1073741824");
    CHECK(parse_trial("heapwright:purge_dely=1s").problem.find("did you mean 'purge_delay'?") != std::string::npos);
}

TEST_CASE("glibc is always among the installed allocators") {
    const auto names = study::installed_allocators();
    CHECK(names.front() == "glibc");
}

TEST_CASE("variables of allocators are recognised, others are left alone") {
    for (const char* name :
         {"LD_PRELOAD", "GLIBC_TUNABLES", "MALLOC_ARENA_MAX", "MALLOC_CONF", "MIMALLOC_PURGE_DELAY", "TCMALLOC_RELEASE_RATE"}) {
        CHECK(study::is_allocator_variable(name));
    }
    CHECK(!study::is_allocator_variable("PATH"));
    CHECK(!study::is_allocator_variable("LD_LIBRARY_PATH"));
}

}  // namespace heapwright::test
