#include <heapwright/study/report/site_names.hpp>

#include <algorithm>
#include <cstdint>
#include <unordered_map>

namespace heapwright::study {
namespace {

constexpr std::size_t kLongestArguments = 24;

const Frame& frame_of(const Findings& findings, const Site& site, std::size_t position) {
    return findings.frames[static_cast<std::size_t>(site.frames[position])];
}

bool opens(char c) { return c == '(' || c == '<' || c == '{' || c == '['; }

bool closes(char c) { return c == ')' || c == '>' || c == '}' || c == ']'; }

// Position of the bracket that the one at `close` closes, or npos.
std::size_t matching_open(std::string_view text, std::size_t close) {
    int depth = 0;
    for (std::size_t i = close + 1; i-- > 0;) {
        if (closes(text[i]) && !(text[i] == '>' && i > 0 && text[i - 1] == '-')) {
            ++depth;
        } else if (opens(text[i]) && --depth == 0) {
            return i;
        }
    }
    return std::string_view::npos;
}

std::string_view without_parameters(std::string_view name) {
    for (const std::string_view tail : {" const &&", " const &", " const", " volatile", " &&", " &", " noexcept"}) {
        if (name.ends_with(tail) && name.substr(0, name.size() - tail.size()).ends_with(')')) {
            name.remove_suffix(tail.size());
        }
    }
    if (!name.ends_with(')')) {
        return name;
    }
    const std::size_t open = matching_open(name, name.size() - 1);
    if (open == std::string_view::npos || open == 0 || name.substr(0, open).ends_with("operator")) {
        return name;
    }
    return name.substr(0, open);
}

// A template function's demangled name begins with its return type.
std::string_view without_return_type(std::string_view name) {
    const std::size_t word = name.rfind("operator");
    const std::size_t limit = word == std::string_view::npos ? name.size() : word;
    int depth = 0;
    for (std::size_t i = limit; i-- > 0;) {
        if (closes(name[i])) {
            ++depth;
        } else if (opens(name[i])) {
            --depth;
        } else if (name[i] == ' ' && depth == 0) {
            return name.substr(i + 1);
        }
    }
    return name;
}

std::string with_short_arguments(std::string_view name) {
    std::string out;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const bool is_operator = out.ends_with("operator") || out.ends_with("operator<");
        if (name[i] != '<' || is_operator) {
            out.push_back(name[i]);
            continue;
        }
        int depth = 0;
        std::size_t end = i;
        for (; end < name.size(); ++end) {
            depth += name[end] == '<' ? 1 : name[end] == '>' && name[end - 1] != '-' ? -1 : 0;
            if (depth == 0) {
                break;
            }
        }
        const std::string_view arguments = name.substr(i, end - i + 1);
        out += arguments.size() <= kLongestArguments ? arguments : std::string_view("<...>");
        i = end;
    }
    return out;
}

std::string hex(std::uint32_t value) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    do {
        text.insert(text.begin(), kDigits[value & 15U]);
        value >>= 4U;
    } while (value != 0);
    return "0x" + text;
}

std::string base_name(const std::string& path) {
    const std::size_t slash = path.find_last_of('/');
    return slash == std::string::npos ? path : path.substr(slash + 1);
}

void add(Amount& sum, const Amount& amount) {
    sum.blocks += amount.blocks;
    sum.requested_bytes += amount.requested_bytes;
    sum.usable_bytes += amount.usable_bytes;
}

}  // namespace

std::size_t user_frame(const Findings& findings, const Site& site) {
    for (std::size_t i = 0; i < site.frames.size(); ++i) {
        if (!frame_of(findings, site, i).runtime) {
            return i;
        }
    }
    return 0;  // also the size of an empty stack
}

std::string short_function(std::string_view function) {
    const std::string_view bare = without_return_type(without_parameters(function));
    return with_short_arguments(bare.empty() ? function : bare);
}

std::string place_of(const Frame& frame) {
    if (!frame.file.empty()) {
        return base_name(frame.file) + (frame.line == 0 ? "" : ":" + std::to_string(frame.line));
    }
    return frame.module + (frame.offset == 0 ? "" : "+" + hex(frame.offset));
}

std::string label_of(const Findings& findings, const Site& site) {
    if (site.frames.empty()) {
        return "(no stack)";
    }
    const Frame& frame = frame_of(findings, site, user_frame(findings, site));
    return short_function(frame.function) + (frame.file.empty() ? " in " : " at ") + place_of(frame);
}

std::string chain_of(const Findings& findings, const Site& site, std::size_t functions) {
    std::string chain;
    for (std::size_t i = user_frame(findings, site); i < site.frames.size() && functions > 0; ++i) {
        const Frame& frame = frame_of(findings, site, i);
        if (frame.runtime && !chain.empty()) {
            continue;
        }
        chain += (chain.empty() ? "" : " < ") + short_function(frame.function);
        --functions;
    }
    return chain;
}

std::vector<SiteGroup> group_by_user_frame(const Findings& findings) {
    std::vector<SiteGroup> groups;
    std::unordered_map<std::string, std::size_t> by_key;
    std::vector<std::size_t> by_frame(findings.frames.size() + 1, 0);  // position in groups + 1; the last is "no stack"
    for (std::size_t i = 0; i < findings.sites.size(); ++i) {
        const Site& site = findings.sites[i];
        const std::size_t frame_index =
            site.frames.empty() ? findings.frames.size() : static_cast<std::size_t>(site.frames[user_frame(findings, site)]);
        std::size_t& known = by_frame[frame_index];
        if (known == 0) {
            SiteGroup group;
            if (site.frames.empty()) {
                group.function = "(no stack)";
            } else {
                Frame frame = findings.frames[frame_index];
                frame.offset = 0;
                group.function = short_function(frame.function);
                group.place = place_of(frame);
            }
            const auto [entry, fresh] = by_key.try_emplace(group.function + '\n' + group.place, groups.size());
            if (fresh) {
                groups.push_back(std::move(group));
            }
            known = entry->second + 1;
        }
        SiteGroup& group = groups[known - 1];
        group.sites.push_back(static_cast<SiteId>(i));
        add(group.live_at_peak, site.live_at_peak);
        add(group.leaked, site.leaked);
        group.allocations += site.allocations;
        group.allocated_bytes += site.allocated_bytes;
        group.temporary += site.temporary;
        group.pinned_bytes_at_peak += site.pinned_bytes_at_peak;
        group.pinned_free_bytes_at_peak += site.pinned_free_bytes_at_peak;
        group.pinned_bytes_at_end += site.pinned_bytes_at_end;
        group.pinned_free_bytes_at_end += site.pinned_free_bytes_at_end;
    }
    return groups;
}

}  // namespace heapwright::study
