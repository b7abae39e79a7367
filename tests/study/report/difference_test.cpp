#include <heapwright/study/report/difference.hpp>

#include <doctest/doctest.h>

#include <heapwright/study/report/document.hpp>
#include <heapwright/study/report/function_keys.hpp>
#include <heapwright/study/report/text.hpp>

#include <tests/study/report/sample_findings.hpp>

namespace heapwright::study {
namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

Findings one_site(const std::string& function, std::uint32_t line, const std::string& module, std::uint64_t live) {
    test::FindingsBuilder builder;
    const FrameId inner = builder.frame(function, "/src/x.cpp", line, module);
    const FrameId main = builder.frame("main", "/src/x.cpp", 1);
    builder.site({inner, main}, 100, live, live);
    return builder.build();
}

TEST_CASE("a stack is the same one after its lines and its library's version changed") {
    const Findings before = one_site("load()", 10, "libdata.so.1.2", 10);
    const Findings after = one_site("load()", 99, "libdata.so.2", 30);
    const TraceDifference difference(before, after);
    REQUIRE(difference.sites.size() == 1);
    CHECK(difference.sites[0].in_before);
    CHECK(difference.sites[0].in_after);
    CHECK(difference.sites[0].before.live_at_peak.blocks == 10);
    CHECK(difference.sites[0].after.live_at_peak.blocks == 30);
    CHECK(difference.frames[static_cast<std::size_t>(difference.sites[0].frames[0])].line == 99);
}

TEST_CASE("a module keeps its name when its version changes") {
    CHECK(module_stem("libsqlite3.so.0.8.6") == "libsqlite3.so");
    CHECK(module_stem("libsqlite3.so") == "libsqlite3.so");
    CHECK(module_stem("server") == "server");
    FunctionKeys keys;
    const auto one = keys.keys_of(one_site("load()", 1, "lib.so.1", 1));
    const auto two = keys.keys_of(one_site("load()", 2, "lib.so.2", 1));
    const auto other = keys.keys_of(one_site("load()", 2, "app", 1));
    CHECK(one[0] == two[0]);
    CHECK(one[0] != other[0]);
    CHECK(keys.size() == 3);  // load in lib, main in server, load in app
}

TEST_CASE("a stack that only one trace has stands against zeros") {
    const Findings before = one_site("old()", 10, "app", 10);
    const Findings after = one_site("new_one()", 10, "app", 30);
    const TraceDifference difference(before, after);
    REQUIRE(difference.sites.size() == 2);
    CHECK_FALSE(difference.sites[0].in_before);
    CHECK_FALSE(difference.sites[1].in_after);
    CHECK(difference.sites[1].after.allocations == 0);
    CHECK(difference.frames[static_cast<std::size_t>(difference.sites[1].frames[0])].function == "old()");
    CHECK(difference.sizes.size() == 1);
    CHECK(difference.sizes[0].before.allocations == 10);
    CHECK(difference.sizes[0].after.allocations == 30);
}

TEST_CASE("sites that become one stack are added up") {
    test::FindingsBuilder builder;
    const FrameId a = builder.frame("f()", "x.cpp", 1);
    const FrameId b = builder.frame("f()", "x.cpp", 2);
    builder.site({a}, 10, 5, 2).lifetime_ns_max = 7;
    builder.site({b}, 20, 6, 3).lifetime_ns_max = 5;
    const Findings findings = builder.build();
    const TraceDifference difference(findings, findings);
    REQUIRE(difference.sites.size() == 1);
    const Site& sum = difference.sites[0].after;
    CHECK(sum.allocations == 11);
    CHECK(sum.live_at_peak.requested_bytes == 2 * 10 + 3 * 20);
    CHECK(sum.min_size == 10);
    CHECK(sum.max_size == 20);
    CHECK(sum.lifetime_ns_max == 7);
    CHECK(sum.sizes[4] == 11);
}

TEST_CASE("the text has totals first, then what changed most, with signs") {
    const Findings before = one_site("load()", 10, "app", 10);
    const Findings after = one_site("load()", 12, "app", 4096);
    const std::string text = text_report(TraceDifference(before, after));
    INFO(text);
    CHECK(text.starts_with("server: before and after"));
    CHECK(text.find("peak requested") < text.find("Held at the peak"));
    CHECK(has(text, "+399.0 KiB"));
    CHECK(has(text, "+40860.0 %"));
    CHECK(has(text, "x.cpp:12"));
    const std::string other_way = text_report(TraceDifference(after, before));
    CHECK(has(other_way, "-399.0 KiB"));
}

TEST_CASE("what is new and what is gone is called so") {
    const std::string text = text_report(TraceDifference(one_site("old()", 1, "app", 10), one_site("fresh()", 1, "app", 10)));
    INFO(text);
    CHECK(has(text, "+1000 B   new"));
    CHECK(has(text, "-1000 B  gone"));
}

TEST_CASE("a trace against itself has no changed site") {
    const Findings findings = test::sample_findings();
    const std::string text = text_report(TraceDifference(findings, findings));
    CHECK(has(text, "No call site changed"));
    CHECK(has(text, "0 B"));
}

TEST_CASE("two programs are both named") {
    Findings before = test::sample_findings();
    before.provenance["arguments"] = "/usr/bin/other --fast";
    const Findings after = test::sample_findings();
    CHECK(title_of(TraceDifference(before, after)) == "other against server");
}

}  // namespace
}  // namespace heapwright::study
