// The document's members that are plain figures of the whole trace.
#include <heapwright/study/report/detail/document_parts.hpp>

namespace heapwright::study::detail {

void write_provenance(JsonWriter& json, const Findings& findings) {
    json.begin_object();
    for (const auto& [key, value] : findings.provenance) {
        json.member(key, value);
    }
    json.end_object();
}

void write_health(JsonWriter& json, const TraceHealth& health) {
    json.begin_object();
    json.member("complete", health.complete);
    json.member("file_bytes", health.file_bytes);
    json.member("used_bytes", health.used_bytes);
    json.member("dropped_events", health.dropped_events);
    json.member("sample_interval_bytes", health.sample_interval_bytes);
    json.member("note", health.note);
    json.end_object();
}

void write_totals(JsonWriter& json, const Totals& totals) {
    json.begin_object();
    json.member("events", totals.events);
    json.member("allocations", totals.allocations);
    json.member("frees", totals.frees);
    json.member("reallocs", totals.reallocs);
    json.member("failed", totals.failed);
    json.member("allocated_bytes", totals.allocated_bytes);
    json.member("temporary", totals.temporary);
    json.member("cross_thread_frees", totals.cross_thread_frees);
    json.member("over_aligned", totals.over_aligned);
    json.member("unknown_frees", totals.unknown_frees);
    json.member("inherited_frees", totals.inherited_frees);
    json.member("mismatched", totals.mismatched);
    json.member("duration_ns", totals.duration_ns);
    json.member("cpu_ns", totals.cpu_ns);
    json.member("peak_requested", totals.peak_requested);
    json.member("peak_usable", totals.peak_usable);
    json.member("peak_time_ns", totals.peak_time_ns);
    json.member("peak_resident", totals.peak_resident);
    json.member("minor_faults", totals.minor_faults);
    json.member("major_faults", totals.major_faults);
    json.key("leaked");
    write_amount(json, totals.leaked);
    json.end_object();
}

void write_threads(JsonWriter& json, const std::vector<ThreadRow>& threads) {
    json.begin_array();
    for (const ThreadRow& row : threads) {
        json.begin_object();
        json.member("index", static_cast<std::uint32_t>(row.index));
        json.member("tid", row.tid);
        json.member("name", row.name);
        json.member("allocations", row.allocations);
        json.member("allocated_bytes", row.allocated_bytes);
        json.member("frees", row.frees);
        json.member("cross_thread_frees", row.cross_thread_frees);
        json.member("live_bytes_at_peak", row.live_bytes_at_peak);
        json.end_object();
    }
    json.end_array();
}

void write_timeline(JsonWriter& json, const std::vector<Moment>& timeline) {
    const auto column = [&](const char* name, auto Moment::* value) {
        json.key(name);
        json.begin_array();
        for (const Moment& moment : timeline) {
            json.value(moment.*value);
        }
        json.end_array();
    };
    json.begin_object();
    column("time_ns", &Moment::time_ns);
    column("live_requested", &Moment::live_requested);
    column("live_usable", &Moment::live_usable);
    column("live_blocks", &Moment::live_blocks);
    column("occupied_page_bytes", &Moment::occupied_page_bytes);
    column("resident_bytes", &Moment::resident_bytes);
    column("file_bytes", &Moment::file_bytes);
    column("allocations", &Moment::allocations);
    column("frees", &Moment::frees);
    column("fragmentation", &Moment::fragmentation);
    json.end_object();
}

void write_fragmentation(JsonWriter& json, const Fragmentation& fragmentation) {
    json.begin_object();
    json.member("time_ns", fragmentation.time_ns);
    json.member("live_requested", fragmentation.live_requested);
    json.member("live_usable", fragmentation.live_usable);
    json.member("live_blocks", fragmentation.live_blocks);
    json.member("occupied_pages", fragmentation.occupied_pages);
    json.member("internal_bytes", fragmentation.internal_bytes);
    json.member("external_bytes", fragmentation.external_bytes);
    json.member("largest_free_run", fragmentation.largest_free_run);
    json.member("internal_ratio", fragmentation.internal_ratio);
    json.member("external_ratio", fragmentation.external_ratio);
    json.member("resident_bytes", fragmentation.resident_bytes);
    json.member("retained_bytes", fragmentation.retained_bytes);
    json.member("non_heap_bytes", fragmentation.non_heap_bytes);
    json.member_values("occupancy", fragmentation.occupancy);
    json.end_object();
}

void write_lifetimes(JsonWriter& json, const Findings& findings) {
    json.member_values("lifetimes", findings.lifetimes);
    json.member_values("lifetime_bytes", findings.lifetime_bytes);
}

}  // namespace heapwright::study::detail
