#include <heapwright/study/report/table.hpp>

#include <array>
#include <cstdlib>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/study/report/sparkline.hpp>
#include <heapwright/study/report/terminal.hpp>

namespace heapwright::study {
namespace {

constexpr Terminal kPlain{.width = 60, .colour = false, .unicode = true};

TEST_CASE("columns are aligned and the flexible one gives way") {
    Table table({{"bytes", Table::Align::right}, {"where", Table::Align::flexible}, {"place", Table::Align::left}});
    table.add({"4.0 KiB", "short", "a.cpp:1"});
    table.add({"12 B", std::string(100, 'x') + "end", "b.cpp:2"});
    const std::string text = table.text(kPlain);
    CHECK(text.find("    bytes  where") == 0);
    CHECK(text.find("\n  4.0 KiB  short") != std::string::npos);
    CHECK(text.find("\n     12 B  xxx") != std::string::npos);
    CHECK(text.find("...") != std::string::npos);
    CHECK(text.find("xend  b.cpp:2\n") != std::string::npos);
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = text.find('\n', at);
        CHECK(columns_of(text.substr(at, end - at)) <= kPlain.width);
        at = end + 1;
    }
}

TEST_CASE("a note stands below its row from the second column on") {
    Table table({{"n", Table::Align::right}, {"where", Table::Align::flexible}});
    table.add({"1", "main"});
    table.add_note("called by start");
    CHECK(table.text(kPlain) == "  n  where\n  1  main\n     called by start\n");
}

TEST_CASE("no line ends in spaces") {
    Table table({{"a", Table::Align::left}, {"b", Table::Align::left}});
    table.add({"x", ""});
    CHECK(table.text(kPlain) == "  a  b\n  x\n");
}

TEST_CASE("escape sequences in names do not reach the terminal") {
    Table table({{"where", Table::Align::left}});
    table.add({"evil\x1b[2Jname\nnext\xc2\x9bx"});
    const std::string text = table.text(kPlain);
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find("evil?[2Jname?next??x") != std::string::npos);
}

TEST_CASE("colours are there only when the terminal has them") {
    CHECK(inked(kPlain, Ink::bad, "x") == "x");
    const Terminal coloured{.width = 60, .colour = true, .unicode = true};
    CHECK(inked(coloured, Ink::bad, "x") == "\x1b[31mx\x1b[0m");
    CHECK(columns_of(inked(coloured, Ink::bad, "größe")) == 5);
}

TEST_CASE("what is no terminal gets no colours, and COLUMNS its width") {
    setenv("COLUMNS", "72", 1);
    const Terminal terminal = detect_terminal(-1);
    CHECK_FALSE(terminal.colour);
    CHECK(terminal.width == 72);
    setenv("COLUMNS", "7", 1);
    CHECK(detect_terminal(-1).width == 60);
    unsetenv("COLUMNS");
    setenv("LC_ALL", "C", 1);
    CHECK_FALSE(detect_terminal(-1).unicode);
    setenv("LC_ALL", "en_US.UTF-8", 1);
    CHECK(detect_terminal(-1).unicode);
    unsetenv("LC_ALL");
}

TEST_CASE("a long name loses its middle, whole characters at a time") {
    CHECK(shortened("abcdefghij", 10) == "abcdefghij");
    CHECK(shortened("abcdefghijk", 10) == "abcd...ijk");
    CHECK(shortened("ääääääääääää", 9) == "äää...äää");
    CHECK(shortened("abcdef", 2) == "..");
}

TEST_CASE("a sentence is broken between words") {
    CHECK(wrapped("one two three four", 9, 2) == "one two\n  three\n  four");
    CHECK(wrapped("that is 4.5 % of it", 11, 0) == "that is 4.5 %\nof it");  // a figure keeps its unit
    CHECK(wrapped("unbreakableword", 5, 2) == "unbreakableword");
    CHECK(wrapped("", 5, 2).empty());
}

TEST_CASE("a sparkline shows the highest value of each column and never hides a small one") {
    const std::vector<std::uint64_t> values = {0, 1, 500, 1000, 0, 0};
    CHECK(sparkline(values, 6, kPlain) == " ▁▄█  ");
    CHECK(sparkline(values, 3, kPlain) == "▁█ ");
    CHECK(sparkline(values, 6, {.width = 60, .colour = false, .unicode = false}) == " .=@  ");
    CHECK(sparkline({}, 6, kPlain).empty());
    const std::vector<std::uint64_t> nothing(4, 0);
    CHECK(sparkline(nothing, 4, kPlain) == "    ");
}

TEST_CASE("a bar is filled in eighths") {
    CHECK(bar(1, 1, 4, kPlain) == "████");
    CHECK(bar(1, 2, 4, kPlain) == "██");
    CHECK(bar(1, 32, 4, kPlain) == "▏");
    CHECK(bar(0, 0, 4, kPlain).empty());
    CHECK(bar(5, 1, 4, kPlain) == "████");
}

}  // namespace
}  // namespace heapwright::study
