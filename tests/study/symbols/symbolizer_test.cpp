#include <heapwright/study/symbols/symbolizer.hpp>

#include <cstdio>
#include <string>

#include <doctest/doctest.h>

#include <tests/study/symbols/fixture.hpp>

namespace heapwright::study {
namespace {

using test::Library;
using test::line_of;
using test::run;
using test::TemporaryFolder;

std::vector<Frame> frames_of(Symbolizer& symbolizer, const LoadedModule& module, std::uint64_t return_address) {
    const ModuleListId list = symbolizer.add_modules({module});
    std::vector<Frame> frames;
    for (const FrameId id : symbolizer.resolve(list, return_address)) {
        frames.push_back(symbolizer.frames()[id]);
    }
    CHECK(symbolizer.broken_invariant() == nullptr);
    return frames;
}

void check_inlined_chain(const std::vector<Frame>& frames) {
    REQUIRE(frames.size() == 3);
    CHECK(frames[0].function == "fixture::Shape::innermost() const");
    CHECK(frames[0].inlined);
    CHECK(frames[0].line == line_of("innermost"));
    CHECK(frames[1].function == "void* fixture::middle<std::vector<int>>(std::vector<int> const&)");
    CHECK(frames[1].inlined);
    CHECK(frames[1].line == line_of("middle"));
    CHECK(frames[2].function == "fixture::hidden(std::vector<int> const&)");
    CHECK_FALSE(frames[2].inlined);
    CHECK(frames[2].line == line_of("hidden"));
    for (const Frame& frame : frames) {
        CHECK(frame.file == HEAPWRIGHT_FIXTURE_SOURCE);
        CHECK_FALSE(frame.runtime);
        CHECK(frame.offset == 0);
    }
}

// A copy of the fixture without its debug information, which goes to `debug`.
void split_debug(const std::string& original, const std::string& stripped, const std::string& debug,
                 const char* strip_option = "--strip-all") {
    run("objcopy --only-keep-debug '" + original + "' '" + debug + "'");
    run("objcopy " + std::string(strip_option) + " '" + original + "' '" + stripped + "'");
}

TEST_CASE("inlined functions are frames of their own, each with its line") {
    const Library fixture(HEAPWRIGHT_FIXTURE);
    Symbolizer symbolizer;
    const std::vector<Frame> frames = frames_of(symbolizer, fixture.module(), fixture.call("fixture_inlined"));
    check_inlined_chain(frames);
    CHECK(frames[0].module == std::filesystem::path(HEAPWRIGHT_FIXTURE).filename().string());
    CHECK(symbolizer.complaints().empty());
}

TEST_CASE("a function inside of a function and a lambda are found") {
    const Library fixture(HEAPWRIGHT_FIXTURE);
    Symbolizer symbolizer;
    const std::vector<Frame> local = frames_of(symbolizer, fixture.module(), fixture.call("fixture_nested"));
    REQUIRE(local.size() == 1);
    CHECK(local[0].function == "fixture::nested()::Local::call()");
    CHECK(local[0].line == line_of("local"));
    const std::vector<Frame> lambda = frames_of(symbolizer, fixture.module(), fixture.call("fixture_lambda"));
    REQUIRE(!lambda.empty());
    CHECK(lambda[0].function.find("lambda") != std::string::npos);
    CHECK(lambda[0].line == line_of("lambda"));
    CHECK_FALSE(lambda[0].runtime);
}

TEST_CASE("what is inlined from an unnamed namespace is named with its namespaces and classes") {
    const Library fixture(HEAPWRIGHT_FIXTURE);
    Symbolizer symbolizer;
    const std::vector<Frame> frames = frames_of(symbolizer, fixture.module(), fixture.call("fixture_unnamed"));
    REQUIRE(frames.size() == 3);
    // Not compared to the end: clang writes linkage names here, and with them parameters.
    CHECK(frames[0].function.find("fixture::(anonymous namespace)::Helper::method") == 0);
    CHECK(frames[0].line == line_of("method"));
    CHECK(frames[1].function.find("fixture::(anonymous namespace)::unnamed<std::vector<int>>") != std::string::npos);
    CHECK(frames[1].line == line_of("unnamed"));
    CHECK(frames[2].function == "fixture_unnamed");
}

TEST_CASE("an address is resolved once and gives the same frames again") {
    const Library fixture(HEAPWRIGHT_FIXTURE);
    Symbolizer symbolizer;
    const ModuleListId list = symbolizer.add_modules({fixture.module()});
    const ModuleListId later = symbolizer.add_modules({fixture.module()});
    const std::uint64_t address = fixture.call("fixture_inlined");
    const auto first = symbolizer.resolve(list, address);
    const std::size_t frames = symbolizer.frames().all().size();
    const auto second = symbolizer.resolve(later, address);
    CHECK(first.data() == second.data());
    CHECK(symbolizer.frames().all().size() == frames);
}

TEST_CASE("a stripped library is named by its debug file under the build-id") {
    const Library fixture(HEAPWRIGHT_FIXTURE);
    const TemporaryFolder folder;
    split_debug(fixture.path(), folder / "stripped.so", folder / "plain.debug");
    const LoadedModule module = fixture.module(folder / "stripped.so");
    const std::string hex = hex_of(module.build_id);
    REQUIRE(hex.size() > 2);
    const std::string target = folder / ("root/.build-id/" + hex.substr(0, 2) + "/" + hex.substr(2) + ".debug");
    std::filesystem::create_directories(std::filesystem::path(target).parent_path());
    std::filesystem::rename(folder / "plain.debug", target);

    SUBCASE("beside the stripped file") {
        Symbolizer symbolizer({.debug_roots = {folder / "root"}});
        check_inlined_chain(frames_of(symbolizer, module, fixture.call("fixture_inlined")));
    }
    SUBCASE("even when the library itself is gone") {
        Symbolizer symbolizer({.debug_roots = {folder / "root"}});
        check_inlined_chain(frames_of(symbolizer, fixture.module("/nowhere/stripped.so"), fixture.call("fixture_inlined")));
        CHECK(symbolizer.complaints().empty());
    }
}

TEST_CASE("a stripped library is named by its .gnu_debuglink") {
    const Library fixture(HEAPWRIGHT_FIXTURE);
    const TemporaryFolder folder;
    split_debug(fixture.path(), folder / "stripped.so", folder / "stripped.debug");
    run("cd '" + folder.path() + "' && objcopy --add-gnu-debuglink=stripped.debug stripped.so");
    Symbolizer symbolizer({.debug_roots = {}});
    SUBCASE("in the same folder") {
        check_inlined_chain(frames_of(symbolizer, fixture.module(folder / "stripped.so"), fixture.call("fixture_inlined")));
    }
    SUBCASE("in .debug") {
        std::filesystem::create_directory(folder / ".debug");
        std::filesystem::rename(folder / "stripped.debug", folder / ".debug/stripped.debug");
        check_inlined_chain(frames_of(symbolizer, fixture.module(folder / "stripped.so"), fixture.call("fixture_inlined")));
    }
}

TEST_CASE("a debug file of another build is not used") {
    const Library fixture(HEAPWRIGHT_FIXTURE);
    const TemporaryFolder folder;
    split_debug(fixture.path(), folder / "stripped.so", folder / "stripped.debug");
    run("cd '" + folder.path() + "' && objcopy --add-gnu-debuglink=stripped.debug stripped.so");
    run("objcopy --only-keep-debug /bin/true '" + (folder / "stripped.debug") + "'");
    Symbolizer symbolizer({.debug_roots = {}});
    const std::vector<Frame> frames = frames_of(symbolizer, fixture.module(folder / "stripped.so"), fixture.call("fixture_inlined"));
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].line == 0);
}

