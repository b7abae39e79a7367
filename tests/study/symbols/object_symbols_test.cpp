#include <heapwright/study/symbols/object_symbols.hpp>

#include <doctest/doctest.h>

#include <heapwright/study/symbols/debug_files.hpp>

#include <tests/study/symbols/fixture.hpp>

namespace heapwright::study {
namespace {

using test::Library;
using test::TemporaryFolder;

TEST_CASE("a file tells whether it is the recorded one") {
    const Library fixture(HEAPWRIGHT_FIXTURE);
    const std::vector<std::uint8_t> recorded = fixture.module().build_id;
    std::vector<std::uint8_t> other = recorded;
    other.back() ^= 0xffU;
    CHECK(ObjectSymbols(fixture.path(), recorded, {}).state() == ObjectSymbols::State::ready);
    CHECK(ObjectSymbols(fixture.path(), {}, {}).state() == ObjectSymbols::State::ready);
    CHECK(ObjectSymbols(fixture.path(), other, {}).state() == ObjectSymbols::State::changed);
    CHECK(ObjectSymbols("/nowhere", recorded, {}).state() == ObjectSymbols::State::missing);
    CHECK(ObjectSymbols(HEAPWRIGHT_FIXTURE_SOURCE, recorded, {}).state() == ObjectSymbols::State::not_an_elf);
    CHECK(ObjectSymbols(fixture.path(), other, {}).present_build_id() == hex_of(recorded));
}

TEST_CASE("without lines only the symbol table is read") {
    const Library fixture(HEAPWRIGHT_FIXTURE);
    ObjectSymbols symbols(fixture.path(), {}, {.debug_roots = {}, .debuginfod = false, .lines = false});
    const auto frames = symbols.frames_at(fixture.call("fixture_inlined") - 1 - fixture.bias());
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].function == "fixture::hidden(std::vector<int> const&)");
    CHECK(frames[0].line == 0);
    CHECK(frames[0].offset > 0);
}

TEST_CASE("an address outside of every function is named by itself") {
    const Library fixture(HEAPWRIGHT_FIXTURE);
    ObjectSymbols symbols(fixture.path(), {}, {});
    const auto frames = symbols.frames_at(0x10);
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].function == "0x10");
    CHECK(frames[0].module == std::filesystem::path(fixture.path()).filename().string());
}

TEST_CASE("debug files are looked for below every root, by build-id") {
    const TemporaryFolder folder;
    std::filesystem::create_directories(folder / "two/.build-id/ab");
    std::ofstream(folder / "two/.build-id/ab/cdef.debug") << "x";
    const SymbolSources sources{.debug_roots = {folder / "one", folder / "two"}};
    CHECK(debug_file_of({0xab, 0xcd, 0xef}, sources) == folder / "two/.build-id/ab/cdef.debug");
    CHECK(debug_file_of({0xab, 0xcd, 0xee}, sources).empty());
    CHECK(debug_file_of({0xab}, sources).empty());
    CHECK(debug_file_of({}, sources).empty());
    CHECK(hex_of({0x00, 0xff, 0x0a}) == "00ff0a");
}

}  // namespace
}  // namespace heapwright::study
