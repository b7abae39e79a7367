#include <heapwright/study/report/html.hpp>

#include <array>
#include <cstdint>
#include <span>

#include <heapwright/base/check.hpp>
#include <heapwright/study/report/gzip.hpp>
#include <heapwright/study/report/site_names.hpp>
#include <heapwright/study/report/summary.hpp>
#include <heapwright/study/report/units.hpp>
#include <heapwright/study/report/web/page.hpp>

namespace heapwright::study {
namespace {

constexpr std::string_view kTitleMarker = "<!--HEAPWRIGHT_TITLE-->";
constexpr std::string_view kNoscriptMarker = "<!--HEAPWRIGHT_NOSCRIPT-->";
constexpr std::string_view kDataMarker = "<!--HEAPWRIGHT_DATA-->";

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            default: out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
        }
    }
    return out;
}

std::string row(std::initializer_list<std::string_view> cells, std::string_view tag = "td") {
    std::string text = "<tr>";
    for (const std::string_view cell : cells) {
        text += "<" + std::string(tag) + ">" + escaped(cell) + "</" + std::string(tag) + ">";
    }
    return text + "</tr>";
}

// For readers without JavaScript: the first screen of the text report, as tables.
std::string noscript_of(const Findings& findings) {
    std::string html = "<p>This report needs JavaScript for its charts. Its main figures:</p><table>";
    for (const Fact& fact : facts_of(findings)) {
        html += row({fact.name, fact.value});
    }
    html += "</table><p>" + escaped(verdict_of(findings).headline) + "</p><table>";
    html += row({"At the peak", "Blocks", "Leaked", "Function", "Place"}, "th");
    constexpr std::size_t kRows = 20;
    for (const SiteGroup& group : leading(group_by_user_frame(findings), &peak_bytes, kRows)) {
        html += row({bytes_text(group.live_at_peak.requested_bytes), count_text(group.live_at_peak.blocks),
                     bytes_text(group.leaked.requested_bytes), group.function, group.place});
    }
    return html + "</table>";
}

std::string noscript_of(const TraceDifference& difference) {
    std::string html = "<p>This comparison needs JavaScript for its charts. Its main figures:</p><table>";
    html += row({"", "Before", "After"}, "th");
    const std::vector<Fact> before = facts_of(difference.before);
    for (const Fact& after : facts_of(difference.after)) {
        for (const Fact& fact : before) {
            if (fact.name == after.name) {
                html += row({after.name, fact.value, after.value});
            }
        }
    }
    return html + "</table>";
}

template <class Model>
std::string page_of(const Model& model, const DocumentExtras& extras) {
    Gzip gzip;
    write_document(model, extras, DocumentLimits::for_page(), [&](std::string_view piece) { gzip.add(piece); });
    const std::string title = extras.title.empty() ? title_of(model) : extras.title;
    return assemble_html(kReportPage, "heapwright: " + title, noscript_of(model), gzip.finish());
}

}  // namespace

std::string assemble_html(std::string_view page, std::string_view title, std::string_view noscript, std::string_view packed_json) {
    const std::string data = base64_text(std::span(reinterpret_cast<const std::uint8_t*>(packed_json.data()), packed_json.size()));
    struct Part {
        std::string_view marker;
        std::string text;
    };
    const std::array<Part, 3> parts = {
        {{kTitleMarker, escaped(title)},
         {kNoscriptMarker, std::string(noscript)},
         {kDataMarker, "<script type=\"application/octet-stream\" id=\"heapwright-data\">" + data + "</script>"}}};
    std::string out;
    out.reserve(page.size() + data.size() + noscript.size() + 256);
    std::size_t at = 0;
    for (const Part& part : parts) {
        const std::size_t found = page.find(part.marker, at);
        HEAPWRIGHT_CHECK(found != std::string_view::npos, "the page holds its markers once each: title, summary, data");
        out += page.substr(at, found - at);
        out += part.text;
        at = found + part.marker.size();
    }
    out += page.substr(at);
    return out;
}

std::string html_text(const Findings& findings, const DocumentExtras& extras) { return page_of(findings, extras); }

std::string html_text(const TraceDifference& difference, const DocumentExtras& extras) { return page_of(difference, extras); }

}  // namespace heapwright::study
