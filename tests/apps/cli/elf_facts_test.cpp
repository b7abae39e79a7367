// What decides whether a preload will see a program at all.
#include <apps/cli/elf_facts.hpp>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include <apps/cli/program.hpp>

namespace heapwright::test {
namespace {

namespace fs = std::filesystem;

/// A file that is gone after the test.
class Temporary {
public:
    explicit Temporary(const std::string& content) : path_(fs::temp_directory_path() / ("heapwright-elf-" + std::to_string(std::rand()))) {
        std::ofstream(path_, std::ios::binary) << content;
    }
    Temporary(const Temporary&) = delete;
    Temporary& operator=(const Temporary&) = delete;
    ~Temporary() { fs::remove(path_); }
    [[nodiscard]] std::string path() const { return path_.string(); }

private:
    fs::path path_;
};

}  // namespace

TEST_CASE("an ordinary program has a loader and takes malloc from elsewhere") {
    const cli::ElfFacts facts = cli::read_elf_facts("/bin/sh");
    CHECK(facts.is_elf);
    CHECK(facts.is_x86_64);
    CHECK(facts.has_loader);
    CHECK_FALSE(facts.defines_malloc);
    CHECK_FALSE(facts.has_capabilities);
}

TEST_CASE("text, nothing, and a damaged head are no programs") {
    CHECK_FALSE(cli::read_elf_facts(Temporary("#!/bin/sh\nexit 0\n").path()).is_elf);
    CHECK_FALSE(cli::read_elf_facts(Temporary("").path()).is_elf);
    CHECK_FALSE(cli::read_elf_facts("/nowhere/at/all").is_elf);
    const cli::ElfFacts damaged = cli::read_elf_facts(Temporary("\177ELF\2\1\1 and then something else entirely").path());
    CHECK_FALSE(damaged.has_loader);
    CHECK_FALSE(damaged.defines_malloc);
}

TEST_CASE("a word is shown as a shell takes it") {
    CHECK(cli::shell_word("--port=80") == "--port=80");
    CHECK(cli::shell_word("") == "''");
    CHECK(cli::shell_word("two words") == "'two words'");
    CHECK(cli::shell_word("it's") == "'it'\\''s'");
}

}  // namespace heapwright::test
