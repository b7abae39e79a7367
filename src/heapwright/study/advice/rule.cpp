#include <heapwright/study/advice/rule.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace heapwright::study::advice {

bool Case::worth_bytes(double bytes) const {
    const double peak = number(std::max(findings.totals.peak_resident, findings.totals.peak_usable));
    return bytes >= kWorthBytes && bytes >= kWorthBytesShare * peak;
}

bool Case::worth_seconds(double seconds) const {
    const double cpu = number(findings.totals.cpu_ns != 0 ? findings.totals.cpu_ns : findings.totals.duration_ns) / 1e9;
    return seconds >= kWorthSeconds && seconds >= kWorthSecondsShare * cpu;
}

std::uint64_t Case::taken_for(std::uint64_t size) const {
    if (allocator.family == AllocatorInUse::Family::glibc) {
        return std::max<std::uint64_t>(32, (size + 8 + 15) / 16 * 16);
    }
    for (const SizeRow& row : findings.sizes) {
        if (row.size == size && row.usable >= size) {
            return row.usable;
        }
    }
    return (size + 15) / 16 * 16;
}

double Case::heap_resident(const Fragmentation& when) const {
    return number(when.resident_bytes > when.non_heap_bytes ? when.resident_bytes - when.non_heap_bytes : 0);
}

Suggestion about(const Case& program, const char* rule, const Place& place, Experiment::Kind kind, Gain gain) {
    Suggestion suggestion;
    suggestion.rule = rule;
    suggestion.site = place.main_site();
    suggestion.where = place.where;
    suggestion.experiment.kind = kind;
    suggestion.experiment.gain = gain;
    suggestion.experiment.sites = place.sites;
    suggestion.experiment.target = "site:" + std::to_string(static_cast<std::uint32_t>(place.main_site()));
    for (const SiteId site : place.sites) {
        suggestion.experiment.stacks.push_back(program.findings.sites[static_cast<std::size_t>(site)].stack);
    }
    return suggestion;
}

Suggestion about_program(const char* rule, Experiment::Kind kind, const std::string& target, Gain gain) {
    Suggestion suggestion;
    suggestion.rule = rule;
    suggestion.experiment.kind = kind;
    suggestion.experiment.gain = gain;
    suggestion.experiment.target = target;
    return suggestion;
}

void keep_best(std::vector<Suggestion>& suggestions) {
    // A megabyte and a hundredth of a second weigh the same here: only the order within one rule hangs on it.
    const auto weight = [](const Suggestion& one) { return one.expected_bytes / (1 << 20) + one.expected_seconds * 100; };
    std::stable_sort(suggestions.begin(), suggestions.end(),
                     [&](const Suggestion& a, const Suggestion& b) { return weight(a) > weight(b); });
    if (suggestions.size() > kMostOfOneRule) {
        suggestions.resize(kMostOfOneRule);
    }
}

std::string bytes_text(double bytes) {
    char text[48];
    const double size = std::fabs(bytes);
    if (size < 1024) {
        std::snprintf(text, sizeof(text), "%.0f bytes", bytes);
    } else if (size < 1024.0 * 1024) {
        std::snprintf(text, sizeof(text), "%.1f KiB", bytes / 1024);
    } else if (size < 1024.0 * 1024 * 1024) {
        std::snprintf(text, sizeof(text), "%.1f MiB", bytes / 1024 / 1024);
    } else {
        std::snprintf(text, sizeof(text), "%.2f GiB", bytes / 1024 / 1024 / 1024);
    }
    return text;
}

std::string count_text(std::uint64_t count) {
    std::string digits = std::to_string(count);
    for (std::size_t at = digits.size(); at > 3;) {
        at -= 3;
        digits.insert(at, ",");
    }
    return digits;
}

std::string seconds_text(double seconds) {
    char text[48];
    const double size = std::fabs(seconds);
    if (size < 1e-3) {
        std::snprintf(text, sizeof(text), "%.0f us", seconds * 1e6);
    } else if (size < 1) {
        std::snprintf(text, sizeof(text), "%.1f ms", seconds * 1e3);
    } else {
        std::snprintf(text, sizeof(text), "%.2f s", seconds);
    }
    return text;
}

}  // namespace heapwright::study::advice
