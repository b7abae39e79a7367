// The page that the build made: complete, closed to the network, and with a place for each part of a report.
#include <heapwright/study/report/web/page.hpp>

#include <string_view>

#include <doctest/doctest.h>

namespace heapwright::study {
namespace {

std::size_t count_of(std::string_view text, std::string_view part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) {
        ++count;
    }
    return count;
}

TEST_CASE("the page has each marker exactly once") {
    CHECK(count_of(kReportPage, "<!--HEAPWRIGHT_TITLE-->") == 1);
    CHECK(count_of(kReportPage, "<!--HEAPWRIGHT_NOSCRIPT-->") == 1);
    CHECK(count_of(kReportPage, "<!--HEAPWRIGHT_DATA-->") == 1);
}

TEST_CASE("the data stands before the script that reads it") {
    CHECK(kReportPage.find("<!--HEAPWRIGHT_DATA-->") < kReportPage.find("<script>"));
}

TEST_CASE("the page is whole") {
    CHECK(kReportPage.starts_with("<!doctype html>"));
    CHECK(kReportPage.ends_with("</html>\n"));
    CHECK(count_of(kReportPage, "@SCRIPT") == 0);
    CHECK(count_of(kReportPage, "@STYLE") == 0);
}

TEST_CASE("the page loads nothing") {
    CHECK(count_of(kReportPage, "default-src 'none'; script-src 'sha256-") == 1);
    CHECK(count_of(kReportPage, " src=") == 0);
    CHECK(count_of(kReportPage, "@import") == 0);
    CHECK(count_of(kReportPage, "https://") == 0);
}

}  // namespace
}  // namespace heapwright::study
