#include <heapwright/study/report/site_names.hpp>

#include <doctest/doctest.h>

#include <tests/study/report/sample_findings.hpp>

namespace heapwright::study {
namespace {

TEST_CASE("a function is shown without return type and parameters") {
    CHECK(short_function("main") == "main");
    CHECK(short_function("Server::serve(Request const&)") == "Server::serve");
    CHECK(short_function("void parse<Json>(Json const&)") == "parse<Json>");
    CHECK(short_function("std::vector<int> make<int>(int (*)(int)) const") == "make<int>");
    CHECK(short_function("Table<int>::insert(int) const &") == "Table<int>::insert");
    CHECK(short_function("(anonymous namespace)::work(int)") == "(anonymous namespace)::work");
    CHECK(short_function("fixture::nested()::Local::call()") == "fixture::nested()::Local::call");
    CHECK(short_function("main::{lambda(int, char)#1}::operator()(int, char) const") == "main::{lambda(int, char)#1}::operator()");
    CHECK(short_function("operator new(unsigned long)") == "operator new");
    CHECK(short_function("A::operator->()") == "A::operator->");
    CHECK(short_function("bool operator< <int>(int, int)").find("operator<") != std::string::npos);
    CHECK(short_function("0x1f20") == "0x1f20");
    CHECK(short_function("").empty());
}

TEST_CASE("long template arguments are left out of the short name") {
    CHECK(short_function("Cache<std::string, std::vector<std::string>>::find(int)") == "Cache<...>::find");
    CHECK(short_function("void apply<int, char>(Set<int>)") == "apply<int, char>");
}

TEST_CASE("a site is called by the first function that is the user's own") {
    const Findings findings = test::sample_findings();
    CHECK(label_of(findings, findings.sites[0]) == "Session::open at session.cpp:42");
    CHECK(label_of(findings, findings.sites[2]) == "Buffer::append at buffer.cpp:33");
    CHECK(chain_of(findings, findings.sites[2], 5) == "Buffer::append < Server::serve < main");
    CHECK(chain_of(findings, findings.sites[2], 2) == "Buffer::append < Server::serve");
}

TEST_CASE("a stack of runtime frames only, and no stack at all, still have a name") {
    test::FindingsBuilder builder;
    const FrameId start = builder.frame("__libc_start_main", "", 0, "libc.so.6", true);
    builder.raw().frames[0].offset = 0x1c;
    builder.site({start}, 8, 1);
    builder.site({}, 8, 1);
    const Findings findings = builder.build();
    CHECK(label_of(findings, findings.sites[0]) == "__libc_start_main in libc.so.6+0x1c");
    CHECK(label_of(findings, findings.sites[1]) == "(no stack)");
    CHECK(chain_of(findings, findings.sites[1], 3).empty());
    CHECK(group_by_user_frame(findings).size() == 2);
}

TEST_CASE("sites with the same line of the user's own are one group, whoever called it") {
    test::FindingsBuilder builder;
    const FrameId malloc = builder.frame("malloc", "", 0, "libc.so.6", true);
    const FrameId open = builder.frame("open()", "/src/a.cpp", 3);
    const FrameId other_line = builder.frame("open()", "/src/a.cpp", 4);
    const FrameId one = builder.frame("one()", "/src/a.cpp", 10);
    const FrameId two = builder.frame("two()", "/src/a.cpp", 20);
    builder.site({malloc, open, one}, 10, 100, 50, 5);
    builder.site({malloc, open, two}, 10, 200, 70, 0);
    builder.site({malloc, other_line, two}, 10, 1, 1, 0);
    const auto groups = group_by_user_frame(builder.build());
    REQUIRE(groups.size() == 2);
    CHECK(groups[0].function == "open");
    CHECK(groups[0].place == "a.cpp:3");
    CHECK(groups[0].sites.size() == 2);
    CHECK(groups[0].live_at_peak.blocks == 120);
    CHECK(groups[0].live_at_peak.requested_bytes == 1200);
    CHECK(groups[0].allocations == 300);
    CHECK(groups[0].leaked.requested_bytes == 50);
    CHECK(groups[1].place == "a.cpp:4");
}

TEST_CASE("without lines one function is one group, whatever the offsets of its calls") {
    test::FindingsBuilder builder;
    builder.frame("0x1f20", "", 0, "libx.so.1");
    builder.frame("0x1f20", "", 0, "libx.so.1");
    builder.raw().frames[0].offset = 4;
    builder.raw().frames[1].offset = 8;
    builder.site({static_cast<FrameId>(0)}, 8, 1);
    builder.site({static_cast<FrameId>(1)}, 8, 1);
    const auto groups = group_by_user_frame(builder.build());
    REQUIRE(groups.size() == 1);
    CHECK(groups[0].place == "libx.so.1");
}

}  // namespace
}  // namespace heapwright::study
