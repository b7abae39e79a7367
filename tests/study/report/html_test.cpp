#include <heapwright/study/report/html.hpp>

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <zlib.h>

#include <heapwright/study/report/gzip.hpp>
#include <heapwright/study/report/web/page.hpp>

#include <tests/study/report/sample_findings.hpp>
#include <tests/support/death.hpp>

namespace heapwright::study {
namespace {

std::string from_base64(std::string_view text) {
    static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bytes;
    std::uint32_t group = 0;
    int bits = 0;
    for (const char c : text) {
        if (c == '=') {
            break;
        }
        group = (group << 6U) | static_cast<std::uint32_t>(kAlphabet.find(c));
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes += static_cast<char>((group >> static_cast<unsigned>(bits)) & 0xffU);
        }
    }
    return bytes;
}

std::string unpacked(std::string packed) {
    z_stream z{};
    REQUIRE(inflateInit2(&z, 15 + 16) == Z_OK);
    std::string text(50U << 20U, '\0');
    z.next_in = reinterpret_cast<Bytef*>(packed.data());
    z.avail_in = static_cast<uInt>(packed.size());
    z.next_out = reinterpret_cast<Bytef*>(text.data());
    z.avail_out = static_cast<uInt>(text.size());
    CHECK(inflate(&z, Z_FINISH) == Z_STREAM_END);
    text.resize(text.size() - z.avail_out);
    inflateEnd(&z);
    return text;
}

std::string data_of(const std::string& page) {
    constexpr std::string_view kBegin = "<script type=\"application/octet-stream\" id=\"heapwright-data\">";
    const std::size_t begin = page.find(kBegin);
    REQUIRE(begin != std::string::npos);
    const std::size_t end = page.find("</script>", begin);
    return page.substr(begin + kBegin.size(), end - begin - kBegin.size());
}

TEST_CASE("the parts take the places of their markers") {
    const std::string page = assemble_html("<t><!--HEAPWRIGHT_TITLE--></t><n><!--HEAPWRIGHT_NOSCRIPT--></n><!--HEAPWRIGHT_DATA--><end>",
                                           "a<b & \"c\"", "<p>plain</p>", "xyz");
    CHECK(page ==
          "<t>a&lt;b &amp; &quot;c&quot;</t><n><p>plain</p></n><script type=\"application/octet-stream\" "
          "id=\"heapwright-data\">eHl6</script><end>");
}

TEST_CASE("a marker inside of a part is not taken for the page's own") {
    const std::string page =
        assemble_html("<!--HEAPWRIGHT_TITLE-->|<!--HEAPWRIGHT_NOSCRIPT-->|<!--HEAPWRIGHT_DATA-->", "t", "<!--HEAPWRIGHT_DATA-->", "");
    CHECK(page == "t|<!--HEAPWRIGHT_DATA-->|<script type=\"application/octet-stream\" id=\"heapwright-data\"></script>");
}

TEST_CASE("a page without its markers is a mistake of the build") {
    CHECK(heapwright::test::death_of([] { static_cast<void>(assemble_html("<html></html>", "t", "n", "d")); }).died);
}

TEST_CASE("the page holds the whole document, packed") {
    const Findings findings = test::sample_findings();
    const std::string page = html_text(findings);
    const auto json = nlohmann::json::parse(unpacked(from_base64(data_of(page))));
    CHECK(json["title"] == "server");
    CHECK(json["sites"].size() == 4);
    CHECK(page.find("heapwright: server") != std::string::npos);
    CHECK(page.size() > kReportPage.size());
}

TEST_CASE("a reader without JavaScript finds the main figures and sites") {
    const std::string page = html_text(test::sample_findings());
    CHECK(page.find("<td>peak requested</td><td>1.3 MiB (1,398,288 bytes) in 8,014 blocks, after 6.00 s of 10.00 s</td>") !=
          std::string::npos);
    CHECK(page.find("<td>Session::open</td><td>session.cpp:42</td>") != std::string::npos);
}

TEST_CASE("names from the recorded program cannot become markup") {
    Findings findings = test::sample_findings();
    findings.provenance["program"] = "<img/src=x>";
    for (Frame& frame : findings.frames) {
        frame.function = "</noscript><script>alert(1)</script>";
    }
    const std::string page = html_text(findings);
    CHECK(page.find("<script>alert(1)") == std::string::npos);
    CHECK(page.find("</noscript><script>") == std::string::npos);
}

TEST_CASE("a comparison's page shows both traces") {
    const Findings findings = test::sample_findings();
    const std::string page = html_text(TraceDifference(findings, findings));
    const auto json = nlohmann::json::parse(unpacked(from_base64(data_of(page))));
    CHECK(json["kind"] == "diff");
    CHECK(page.find("<th>Before</th><th>After</th>") != std::string::npos);
}

TEST_CASE("gzip gives the same bytes however the pieces were cut") {
    Gzip one;
    one.add("heapwright heapwright heapwright");
    Gzip many;
    for (const char c : std::string_view("heapwright heapwright heapwright")) {
        many.add(std::string_view(&c, 1));
    }
    const std::string packed = one.finish();
    CHECK(unpacked(packed) == "heapwright heapwright heapwright");
    CHECK(many.finish() == packed);
    CHECK(unpacked(Gzip{}.finish()).empty());
}

}  // namespace
}  // namespace heapwright::study
