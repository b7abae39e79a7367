#include <heapwright/runtime/metrics_text.hpp>

#include <string_view>

#include <heapwright/alloc/heap/statistics_text.hpp>
#include <heapwright/base/version.hpp>

namespace heapwright {

namespace {

using namespace std::string_view_literals;

enum class Kind : std::uint8_t { gauge, counter };

void append_head(TextBuffer& text, std::string_view name, Kind kind, std::string_view help) noexcept {
    text.append("# TYPE heapwright_"sv).append(name).append(kind == Kind::gauge ? " gauge\n"sv : " counter\n"sv);
    if (name.ends_with("_bytes"sv)) {
        text.append("# UNIT heapwright_"sv).append(name).append(" bytes\n"sv);
    }
    text.append("# HELP heapwright_"sv).append(name).append_char(' ').append(help).append("\nheapwright_"sv).append(name);
    text.append(kind == Kind::gauge ? " "sv : "_total "sv);
}

void append_metric(TextBuffer& text, std::string_view name, Kind kind, std::string_view help, std::uint64_t value) noexcept {
    append_head(text, name, kind, help);
    text.append_decimal(value).append_char('\n');
}

/// "0.25"
void append_share(TextBuffer& text, Share share) noexcept {
    text.append_decimal(share.millionths / Share::kWhole).append_char('.');
    for (std::uint32_t weight = Share::kWhole / 10; weight > 0; weight /= 10) {
        text.append_decimal(share.millionths / weight % 10);
    }
}

}  // namespace

Share Measurement::fragmentation() const noexcept {
    const std::uint64_t whole = heap.active_bytes + heap.dirty_bytes;
    if (whole == 0) {
        return {};
    }
    // Divided first where the product could exceed 64 bits; a share of such a heap is exact enough.
    constexpr std::uint64_t kLargest = UINT64_MAX / Share::kWhole;
    const std::uint64_t part = vacant_bytes();
    return {static_cast<std::uint32_t>(part <= kLargest ? part * Share::kWhole / whole : part / (whole / Share::kWhole))};
}

void append_openmetrics(TextBuffer& text, const MonitorFigures& figures) noexcept {
    constexpr std::string_view kEnd = "# EOF\n";
    Text<kStatisticsTextBytes> heap;
    append_statistics_openmetrics(heap, figures.latest.heap);
    text.append(head_of(heap.view(), heap.view().size() - kEnd.size()));
    const Measurement& latest = figures.latest;
    // A gauge, not OpenMetrics' info: node_exporter's collector of text files refuses a whole file for that word.
    text.append("# TYPE heapwright_info gauge\n# HELP heapwright_info The library that measures.\nheapwright_info{version=\""sv);
    text.append(kVersionText).append("\"} 1\n"sv);
    append_metric(text, "process_resident_bytes"sv, Kind::gauge, "Bytes of the whole process in memory."sv, latest.resident_bytes);
    append_metric(text, "process_peak_resident_bytes"sv, Kind::gauge, "The most of them so far."sv, latest.peak_resident_bytes);
    append_metric(text, "vacant_bytes"sv, Kind::gauge, "Bytes of the heap's memory that hold no block."sv, latest.vacant_bytes());
    append_head(text, "fragmentation_ratio"sv, Kind::gauge, "The vacant part of the heap's memory."sv);
    append_share(text, latest.fragmentation());
    text.append_char('\n');
    append_metric(text, "measurements"sv, Kind::counter, "Looks at the heap."sv, figures.measurements);
    append_metric(text, "fragmentation_exceeded"sv, Kind::counter, "Looks that found more fragmentation than the threshold."sv,
                  figures.exceeded);
    append_metric(text, "defragmentations"sv, Kind::counter, "Times that something was done about it."sv, figures.defragmentations);
    append_metric(text, "defragmented_bytes"sv, Kind::counter, "Bytes given back by that."sv, figures.given_back_bytes);
    append_metric(text, "monitor_requests"sv, Kind::counter, "Requests answered."sv, figures.requests);
    append_metric(text, "monitor_failed_exports"sv, Kind::counter, "Files that could not be written."sv, figures.failed_exports);
}

void append_json(TextBuffer& text, const MonitorFigures& figures, void (*append_members)(TextBuffer& text) noexcept) noexcept {
    const Measurement& latest = figures.latest;
    const auto append = [&text](std::string_view before, std::uint64_t number) { text.append(before).append_decimal(number); };
    append(R"({"time_ms":)"sv, latest.wall_ms);
    append(",\n\"process\":{\"resident_bytes\":"sv, latest.resident_bytes);
    append(R"(,"peak_resident_bytes":)"sv, latest.peak_resident_bytes);
    text.append("},\n\"heap\":"sv);
    append_statistics_json(text, latest.heap);
    append(R"(,"vacant_bytes":)"sv, latest.vacant_bytes());
    text.append(R"(,"fragmentation":)"sv);
    append_share(text, latest.fragmentation());
    append(",\n\"monitor\":{\"measurements\":"sv, figures.measurements);
    append(R"(,"exceeded":)"sv, figures.exceeded);
    append(R"(,"defragmentations":)"sv, figures.defragmentations);
    append(R"(,"given_back_bytes":)"sv, figures.given_back_bytes);
    append(R"(,"requests":)"sv, figures.requests);
    append(R"(,"failed_exports":)"sv, figures.failed_exports);
    text.append_char('}');
    if (append_members != nullptr) {
        append_members(text);
    }
    text.append("}\n"sv);
}

}  // namespace heapwright
