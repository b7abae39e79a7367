// What an address of code belongs to, asked of the loader and of the memory map; and damaged unwind tables.
#include <heapwright/trace/stack/code_finder.hpp>

#include <array>
#include <cstring>
#include <vector>

#include <sys/auxv.h>
#include <sys/mman.h>

#include <doctest/doctest.h>

#include <heapwright/os/maps.hpp>
#include <heapwright/trace/stack/detail/frame_program.hpp>
#include <heapwright/trace/stack/detail/frame_table.hpp>

#include <tests/support/random.hpp>

using namespace heapwright::trace::stack;
using heapwright::test::Random;

namespace {

std::uintptr_t here() { return reinterpret_cast<std::uintptr_t>(&here); }

struct Asked {
    CodeKind kind;
    LoadedFile file;
};

Asked ask(CodeFinder& finder, std::uintptr_t address) {
    std::array<char, heapwright::os::kMapsBufferBytes> buffer;
    Asked asked{};
    asked.kind = finder.find(address, buffer, asked.file);
    return asked;
}

}  // namespace

TEST_CASE("a function of this program is found with its unwind tables, with and without the loader's help") {
    CodeFinder with_loader;
    with_loader.open();
    CodeFinder without;
    for (CodeFinder* finder : {&with_loader, &without}) {
        for (const std::uintptr_t address : {here(), reinterpret_cast<std::uintptr_t>(&std::memcmp)}) {
            const Asked asked = ask(*finder, address);
            REQUIRE(asked.kind == CodeKind::file);
            CHECK(asked.file.begin <= address);
            CHECK(address < asked.file.end);
            REQUIRE(asked.file.eh_frame_hdr != nullptr);
            detail::FrameDescription description;
            REQUIRE(detail::find_frame_description(asked.file, address, description));
            CHECK(description.begin <= address);
            CHECK(address < description.end);
        }
    }
    CHECK(with_loader.is_loaded(here()));
}

TEST_CASE("the kernel's own page of code is found") {
    const std::uintptr_t page = getauxval(AT_SYSINFO_EHDR);
    if (page == 0) {
        return;  // a kernel without it
    }
    CodeFinder finder;
    finder.open();
    LoadedFile file;
    bool found = false;
    std::array<char, heapwright::os::kMapsBufferBytes> buffer;
    for (std::uintptr_t address = page; address < page + 4096 && !found; address += 16) {
        found = finder.find(address, buffer, file) == CodeKind::file;
    }
    CHECK(found);
}

TEST_CASE("data, the stack and unmapped addresses are not code") {
    CodeFinder finder;
    finder.open();
    int local = 0;
    static int global = 0;
    CHECK(ask(finder, reinterpret_cast<std::uintptr_t>(&local)).kind == CodeKind::none);
    CHECK(ask(finder, reinterpret_cast<std::uintptr_t>(&global)).kind == CodeKind::none);
    CHECK(ask(finder, 0).kind == CodeKind::none);
    CHECK(ask(finder, 4096).kind == CodeKind::none);
    CHECK(ask(finder, ~std::uintptr_t{0}).kind == CodeKind::none);
}

TEST_CASE("code made at run time is told from files") {
    void* const page = mmap(nullptr, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return;  // a system that forbids it
    }
    CodeFinder finder;
    finder.open();
    const auto address = reinterpret_cast<std::uintptr_t>(page) + 5000;
    CHECK(ask(finder, address).kind == CodeKind::generated);
    CHECK(ask(finder, address + 8).kind == CodeKind::generated);
    CHECK_FALSE(finder.is_loaded(address));
    munmap(page, 8192);
    finder.forget_generated();
    CHECK(ask(finder, address).kind == CodeKind::none);
}

TEST_CASE("damaged unwind tables are refused or misread, but never left") {
    CodeFinder finder;
    finder.open();
    // libc: in this program itself AddressSanitizer guards the room between variables.
    const Asked asked = ask(finder, reinterpret_cast<std::uintptr_t>(&getauxval));
    REQUIRE(asked.file.eh_frame_hdr != nullptr);
    const auto before = static_cast<std::size_t>(asked.file.eh_frame_hdr - asked.file.tables_begin);
    const auto all = static_cast<std::size_t>(asked.file.tables_end - asked.file.tables_begin);
    // A copy that ends where the allocation does, so that AddressSanitizer sees each step beyond. References between the
    // tables are relative, hence lead inside the copy.
    std::vector<std::uint8_t> copy(asked.file.tables_begin, asked.file.tables_begin + all);
    Random random;
    for (int round = 0; round < 3000; ++round) {
        std::array<std::size_t, 8> places;
        std::array<std::uint8_t, 8> values;
        for (std::size_t i = 0; i < places.size(); ++i) {
            places[i] = random.one_in(3) ? before + random.below(64) : random.below(all);
            places[i] = places[i] < all ? places[i] : all - 1;
            values[i] = copy[places[i]];
            copy[places[i]] = static_cast<std::uint8_t>(random.one_in(2) ? 0xff : random.next());
        }
        const std::size_t kept = random.one_in(4) ? before + random.below(all - before) + 1 : all;
        const LoadedFile damaged{asked.file.begin, asked.file.end, copy.data() + before, copy.data(), copy.data() + kept};
        const std::uint64_t moved = reinterpret_cast<std::uint64_t>(copy.data()) - reinterpret_cast<std::uint64_t>(asked.file.tables_begin);
        const std::uint64_t pc = asked.file.begin + random.below(asked.file.end - asked.file.begin) + moved;
        detail::FrameDescription description;
        detail::FrameRow row;
        if (detail::find_frame_description(damaged, pc, description) && detail::run_frame_program(description, pc, row)) {
            (void)detail::rule_of(row, pc);
        }
        for (std::size_t i = places.size(); i-- > 0;) {
            copy[places[i]] = values[i];
        }
    }
}
