// The first screen: what the memory is at the peak, what of it is wasted, who holds it, and what stays.
#include <algorithm>

#include <heapwright/study/report/detail/text_sections.hpp>
#include <heapwright/study/report/document.hpp>
#include <heapwright/study/report/sparkline.hpp>
#include <heapwright/study/report/summary.hpp>
#include <heapwright/study/report/table.hpp>
#include <heapwright/study/report/units.hpp>

namespace heapwright::study::detail {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::size_t kBarColumns = 16;

std::string provenance_value(const Findings& findings, const char* key) {
    const auto found = findings.provenance.find(key);
    return found == findings.provenance.end() ? std::string{} : found->second;
}

std::string title_line(const Findings& findings, const TextOptions& options) {
    std::string remark = duration_text(findings.totals.duration_ns) + ", " + counted(findings.totals.events, "event") + ", " +
                         counted(findings.threads.size(), "thread");
    for (const char* key : {"allocator", "kernel"}) {
        const std::string value = provenance_value(findings, key);
        remark += value.empty() ? "" : ", " + harmless(value);
    }
    return heading(options, harmless(title_of(findings)), remark);
}

// The ladder from what was asked for to what is resident, each step with what it adds.
std::string ladder(const Findings& findings, const TextOptions& options) {
    const Fragmentation& peak = findings.at_peak;
    const Composition parts = composition_of(peak);
    const std::uint64_t pages = peak.occupied_pages * kPageBytes;
    const std::uint64_t scale = std::max({peak.resident_bytes, pages + parts.retained, peak.live_usable});
    Table table({{"at the peak", Table::Align::left},
                 {"", Table::Align::right},
                 {"bytes", Table::Align::right},
                 {"", Table::Align::left},
                 {"", Table::Align::flexible}});
    const auto step = [&](const char* name, std::uint64_t bytes, const std::string& remark) {
        table.add({name, bytes_text(bytes), count_text(bytes), bar(bytes, scale, kBarColumns, options.terminal), remark});
    };
    step("requested", peak.live_requested, counted(peak.live_blocks, "block"));
    step("usable", peak.live_usable, "+" + bytes_text(parts.internal) + " rounding");
    step("on pages", pages, "+" + bytes_text(parts.external) + " gaps between live blocks");
    if (peak.resident_bytes != 0) {
        if (parts.retained != 0) {
            step("with kept", pages + parts.retained, "+" + bytes_text(parts.retained) + " kept free by the allocator");
        }
        step("resident", peak.resident_bytes,
             parts.untouched > parts.other ? "-" + bytes_text(parts.untouched - parts.other) + " never touched"
                                           : "+" + bytes_text(parts.other - parts.untouched) + " not heap");
    }
    return table.text(options.terminal);
}

std::string verdict_lines(const Findings& findings, const TextOptions& options) {
    const MemoryVerdict verdict = verdict_of(findings);
    const Ink ink = verdict.grade == Grade::low ? Ink::good : verdict.grade == Grade::moderate ? Ink::warning : Ink::bad;
    std::string headline = wrapped(verdict.headline, options.terminal.width, 0);
    headline[0] = static_cast<char>(headline[0] >= 'a' && headline[0] <= 'z' ? headline[0] - 'a' + 'A' : headline[0]);
    std::string text = inked(options.terminal, ink, headline) + '\n';
    for (const std::string& sentence : verdict.sentences) {
        text += bullet(options, sentence);
    }
    return text;
}

template <class Value>
std::string top_groups(const std::vector<SiteGroup>& groups, const TextOptions& options, const char* title, Value value,
                       std::uint64_t total, bool bytes, const char* of_what) {
    const std::vector<SiteGroup> top = leading(groups, value, options.summary_rows);
    if (top.empty()) {
        return {};
    }
    Table table({{bytes ? "bytes" : "blocks", Table::Align::right},
                 {"share", Table::Align::right},
                 {"", Table::Align::left},
                 {"stacks", Table::Align::right},
                 {"function", Table::Align::flexible},
                 {"place", Table::Align::left}});
    constexpr std::size_t kSmallBar = 8;
    for (const SiteGroup& group : top) {
        const std::uint64_t amount = value(group);
        table.add({bytes ? bytes_text(amount) : count_text(amount), share_text(amount, total),
                   bar(amount, total, kSmallBar, options.terminal), count_text(group.sites.size()), group.function,
                   shortened(group.place, options.terminal.width / 3)});
    }
    return '\n' + heading(options, title, of_what) + table.text(options.terminal);
}

std::string health_lines(const Findings& findings, const TextOptions& options) {
    std::string text;
    const TraceHealth& health = findings.health;
    if (!health.note.empty()) {
        text += inked(options.terminal, Ink::warning, wrapped(harmless(health.note), options.terminal.width, 0)) + '\n';
    }
    if (health.sample_interval_bytes != 0) {
        text += "Sampled: one block in about " + bytes_text(health.sample_interval_bytes) + " was recorded; figures are scaled back\n";
    }
    return text;
}

}  // namespace