TEST_CASE("without debug information the symbol table names the function and tells the offset") {
    const Library fixture(HEAPWRIGHT_FIXTURE);
    const TemporaryFolder folder;
    split_debug(fixture.path(), folder / "stripped.so", folder / "unused", "--strip-debug");
    Symbolizer symbolizer({.debug_roots = {}});
    const std::vector<Frame> frames = frames_of(symbolizer, fixture.module(folder / "stripped.so"), fixture.call("fixture_inlined"));
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].function == "fixture::hidden(std::vector<int> const&)");
    CHECK(frames[0].file.empty());
    CHECK(frames[0].offset > 0);
}

TEST_CASE("a function without any symbol is named by where it starts") {
    const Library fixture(HEAPWRIGHT_FIXTURE);
    const TemporaryFolder folder;
    split_debug(fixture.path(), folder / "stripped.so", folder / "unused");
    Symbolizer symbolizer({.debug_roots = {}});
    const std::uint64_t address = fixture.call("fixture_inlined");
    const std::vector<Frame> frames = frames_of(symbolizer, fixture.module(folder / "stripped.so"), address);
    REQUIRE(frames.size() == 1);
    REQUIRE(frames[0].function.starts_with("0x"));
    CHECK(std::stoull(frames[0].function, nullptr, 16) + frames[0].offset == address - 1 - fixture.bias());
    CHECK(frames[0].offset > 0);

    const std::vector<Frame> exported =
        frames_of(symbolizer, fixture.module(folder / "stripped.so"), fixture.address_of("fixture_here") + 2);
    CHECK(exported[0].function == "fixture_here");
}

