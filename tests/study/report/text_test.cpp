#include <heapwright/study/report/text.hpp>

#include <algorithm>

#include <doctest/doctest.h>

#include <heapwright/study/report/detail/text_sections.hpp>
#include <heapwright/study/report/summary.hpp>

#include <tests/study/report/sample_findings.hpp>

namespace heapwright::study {
namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string report_of(const Findings& findings, std::vector<Section> sections, std::size_t width = 100) {
    TextOptions options;
    options.terminal.width = width;
    options.sections = std::move(sections);
    return text_report(findings, options);
}

TEST_CASE("the first screen fits one and answers what, where and how much") {
    const std::string text = report_of(test::sample_findings(), {Section::summary});
    INFO(text);
    CHECK(std::count(text.begin(), text.end(), '\n') <= 50);
    CHECK(text.starts_with("server  10.00 s, "));
    CHECK(has(text, "glibc 2.36"));
    CHECK(has(text, "requested    1.3 MiB  1,398,288"));
    CHECK(has(text, "resident"));
    CHECK(has(text, "+256.0 KiB kept free by the allocator"));
    CHECK(has(text, "peak after 6.00 s of 10.00 s; highest RSS"));
    CHECK(has(text, "Fragmentation is high: "));
    CHECK(has(text, "gaps: "));
    CHECK(has(text, "Session::open (session.cpp:42) alone keeps 117.2 KiB of them"));
    CHECK(has(text, "Who holds memory at the peak"));
    CHECK(has(text, "Buffer::append"));
    CHECK(has(text, "Never freed"));
    CHECK(has(text, "Temporary"));
    CHECK(has(text, "Pages pinned at the peak"));
    CHECK_FALSE(has(text, "wrong function"));
    CHECK_FALSE(has(text, "\x1b["));
    CHECK(text.ends_with("\n"));
}

TEST_CASE("every section is written, fits the terminal and ends its last line") {
    for (const std::size_t width : {60U, 80U, 100U, 200U}) {
        for (const Section section : kSections) {
            const std::string text = report_of(test::sample_findings(), {section}, width);
            INFO(text);
            CHECK(text.ends_with("\n"));
            CHECK(section_of(name_of(section)) == section);
            for (std::size_t at = 0; at < text.size();) {
                const std::size_t end = text.find('\n', at);
                if (width >= 100) {
                    CHECK(columns_of(text.substr(at, end - at)) <= width);
                }
                at = end + 1;
            }
        }
    }
    CHECK_FALSE(section_of("nonsense").has_value());
}

TEST_CASE("every section of an empty trace says that there is nothing") {
    for (const Section section : kSections) {
        const std::string text = report_of(Findings{}, {section});
        CHECK_FALSE(text.empty());
    }
    CHECK(has(report_of(Findings{}, {Section::summary}), "The program allocated nothing that was recorded"));
    CHECK(has(report_of(Findings{}, {Section::leaks}), "every block was freed"));
}

TEST_CASE("sites are sorted by what the section is about and numbered for the experiments") {
    const std::string sites = report_of(test::sample_findings(), {Section::sites});
    INFO(sites);
    CHECK(sites.find("#2") < sites.find("#0"));
    CHECK(has(sites, "Buffer::append at buffer.cpp:33 < Server::serve < main"));
    const std::string temporary = report_of(test::sample_findings(), {Section::temporary});
    CHECK(has(temporary, "#1"));
    CHECK(has(temporary, "90,000"));
    CHECK_FALSE(has(temporary, "#0"));
    const std::string leaks = report_of(test::sample_findings(), {Section::leaks});
    CHECK(leaks.find("#0") < leaks.find("#3"));
    const std::string reallocs = report_of(test::sample_findings(), {Section::reallocs});
    CHECK(has(reallocs, "38.1 MiB"));
}

TEST_CASE("whole stacks are shown on demand, with what was inlined") {
    TextOptions options;
    options.sections = {Section::sites};
    options.stack_frames = 10;
    const std::string text = text_report(test::sample_findings(), options);
    CHECK(has(text, "inlined std::vector<char>::_M_realloc_insert<char>  vector.tcc:440"));
    CHECK(has(text, "__libc_start_main  libc.so.6"));
}

TEST_CASE("more rows than asked for are counted, not shown") {
    TextOptions options;
    options.sections = {Section::sites};
    options.rows = 1;
    CHECK(has(text_report(test::sample_findings(), options), "and 3 more"));
}

TEST_CASE("a note about the trace and wrong frees stand out") {
    Findings findings = test::sample_findings();
    findings.health.note = "the program was killed; the last 0.1 s are missing";
    findings.totals.mismatched = 2;
    findings.totals.failed = 1;
    const std::string text = report_of(findings, {Section::summary});
    CHECK(has(text, "the program was killed; the last 0.1 s are missing\n"));
    CHECK(has(text, "2 blocks freed by the wrong function"));
    CHECK(has(text, "1 request refused by the allocator"));
}

TEST_CASE("what the heap keeps at the end is said by its own parts, not by what else is resident") {
    Findings findings = test::sample_findings();
    study::Fragmentation& end = findings.at_end;
    end = {};
    end.live_requested = end.live_usable = 1000;
    end.live_blocks = 3;
    end.external_bytes = 50'000;
    end.resident_bytes = 9 << 20;  // files, most of it, which came after the last map
    const auto says_end = [&] {
        const auto sentences = verdict_of(findings).sentences;
        return std::ranges::any_of(sentences, [](const std::string& one) { return one.starts_with("at the end "); });
    };
    CHECK_FALSE(says_end());
    end.retained_bytes = 4 << 20;
    CHECK(says_end());
}

TEST_CASE("the verdict names the largest cause first and says when there is nothing to gain") {
    Findings findings = test::sample_findings();
    findings.at_peak.internal_bytes = 0;
    findings.at_peak.external_bytes = 100'000;
    findings.at_peak.retained_bytes = 800'000;
    MemoryVerdict verdict = verdict_of(findings);
    CHECK(verdict.grade == Grade::high);
    REQUIRE(verdict.sentences.size() >= 2);
    CHECK(verdict.sentences[0].starts_with("retention: 781.2 KiB"));
    CHECK(verdict.sentences[1].starts_with("gaps: "));

    findings.at_peak.external_bytes = 1000;
    findings.at_peak.retained_bytes = 0;
    findings.at_peak.occupancy = {};
    findings.at_end.resident_bytes = 0;
    verdict = verdict_of(findings);
    CHECK(verdict.grade == Grade::low);
    CHECK(verdict.headline.starts_with("fragmentation is low"));
    CHECK(verdict.sentences.empty());
    CHECK(verdict_of(Findings{}).headline == "the program held no memory that could be fragmented");
}

TEST_CASE("headings, bullets and curves keep to the terminal") {
    TextOptions options;
    options.terminal = {.width = 60, .colour = false, .unicode = false};
    CHECK(detail::heading(options, "Title", "remark") == "Title  remark\n");
    CHECK(detail::bullet(options, "one\x1b[2J") == "  - one?[2J\n");
    CHECK(detail::power_of_two_ns(20) == "1.0 ms");
    CHECK(detail::curves(Findings{}, options).empty());
    const std::string curves = detail::curves(test::sample_findings(), options);
    CHECK(curves.starts_with("  live    "));
    CHECK(has(curves, "  RSS     "));
    CHECK(has(curves, "9.90 s\n"));
}

TEST_CASE("the parts of resident memory add up") {
    Fragmentation moment = test::sample_findings().at_peak;
    const auto sum = [](const Composition& parts) {
        return parts.requested + parts.internal + parts.external + parts.retained + parts.other - parts.untouched;
    };
    for (const std::uint64_t resident : {moment.resident_bytes, moment.resident_bytes * 2, moment.resident_bytes / 2}) {
        moment.resident_bytes = resident;
        CHECK(sum(composition_of(moment)) == resident);
    }
}

TEST_CASE("without Unicode the report is ASCII") {
    TextOptions options;
    options.terminal.unicode = false;
    options.sections.assign(kSections.begin(), kSections.end());
    const std::string text = text_report(test::sample_findings(), options);
    CHECK(std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
}

TEST_CASE("colours mark the verdict only where they are wanted") {
    TextOptions options;
    options.terminal.colour = true;
    CHECK(has(text_report(test::sample_findings(), options), "\x1b[31mFragmentation is high"));
}

}  // namespace
}  // namespace heapwright::study