std::string curves(const Findings& findings, const TextOptions& options) {
    constexpr std::size_t kLabel = 10;
    if (findings.timeline.size() < 2) {
        return {};
    }
    std::vector<std::uint64_t> live;
    std::vector<std::uint64_t> resident;
    for (const Moment& moment : findings.timeline) {
        live.push_back(moment.live_requested);
        // Between two samples the last one stands.
        resident.push_back(moment.resident_bytes != 0 || resident.empty() ? moment.resident_bytes : resident.back());
    }
    const std::uint64_t highest_live = *std::max_element(live.begin(), live.end());
    const std::uint64_t highest_resident = *std::max_element(resident.begin(), resident.end());
    const std::size_t columns = std::min<std::size_t>(options.terminal.width - kLabel - 24, 120);
    std::string text = "  live    " + sparkline(live, columns, options.terminal) + "  " + bytes_text(highest_live) + '\n';
    if (highest_resident != 0) {
        text += "  RSS     " + sparkline(resident, columns, options.terminal) + "  " + bytes_text(highest_resident) + '\n';
    }
    const std::size_t drawn = std::min(columns, live.size());
    const std::string end = duration_text(findings.timeline.back().time_ns);
    if (drawn > end.size() + 4) {
        text += inked(options.terminal, Ink::faint, std::string(kLabel, ' ') + "0" + std::string(drawn - 1 - end.size(), ' ') + end) + '\n';
    }
    return text;
}

std::string summary_section(const Findings& findings, const TextOptions& options) {
    const Totals& totals = findings.totals;
    std::string text = title_line(findings, options) + health_lines(findings, options);
    if (totals.allocations == 0) {
        return text + "The program allocated nothing that was recorded\n";
    }
    text += '\n' + ladder(findings, options);
    text += "  peak after " + duration_text(totals.peak_time_ns) + " of " + duration_text(totals.duration_ns);
    text += totals.peak_resident == 0 ? "\n" : "; highest RSS " + exact_bytes_text(totals.peak_resident) + '\n';
    const std::string lines = curves(findings, options);
    text += lines.empty() ? "" : '\n' + lines;
    text += '\n' + verdict_lines(findings, options);

    const std::vector<SiteGroup> groups = group_by_user_frame(findings);
    text += top_groups(groups, options, "Who holds memory at the peak", peak_bytes, findings.at_peak.live_requested, true,
                       exact_bytes_text(findings.at_peak.live_requested).c_str());
    text += top_groups(groups, options, "Never freed", leaked_bytes, totals.leaked.requested_bytes, true,
                       (exact_bytes_text(totals.leaked.requested_bytes) + " in " + counted(totals.leaked.blocks, "block")).c_str());
    text += top_groups(
        groups, options, "Temporary", temporary_blocks, totals.temporary, false,
        (counted(totals.temporary, "block") + " of " + count_text(totals.allocations) + " freed before the thread's next allocation")
            .c_str());
    text += top_groups(groups, options, "Pages pinned at the peak", pinned_free_at_peak, findings.at_peak.external_bytes, true,
                       "free bytes on pages that hold live blocks of this function only");
    if (totals.mismatched != 0) {
        text += '\n' +
                inked(options.terminal, Ink::bad,
                      counted(totals.mismatched, "block") + " freed by the wrong function (new by free, malloc by delete ...)") +
                '\n';
    }
    if (totals.failed != 0) {
        text += '\n' + inked(options.terminal, Ink::bad, counted(totals.failed, "request") + " refused by the allocator") + '\n';
    }
    return text;
}

}  // namespace heapwright::study::detail