TEST_CASE("the small symbol table that Fedora packs into .gnu_debugdata is read") {
    const Library fixture(HEAPWRIGHT_FIXTURE);
    const TemporaryFolder folder;
    split_debug(fixture.path(), folder / "stripped.so", folder / "unused");
    run("objcopy --strip-debug '" + fixture.path() + "' '" + (folder / "mini") + "'");
    run("objcopy --only-keep-debug '" + (folder / "mini") + "' '" + (folder / "mini.debug") + "' && xz -k '" + (folder / "mini.debug") +
        "'");
    run("objcopy --add-section .gnu_debugdata='" + (folder / "mini.debug.xz") + "' '" + (folder / "stripped.so") + "'");
    Symbolizer symbolizer({.debug_roots = {}});
    const std::vector<Frame> frames = frames_of(symbolizer, fixture.module(folder / "stripped.so"), fixture.call("fixture_inlined"));
    REQUIRE(frames.size() == 1);
    CHECK(frames[0].function == "fixture::hidden(std::vector<int> const&)");
}

TEST_CASE("a file that was rebuilt since the recording is noticed and not used") {
    const Library fixture(HEAPWRIGHT_FIXTURE);
    LoadedModule module = fixture.module();
    REQUIRE(!module.build_id.empty());
    module.build_id[0] ^= 1U;
    Symbolizer symbolizer;
    const std::uint64_t address = fixture.call("fixture_inlined");
    const std::vector<Frame> frames = frames_of(symbolizer, module, address);
    REQUIRE(frames.size() == 1);
    CHECK(std::stoull(frames[0].function, nullptr, 16) == address - 1 - fixture.bias());
    REQUIRE(symbolizer.complaints().size() == 1);
    CHECK(symbolizer.complaints()[0].find("has changed since the recording") != std::string::npos);
    CHECK(symbolizer.complaints()[0].find(hex_of(module.build_id)) != std::string::npos);
}

TEST_CASE("a missing file and a file that is no ELF file are said once each") {
    const TemporaryFolder folder;
    std::ofstream(folder / "text") << "no program\n";
    std::ofstream(folder / "torn") << "\177ELF\2\1\1";
    Symbolizer symbolizer;
    const auto list = symbolizer.add_modules({{"/nowhere/lib.so", {}, 0x1000, {{0x1000, 0x2000}}},
                                              {folder / "text", {}, 0x2000, {{0x2000, 0x3000}}},
                                              {folder / "torn", {}, 0x3000, {{0x3000, 0x4000}}},
                                              {"[vdso]", {}, 0x4000, {{0x4000, 0x5000}}}});
    for (const std::uint64_t address : {0x1101U, 0x1201U, 0x2101U, 0x3101U, 0x4101U}) {
        const auto ids = symbolizer.resolve(list, address);
        REQUIRE(ids.size() == 1);
        CHECK(symbolizer.frames()[ids[0]].function == (address == 0x1201U ? "0x200" : "0x100"));
    }
    CHECK(symbolizer.complaints().size() == 3);
}

