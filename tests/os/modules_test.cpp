// Loaded modules: each is found by its code, by either way, with the same build id.
#include <heapwright/os/modules.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <doctest/doctest.h>

namespace heapwright::os {
namespace {

struct Seen {
    std::uintptr_t begin;
    std::uintptr_t end;
    std::uintptr_t bias;
    std::vector<std::uint8_t> build_id;
    std::string file;
};

Seen copy_of(const LoadedModule& module) {
    return {module.begin, module.end, module.bias, {module.build_id.begin(), module.build_id.end()}, std::string(module.file)};
}

std::vector<Seen> all_modules() {
    std::vector<Seen> seen;
    auto look = [&](const LoadedModule& module) { seen.push_back(copy_of(module)); };
    for_each_module(look);
    return seen;
}

std::uintptr_t some_code() { return reinterpret_cast<std::uintptr_t>(&some_code); }

TEST_CASE("the program comes first, then its libraries, none on top of another") {
    const std::vector<Seen> seen = all_modules();
    REQUIRE(seen.size() >= 2);
    CHECK(seen[0].begin <= some_code());
    CHECK(some_code() < seen[0].end);
    CHECK(std::any_of(seen.begin(), seen.end(), [](const Seen& module) { return file_name_of(module.file) == "libc.so.6"; }));
    std::vector<std::pair<std::uintptr_t, std::uintptr_t>> ranges;
    for (const Seen& module : seen) {
        ranges.emplace_back(module.begin, module.end);
    }
    std::sort(ranges.begin(), ranges.end());
    for (std::size_t i = 1; i < ranges.size(); ++i) {
        CHECK(ranges[i - 1].second <= ranges[i].first);
    }
}

TEST_CASE("a module is found by an address in it, and nothing by an address in none") {
    ModuleFinder finder;
    LoadedModule module;
    CHECK_FALSE(finder.find(some_code(), module));  // not open
    finder.open();
    for (const Seen& seen : all_modules()) {
        if (seen.file.find("vdso") != std::string::npos) {
            continue;  // the loader does not count it among its files
        }
        // A page behind the header: some segment of it.
        REQUIRE(finder.find(seen.begin + 64, module));
        const Seen found = copy_of(module);
        CHECK(found.begin == seen.begin);
        CHECK(found.end == seen.end);
        CHECK(found.bias == seen.bias);
        CHECK(found.build_id == seen.build_id);
    }
    int local = 0;
    CHECK_FALSE(finder.find(reinterpret_cast<std::uintptr_t>(&local), module));
    CHECK_FALSE(finder.find(0, module));
}

TEST_CASE("the file name is the last part of a path") {
    CHECK(file_name_of("/usr/lib/libc.so.6") == "libc.so.6");
    CHECK(file_name_of("program") == "program");
    CHECK(file_name_of("").empty());
    CHECK(file_name_of("folder/").empty());
}

}  // namespace
}  // namespace heapwright::os
