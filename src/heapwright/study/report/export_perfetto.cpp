// The timeline as Chrome trace events: a format that Perfetto's UI and chrome://tracing open.
#include <cstdint>
#include <string_view>

#include <heapwright/study/report/document.hpp>
#include <heapwright/study/report/exports.hpp>
#include <heapwright/study/report/json_writer.hpp>

namespace heapwright::study {
namespace {

constexpr int kProcess = 1;
constexpr double kNsPerUs = 1000;

void begin_event(JsonWriter& json, std::string_view phase, std::string_view name, std::uint64_t time_ns) {
    json.begin_object();
    json.member("ph", phase);
    json.member("pid", kProcess);
    json.member("tid", kProcess);
    json.member("name", name);
    json.member("ts", static_cast<double>(time_ns) / kNsPerUs);  // the format's unit is microseconds
}

template <class Value>
void write_counter(JsonWriter& json, std::string_view name, std::string_view unit, std::uint64_t time_ns, Value value) {
    begin_event(json, "C", name, time_ns);
    json.key("args");
    json.begin_object();
    json.member(unit, value);
    json.end_object();
    json.end_object();
}

void write_metadata(JsonWriter& json, std::string_view what, std::string_view name) {
    begin_event(json, "M", what, 0);
    json.key("args");
    json.begin_object();
    json.member("name", name);
    json.end_object();
    json.end_object();
}

}  // namespace

std::string perfetto_trace(const Findings& findings) {
    std::string text;
    JsonWriter json([&](std::string_view piece) { text += piece; }, 2);
    json.begin_object();
    json.member("displayTimeUnit", "ms");
    json.key("otherData");
    json.begin_object();
    json.member("exporter", "heapwright");
    for (const auto& [key, value] : findings.provenance) {
        json.member(key, value);
    }
    json.end_object();
    json.key("traceEvents");
    json.begin_array();
    write_metadata(json, "process_name", title_of(findings));
    write_metadata(json, "thread_name", "heap");
    for (const Moment& moment : findings.timeline) {
        write_counter(json, "live requested", "bytes", moment.time_ns, moment.live_requested);
        write_counter(json, "live usable", "bytes", moment.time_ns, moment.live_usable);
        write_counter(json, "pages in use", "bytes", moment.time_ns, moment.occupied_page_bytes);
        if (moment.resident_bytes != 0) {
            write_counter(json, "resident (RSS)", "bytes", moment.time_ns, moment.resident_bytes);
        }
        write_counter(json, "live blocks", "blocks", moment.time_ns, moment.live_blocks);
        write_counter(json, "fragmentation", "percent", moment.time_ns, moment.fragmentation * 100);
        write_counter(json, "allocations in the interval", "blocks", moment.time_ns, moment.allocations);
    }
    begin_event(json, "i", "peak", findings.totals.peak_time_ns);
    json.member("s", "p");  // the mark spans the process
    json.key("args");
    json.begin_object();
    json.member("requested_bytes", findings.totals.peak_requested);
    json.end_object();
    json.end_object();
    json.end_array();
    json.end_object();
    json.finish();
    return text;
}

}  // namespace heapwright::study
