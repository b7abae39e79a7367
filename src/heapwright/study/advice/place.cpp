#include <heapwright/study/advice/place.hpp>

#include <algorithm>
#include <unordered_map>

namespace heapwright::study::advice {

namespace {

constexpr std::size_t kLongName = 60;

void add(Amount& to, const Amount& from) {
    to.blocks += from.blocks;
    to.requested_bytes += from.requested_bytes;
    to.usable_bytes += from.usable_bytes;
}

void add(Site& to, const Site& from) {
    for (std::size_t i = 0; i < to.calls.size(); ++i) {
        to.calls[i] += from.calls[i];
    }
    for (const auto member :
         {&Site::allocations, &Site::allocated_bytes, &Site::allocated_usable_bytes, &Site::frees, &Site::peak_bytes, &Site::temporary,
          &Site::short_lived, &Site::same_frame, &Site::cross_thread_frees, &Site::reallocs, &Site::realloc_copied_bytes,
          &Site::realloc_chains, &Site::over_aligned, &Site::lifetime_ns_total, &Site::pinned_bytes_at_peak, &Site::pinned_bytes_at_end,
          &Site::pinned_free_bytes_at_peak, &Site::pinned_free_bytes_at_end}) {
        to.*member += from.*member;
    }
    to.drains = std::max(to.drains, from.drains);
    to.realloc_chain_max = std::max(to.realloc_chain_max, from.realloc_chain_max);
    to.min_size = std::min(to.min_size, from.min_size);
    to.max_size = std::max(to.max_size, from.max_size);
    to.lifetime_ns_max = std::max(to.lifetime_ns_max, from.lifetime_ns_max);
    to.first_ns = to.allocations == from.allocations ? from.first_ns : std::min(to.first_ns, from.first_ns);
    to.last_ns = std::max(to.last_ns, from.last_ns);
    to.threads = std::max(to.threads, from.threads);
    add(to.live_at_peak, from.live_at_peak);
    add(to.leaked, from.leaked);
    for (std::size_t i = 0; i < to.sizes.size(); ++i) {
        to.sizes[i] += from.sizes[i];
    }
    for (std::size_t i = 0; i < to.lifetimes.size(); ++i) {
        to.lifetimes[i] += from.lifetimes[i];
    }
}

/// Position of the user's frame in site.frames; 0 when every frame is the run time's.
std::size_t user_position(const Findings& findings, const Site& site) {
    for (std::size_t i = 0; i < site.frames.size(); ++i) {
        if (!findings.frames[static_cast<std::size_t>(site.frames[i])].runtime) {
            return i;
        }
    }
    return 0;
}

/// Removes what stands between matching brackets, outermost ones of this kind only.
std::string without(const std::string& text, char open, char close) {
    std::string result;
    int depth = 0;
    for (const char letter : text) {
        if (letter == open) {
            ++depth;
        } else if (letter == close && depth > 0) {
            --depth;
        } else if (depth == 0) {
            result += letter;
        }
    }
    return result;
}

/// Position after the last space that stands outside of template arguments: where a return type ends.
std::size_t return_type_end(const std::string& name) {
    std::size_t end = 0;
    int depth = 0;
    for (std::size_t at = 0; at < name.size(); ++at) {
        depth += name[at] == '<' ? 1 : name[at] == '>' ? -1 : 0;
        end = name[at] == ' ' && depth == 0 ? at + 1 : end;
    }
    return end;
}

/// No symbol covers the frame, so its function is the address within its module.
bool is_bare_address(const Frame& frame) { return frame.function.starts_with("0x"); }

}  // namespace

const Frame* user_frame(const Findings& findings, const Site& site) {
    return site.frames.empty() ? nullptr : &findings.frames[static_cast<std::size_t>(site.frames[user_position(findings, site)])];
}

std::string short_function(const std::string& function) {
    // Operators hold brackets of their own; a name with one stays as it is.
    if (function.find("operator") != std::string::npos) {
        return function.substr(0, kLongName);
    }
    std::string name = function;
    for (const char* const tag : {"[abi:cxx11]", "(anonymous namespace)::", " const", " [clone .constprop.0]", " [clone .isra.0]"}) {
        if (const std::size_t at = name.find(tag); at != std::string::npos) {
            name.erase(at, std::char_traits<char>::length(tag));
        }
    }
    name = without(name, '(', ')');
    if (name.size() > kLongName) {
        name = without(name, '<', '>');
    }
    if (const std::size_t type = return_type_end(name); type < name.size()) {
        name.erase(0, type);
    }
    return name.empty() ? function : name;
}

std::string called(const Frame& frame) {
    return is_bare_address(frame) && !frame.module.empty() ? frame.function + " in " + frame.module : short_function(frame.function);
}

std::string where_of(const Frame& frame) {
    const std::string name = called(frame);
    if (frame.file.empty()) {
        return is_bare_address(frame) || frame.module.empty() ? name : name + " (" + frame.module + ")";
    }
    const std::size_t slash = frame.file.rfind('/');
    return name + " (" + (slash == std::string::npos ? frame.file : frame.file.substr(slash + 1)) + ":" + std::to_string(frame.line) + ")";
}

Site sum_of(const Findings& findings, const std::vector<SiteId>& sites) {
    Site sum;
    for (const SiteId site : sites) {
        add(sum, findings.sites[static_cast<std::size_t>(site)]);
    }
    return sum;
}

std::vector<Place> places_of(const Findings& findings) {
    std::vector<Place> places;
    std::unordered_map<std::uint32_t, std::size_t> by_frame;
    for (std::size_t i = 0; i < findings.sites.size(); ++i) {
        const Site& site = findings.sites[i];
        if (site.frames.empty() || site.allocations == 0) {
            continue;
        }
        const FrameId frame = site.frames[user_position(findings, site)];
        const auto [entry, is_new] = by_frame.emplace(static_cast<std::uint32_t>(frame), places.size());
        if (is_new) {
            places.emplace_back();
            places.back().frame = frame;
        }
        Place& place = places[entry->second];
        place.sites.push_back(static_cast<SiteId>(i));
        add(place.sum, site);
    }
    for (Place& place : places) {
        const Frame& frame = findings.frames[static_cast<std::size_t>(place.frame)];
        place.function = called(frame);
        place.where = where_of(frame);
        std::stable_sort(place.sites.begin(), place.sites.end(), [&findings](SiteId a, SiteId b) {
            return findings.sites[static_cast<std::size_t>(a)].allocations > findings.sites[static_cast<std::size_t>(b)].allocations;
        });
    }
    std::stable_sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.sum.allocations > b.sum.allocations; });
    return places;
}

}  // namespace heapwright::study::advice