TEST_CASE("an address outside of every module still has a frame") {
    Symbolizer symbolizer;
    const auto list = symbolizer.add_modules({});
    const auto ids = symbolizer.resolve(list, 0x7f0000001235);
    REQUIRE(ids.size() == 1);
    CHECK(symbolizer.frames()[ids[0]].function == "0x7f0000001234");
    CHECK(symbolizer.frames()[ids[0]].module.empty());
    CHECK(symbolizer.complaints().empty());
}

TEST_CASE("the same addresses belong to another library after it was loaded there") {
    const Library fixture(HEAPWRIGHT_FIXTURE);
    Symbolizer symbolizer;
    const std::uint64_t address = fixture.call("fixture_inlined");
    LoadedModule other = fixture.module("/nowhere/other.so");
    const auto before = symbolizer.add_modules({fixture.module()});
    const auto after = symbolizer.add_modules({other});
    CHECK(symbolizer.resolve(before, address).size() == 3);
    CHECK(symbolizer.resolve(after, address).size() == 1);
    CHECK(symbolizer.resolve(before, address).size() == 3);
}

TEST_CASE("overlapping ranges of a damaged module list are cut apart") {
    Symbolizer symbolizer;
    symbolizer.add_modules({{"/a", {}, 0, {{0x1000, 0x9000}, {0x5000, 0x4000}}}, {"/b", {}, 0, {{0x2000, 0x3000}}}});
    CHECK(symbolizer.broken_invariant() == nullptr);
}

TEST_CASE("Debian's sqlite library, which has no debug information here, is named by its dynamic symbols") {
    const Library sqlite("libsqlite3.so.0");
    Symbolizer symbolizer({.debug_roots = {}});
    const std::vector<Frame> open = frames_of(symbolizer, sqlite.module(), sqlite.address_of("sqlite3_open_v2") + 5);
    REQUIRE(open.size() == 1);
    CHECK(open[0].function == "sqlite3_open_v2");
    CHECK(open[0].offset == 4);
    CHECK(open[0].module.starts_with("libsqlite3.so"));

    // Most of its functions have no symbol at all: each is still one function, whatever address of it is asked for.
    const std::vector<Frame> hidden = frames_of(symbolizer, sqlite.module(), sqlite.address_of("sqlite3_open_v2") - 0x200);
    REQUIRE(hidden.size() == 1);
    CHECK((hidden[0].function.starts_with("0x") || hidden[0].function.starts_with("sqlite3_")));
}

TEST_CASE("python's own executable is named by its dynamic symbols") {
    FILE* pipe = popen("p=$(readlink -f /usr/bin/python3); echo $p; nm -D $p | awk '$3 == \"PyList_New\" {print $1}'", "r");
    REQUIRE(pipe != nullptr);
    char path[512] = {};
    unsigned long long address = 0;
    const int read = std::fscanf(pipe, "%511s %llx", path, &address);
    CHECK(pclose(pipe) == 0);
    REQUIRE(read == 2);
    Symbolizer symbolizer({.debug_roots = {}});
    const auto list = symbolizer.add_modules({{path, {}, 0, {{0, ~std::uint64_t{0}}}}});
    const auto ids = symbolizer.resolve(list, address + 8);
    REQUIRE(ids.size() == 1);
    CHECK(symbolizer.frames()[ids[0]].function == "PyList_New");
    CHECK_FALSE(symbolizer.frames()[ids[0]].runtime);
}

}  // namespace
}  // namespace heapwright::study
