#include <heapwright/study/symbols/debug_units.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <elfutils/libdwfl.h>

#include <heapwright/study/symbols/function_table.hpp>

#include <tests/study/symbols/fixture.hpp>

namespace heapwright::study {
namespace {

using test::Library;
using test::line_of;

/// The fixture's DWARF, read without any of the layers above.
class FixtureDwarf {
public:
    FixtureDwarf() : fd_(open(HEAPWRIGHT_FIXTURE, O_RDONLY | O_CLOEXEC)), dwarf_(dwarf_begin(fd_, DWARF_C_READ)) {
        REQUIRE(dwarf_ != nullptr);
    }
    ~FixtureDwarf() {
        dwarf_end(dwarf_);
        close(fd_);
    }
    FixtureDwarf(const FixtureDwarf&) = delete;
    FixtureDwarf& operator=(const FixtureDwarf&) = delete;
    Dwarf* get() { return dwarf_; }

private:
    int fd_;
    Dwarf* dwarf_;
};

TEST_CASE("the scopes of an address go from the innermost inlined function to the one that was called") {
    const Library fixture(HEAPWRIGHT_FIXTURE);
    FixtureDwarf dwarf;
    DebugUnits units(dwarf.get());
    const auto scopes = units.scopes_at(fixture.call("fixture_inlined") - 1 - fixture.bias());
    REQUIRE(scopes.size() == 3);
    CHECK(scopes[0].inlined);
    CHECK(scopes[1].inlined);
    CHECK_FALSE(scopes[2].inlined);
    CHECK(scopes[0].line == line_of("innermost"));
    CHECK(scopes[1].line == line_of("middle"));
    CHECK(scopes[2].line == line_of("hidden"));
    CHECK(scopes[0].symbol == "_ZNK7fixture5Shape9innermostEv");
    CHECK(scopes[0].complete);
#if defined(__clang__)
    CHECK(scopes[2].complete);  // clang writes linkage names for static functions too
#else
    CHECK(scopes[2].symbol == "fixture::hidden");  // static: no linkage name
    CHECK_FALSE(scopes[2].complete);
#endif
    CHECK(units.broken_invariant() == nullptr);
}

TEST_CASE("addresses that no debug information covers have no scope") {
    FixtureDwarf dwarf;
    DebugUnits units(dwarf.get());
    CHECK(units.scopes_at(0).empty());
    CHECK(units.scopes_at(0x7fff'ffff'0000).empty());
    CHECK(units.broken_invariant() == nullptr);
}

TEST_CASE("the function table finds symbols by any address inside of them, and starts where symbols end") {
    const Library fixture(HEAPWRIGHT_FIXTURE);
    Dwfl_Callbacks callbacks{};
    callbacks.find_elf = dwfl_build_id_find_elf;
    callbacks.find_debuginfo = dwfl_build_id_find_debuginfo;
    Dwfl* dwfl = dwfl_begin(&callbacks);
    REQUIRE(dwfl != nullptr);
    dwfl_report_begin(dwfl);
    Dwfl_Module* module = dwfl_report_elf(dwfl, "fixture", HEAPWRIGHT_FIXTURE, -1, 0, true);
    dwfl_report_end(dwfl, nullptr, nullptr);
    REQUIRE(module != nullptr);
    GElf_Addr bias = 0;
    REQUIRE(dwfl_module_getelf(module, &bias) != nullptr);
    {
        const FunctionTable table(module);
        CHECK(table.broken_invariant() == nullptr);
        const std::uint64_t begin = fixture.address_of("fixture_inlined") - fixture.bias() + bias;
        for (const std::uint64_t at : {begin, begin + 1, begin + 7}) {
            const FunctionTable::Hit hit = table.find(at);
            CHECK(hit.symbol == "fixture_inlined");
            CHECK(hit.begin == begin);
        }
        CHECK(table.find(1).begin == 0);
        CHECK(table.find(1).symbol.empty());
    }
    dwfl_end(dwfl);
}

}  // namespace
}  // namespace heapwright::study
