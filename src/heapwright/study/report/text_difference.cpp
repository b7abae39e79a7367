// The comparison of two traces as text: totals first, then the functions that changed most, with signs.
#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

#include <heapwright/study/report/detail/text_sections.hpp>
#include <heapwright/study/report/document.hpp>
#include <heapwright/study/report/function_keys.hpp>
#include <heapwright/study/report/site_names.hpp>
#include <heapwright/study/report/table.hpp>
#include <heapwright/study/report/text.hpp>
#include <heapwright/study/report/units.hpp>
#include <heapwright/study/report/weight.hpp>

namespace heapwright::study {
namespace {

/// All stacks whose first function of the user's own is the same, on both sides.
struct Group {
    std::string function;
    std::string place;
    std::string chain;
    Weights before{};
    Weights after{};
    bool in_before = false;
    bool in_after = false;
};

Ink ink_of(std::int64_t change) { return change > 0 ? Ink::bad : change < 0 ? Ink::good : Ink::plain; }

std::string relative(std::uint64_t before, std::uint64_t after) {
    if (before == after) {
        return "";
    }
    if (before == 0) {
        return "new";
    }
    if (after == 0) {
        return "gone";
    }
    const double share = (static_cast<double>(after) - static_cast<double>(before)) / static_cast<double>(before);
    return (share > 0 ? "+" : "-") + share_text(share < 0 ? -share : share);
}

std::string totals_table(const TraceDifference& difference, const Terminal& terminal) {
    Table table({{"", Table::Align::left},
                 {"before", Table::Align::right},
                 {"after", Table::Align::right},
                 {"change", Table::Align::right},
                 {"", Table::Align::right}});
    const auto add = [&](const char* name, std::uint64_t before, std::uint64_t after, std::string (*show)(std::uint64_t),
                         std::string (*show_change)(std::int64_t)) {
        const std::int64_t change = study::difference(after, before);
        table.add({name, show(before), show(after), show_change(change), relative(before, after)}, ink_of(change));
    };
    const auto bytes = [&](const char* name, std::uint64_t before, std::uint64_t after) {
        add(name, before, after, bytes_text, signed_bytes_text);
    };
    const auto count = [&](const char* name, std::uint64_t before, std::uint64_t after) {
        add(name, before, after, count_text, signed_count_text);
    };
    const Totals& a = difference.before.totals;
    const Totals& b = difference.after.totals;
    const Fragmentation& peak_a = difference.before.at_peak;
    const Fragmentation& peak_b = difference.after.at_peak;
    bytes("peak requested", a.peak_requested, b.peak_requested);
    bytes("peak usable", a.peak_usable, b.peak_usable);
    bytes("pages in use at the peak", peak_a.occupied_pages * 4096, peak_b.occupied_pages * 4096);
    bytes("peak resident", a.peak_resident, b.peak_resident);
    bytes("gaps at the peak", peak_a.external_bytes, peak_b.external_bytes);
    bytes("never freed", a.leaked.requested_bytes, b.leaked.requested_bytes);
    count("never freed, blocks", a.leaked.blocks, b.leaked.blocks);
    bytes("kept by the allocator at the end", difference.before.at_end.retained_bytes, difference.after.at_end.retained_bytes);
    count("allocations", a.allocations, b.allocations);
    bytes("allocated bytes", a.allocated_bytes, b.allocated_bytes);
    count("temporary", a.temporary, b.temporary);
    count("resizes", a.reallocs, b.reallocs);
    count("page faults", a.minor_faults + a.major_faults, b.minor_faults + b.major_faults);
    const auto time = [](std::uint64_t ns) { return duration_text(ns); };
    const auto time_change = [](std::int64_t ns) {
        return (ns > 0 ? "+" : ns < 0 ? "-" : "") + duration_text(static_cast<std::uint64_t>(ns < 0 ? -ns : ns));
    };
    add("CPU time", a.cpu_ns, b.cpu_ns, time, time_change);
    add("duration", a.duration_ns, b.duration_ns, time, time_change);
    return table.text(terminal);
}

// The findings' own functions want a Site of one Findings; here the frames of both stand in one list.
std::vector<Group> groups_of(const TraceDifference& difference) {
    Findings names;
    names.frames = difference.frames;
    std::vector<Group> groups;
    std::unordered_map<std::string, std::size_t> by_key;
    for (const SitePair& pair : difference.sites) {
        Site site;
        site.frames = pair.frames;
        std::string key = "(no stack)";
        const Frame* frame = nullptr;
        if (!site.frames.empty()) {
            frame = &names.frames[static_cast<std::size_t>(site.frames[user_frame(names, site)])];
            key = frame->function + '\n' + std::string(module_stem(frame->module));
        }
        const auto [entry, fresh] = by_key.try_emplace(key, groups.size());
        if (fresh) {
            Group& group = groups.emplace_back();
            group.function = frame == nullptr ? key : short_function(frame->function);
            group.place = frame == nullptr ? "" : place_of(*frame);
        }
        Group& group = groups[entry->second];
        group.in_before = group.in_before || pair.in_before;
        group.in_after = group.in_after || pair.in_after;
        for (const Weight weight : kWeights) {
            group.before[static_cast<std::size_t>(weight)] += value_of(pair.before, weight);
            group.after[static_cast<std::size_t>(weight)] += value_of(pair.after, weight);
        }
    }
    return groups;
}

std::uint64_t magnitude(const Group& group, std::size_t weight) {
    return group.after[weight] > group.before[weight] ? group.after[weight] - group.before[weight]
                                                      : group.before[weight] - group.after[weight];
}

std::string changes_table(std::vector<Group> groups, Weight weight, const char* title, const TextOptions& options) {
    const auto column = static_cast<std::size_t>(weight);
    std::erase_if(groups, [&](const Group& group) { return magnitude(group, column) == 0; });
    if (groups.empty()) {
        return {};
    }
    std::stable_sort(groups.begin(), groups.end(),
                     [&](const Group& a, const Group& b) { return magnitude(a, column) > magnitude(b, column); });
    const auto show = [&](std::uint64_t value) { return is_bytes(weight) ? bytes_text(value) : count_text(value); };
    const auto show_change = [&](std::int64_t value) { return is_bytes(weight) ? signed_bytes_text(value) : signed_count_text(value); };
    Table table({{"change", Table::Align::right},
                 {"", Table::Align::right},
                 {"before", Table::Align::right},
                 {"after", Table::Align::right},
                 {"function", Table::Align::flexible},
                 {"place", Table::Align::left}});
    std::int64_t rest = 0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        const std::int64_t change = difference(groups[i].after[column], groups[i].before[column]);
        if (i >= options.rows) {
            rest += change;
            continue;
        }
        table.add({show_change(change), relative(groups[i].before[column], groups[i].after[column]), show(groups[i].before[column]),
                   show(groups[i].after[column]), groups[i].function, shortened(groups[i].place, options.terminal.width / 3)},
                  ink_of(change));
    }
    std::string text = '\n' + detail::heading(options, title) + table.text(options.terminal);
    if (groups.size() > options.rows) {
        text += inked(options.terminal, Ink::faint,
                      "  and " + count_text(groups.size() - options.rows) + " more, together " + show_change(rest)) +
                '\n';
    }
    return text;
}

}  // namespace

std::string text_report(const TraceDifference& difference, const TextOptions& options) {
    std::string text = detail::heading(options, harmless(title_of(difference)), "changes are after minus before");
    text += '\n' + totals_table(difference, options.terminal);
    const std::vector<Group> groups = groups_of(difference);
    const std::size_t before_changes = text.size();
    text += changes_table(groups, Weight::peak, "Held at the peak", options);
    text += changes_table(groups, Weight::leaked, "Never freed", options);
    text += changes_table(groups, Weight::allocations, "Allocations", options);
    text += changes_table(groups, Weight::pinned_free_peak, "Free bytes on pages pinned at the peak", options);
    if (text.size() == before_changes) {
        text += "\nNo call site changed\n";
    }
    return text;
}

}  // namespace heapwright::study
