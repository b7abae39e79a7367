// The sections that look at memory from other sides than call sites: sizes, threads, lifetimes, pages, time, the trace.
#include <algorithm>

#include <heapwright/study/report/detail/text_sections.hpp>
#include <heapwright/study/report/sparkline.hpp>
#include <heapwright/study/report/summary.hpp>
#include <heapwright/study/report/table.hpp>
#include <heapwright/study/report/units.hpp>

namespace heapwright::study::detail {
namespace {

constexpr std::size_t kBarColumns = 16;

std::string and_more(const TextOptions& options, std::size_t all, std::size_t shown) {
    return all <= shown ? std::string{} : inked(options.terminal, Ink::faint, "  and " + count_text(all - shown) + " more") + '\n';
}

}  // namespace

std::string sizes_section(const Findings& findings, const TextOptions& options) {
    std::string text = heading(options, "Sizes by number of allocations", counted(findings.sizes.size(), "distinct size"));
    Table table({{"size", Table::Align::right},
                 {"usable", Table::Align::right},
                 {"lost", Table::Align::right},
                 {"allocations", Table::Align::right},
                 {"share", Table::Align::right},
                 {"live at peak", Table::Align::right},
                 {"leaked", Table::Align::right},
                 {"", Table::Align::flexible}});
    std::uint64_t most = 0;
    for (const SizeRow& row : findings.sizes) {
        most = std::max(most, row.allocations);
    }
    for (std::size_t i = 0; i < std::min(options.rows, findings.sizes.size()); ++i) {
        const SizeRow& row = findings.sizes[i];
        const std::uint64_t lost = row.usable > row.size ? row.usable - row.size : 0;
        table.add({count_text(row.size), count_text(row.usable), share_text(lost, row.usable), count_text(row.allocations),
                   share_text(row.allocations, findings.totals.allocations), bytes_text(row.live_at_peak.requested_bytes),
                   bytes_text(row.leaked.requested_bytes), bar(row.allocations, most, kBarColumns, options.terminal)});
    }
    return text + table.text(options.terminal) + and_more(options, findings.sizes.size(), options.rows);
}

std::string threads_section(const Findings& findings, const TextOptions& options) {
    std::string text = heading(options, "Threads", counted(findings.threads.size(), "thread"));
    std::vector<const ThreadRow*> rows;
    for (const ThreadRow& row : findings.threads) {
        rows.push_back(&row);
    }
    std::stable_sort(rows.begin(), rows.end(),
                     [](const ThreadRow* a, const ThreadRow* b) { return a->allocated_bytes > b->allocated_bytes; });
    Table table({{"thread", Table::Align::right},
                 {"tid", Table::Align::right},
                 {"allocations", Table::Align::right},
                 {"bytes", Table::Align::right},
                 {"frees", Table::Align::right},
                 {"of others", Table::Align::right},
                 {"live at peak", Table::Align::right},
                 {"name", Table::Align::flexible}});
    for (std::size_t i = 0; i < std::min(options.rows, rows.size()); ++i) {
        const ThreadRow& row = *rows[i];
        table.add({std::to_string(static_cast<std::uint32_t>(row.index)), std::to_string(row.tid), count_text(row.allocations),
                   bytes_text(row.allocated_bytes), count_text(row.frees), count_text(row.cross_thread_frees),
                   bytes_text(row.live_bytes_at_peak), row.name});
    }
    return text + table.text(options.terminal) + and_more(options, rows.size(), options.rows);
}

std::string lifetimes_section(const Findings& findings, const TextOptions& options) {
    std::uint64_t blocks = 0;
    std::uint64_t most = 0;
    std::size_t first = kLifetimeBuckets;
    std::size_t last = 0;
    for (std::size_t bucket = 0; bucket < kLifetimeBuckets; ++bucket) {
        const std::uint64_t here = findings.lifetimes[bucket];
        blocks += here;
        most = std::max(most, here);
        if (here != 0) {
            first = std::min(first, bucket);
            last = bucket;
        }
    }
    std::string text = heading(options, "Lifetimes of the blocks that were freed", counted(blocks, "block"));
    if (blocks == 0) {
        return text + "  no block was freed\n";
    }
    Table table({{"from", Table::Align::right},
                 {"blocks", Table::Align::right},
                 {"share", Table::Align::right},
                 {"so far", Table::Align::right},
                 {"bytes", Table::Align::right},
                 {"", Table::Align::flexible}});
    std::uint64_t so_far = 0;
    for (std::size_t bucket = first; bucket <= last; ++bucket) {
        const std::uint64_t here = findings.lifetimes[bucket];
        so_far += here;
        table.add({power_of_two_ns(bucket), count_text(here), share_text(here, blocks), share_text(so_far, blocks),
                   bytes_text(findings.lifetime_bytes[bucket]), bar(here, most, kBarColumns, options.terminal)});
    }
    return text + table.text(options.terminal);
}

std::string fragmentation_section(const Findings& findings, const TextOptions& options) {
    const Fragmentation& peak = findings.at_peak;
    const Fragmentation& end = findings.at_end;
    std::string text = heading(options, "Fragmentation");
    Table table({{"", Table::Align::left},
                 {"at the peak", Table::Align::right},
                 {"bytes", Table::Align::right},
                 {"at the end", Table::Align::right},
                 {"bytes", Table::Align::right}});
    const auto bytes = [&](const char* name, std::uint64_t Fragmentation::* value) {
        table.add({name, bytes_text(peak.*value), count_text(peak.*value), bytes_text(end.*value), count_text(end.*value)});
    };
    bytes("live, requested", &Fragmentation::live_requested);
    bytes("live, usable", &Fragmentation::live_usable);
    bytes("internal (rounding)", &Fragmentation::internal_bytes);
    table.add({"internal, of usable", share_text(peak.internal_ratio), "", share_text(end.internal_ratio), ""});
    bytes("external (free on pages in use)", &Fragmentation::external_bytes);
    table.add({"external, of pages in use", share_text(peak.external_ratio), "", share_text(end.external_ratio), ""});
    table.add({"pages in use", count_text(peak.occupied_pages), count_text(peak.occupied_pages * 4096), count_text(end.occupied_pages),
               count_text(end.occupied_pages * 4096)});
    bytes("largest free run", &Fragmentation::largest_free_run);
    bytes("resident", &Fragmentation::resident_bytes);
    bytes("resident heap without live bytes", &Fragmentation::retained_bytes);
    bytes("resident, not heap", &Fragmentation::non_heap_bytes);
    text += table.text(options.terminal);

    text += '\n' + heading(options, "Pages in use by how full they are");
    Table pages({{"live share", Table::Align::left},
                 {"at the peak", Table::Align::right},
                 {"", Table::Align::left},
                 {"at the end", Table::Align::right},
                 {"", Table::Align::left}});
    for (std::size_t i = 0; i < peak.occupancy.size(); ++i) {
        const std::string label =
            i == 10 ? "full" : (i == 0 ? "below 10 %" : std::to_string(i * 10) + " to " + std::to_string(i * 10 + 10) + " %");
        pages.add({label, count_text(peak.occupancy[i]), bar(peak.occupancy[i], peak.occupied_pages, kBarColumns, options.terminal),
                   count_text(end.occupancy[i]), bar(end.occupancy[i], end.occupied_pages, kBarColumns, options.terminal)});
    }
    return text + pages.text(options.terminal);
}

std::string timeline_section(const Findings& findings, const TextOptions& options) {
    std::string text = heading(options, "Timeline") + curves(findings, options);
    Table table({{"time", Table::Align::right},
                 {"live", Table::Align::right},
                 {"usable", Table::Align::right},
                 {"on pages", Table::Align::right},
                 {"RSS", Table::Align::right},
                 {"blocks", Table::Align::right},
                 {"fragmentation", Table::Align::right},
                 {"allocations", Table::Align::right}});
    const std::size_t moments = findings.timeline.size();
    const std::size_t rows = std::min(options.rows, moments);
    for (std::size_t row = 0; row < rows; ++row) {
        const std::size_t begin = row * moments / rows;
        const std::size_t end = (row + 1) * moments / rows;
        // The moment of the row that stands highest; the allocations of all of them.
        std::size_t best = begin;
        std::uint64_t allocations = 0;
        std::uint64_t resident = 0;  // sampled less often than the rest
        for (std::size_t i = begin; i < end; ++i) {
            best = findings.timeline[i].live_requested > findings.timeline[best].live_requested ? i : best;
            allocations += findings.timeline[i].allocations;
            resident = std::max(resident, findings.timeline[i].resident_bytes);
        }
        const Moment& moment = findings.timeline[best];
        table.add({duration_text(moment.time_ns), bytes_text(moment.live_requested), bytes_text(moment.live_usable),
                   bytes_text(moment.occupied_page_bytes), resident == 0 ? "-" : bytes_text(resident), count_text(moment.live_blocks),
                   share_text(moment.fragmentation), count_text(allocations)});
    }
    return text + '\n' + table.text(options.terminal);
}

std::string health_section(const Findings& findings, const TextOptions& options) {
    const TraceHealth& health = findings.health;
    const Totals& totals = findings.totals;
    std::string text = heading(options, "The trace");
    Table table({{"what", Table::Align::left}, {"", Table::Align::flexible}});
    table.add({"ended in an orderly way", health.complete ? "yes" : "no: the program was killed, or is still running"});
    table.add({"file",
               exact_bytes_text(health.file_bytes) + ", of which " + share_text(health.used_bytes, health.file_bytes) + " could be used"});
    table.add({"events", count_text(totals.events)});
    table.add({"events lost while recording", count_text(health.dropped_events)});
    table.add({"sampling", health.sample_interval_bytes == 0 ? "none: every event was kept"
                                                             : "every " + exact_bytes_text(health.sample_interval_bytes)});
    table.add({"frees of unknown blocks", count_text(totals.unknown_frees)});
    table.add({"frees of a parent process's blocks", count_text(totals.inherited_frees)});
    table.add({"requests refused", count_text(totals.failed)});
    table.add({"blocks freed by the wrong function", count_text(totals.mismatched)});
    if (!health.note.empty()) {
        table.add({"note", health.note});
    }
    text += table.text(options.terminal);
    text += '\n' + heading(options, "Where it comes from");
    Table provenance({{"key", Table::Align::left}, {"value", Table::Align::flexible}});
    for (const auto& [key, value] : findings.provenance) {
        provenance.add({key, value});
    }
    return text + provenance.text(options.terminal);
}

}  // namespace heapwright::study::detail
