#include <heapwright/study/report/budget.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>

#include <heapwright/study/report/nearest_name.hpp>
#include <heapwright/study/report/units.hpp>

namespace heapwright::study {
namespace {

struct Known {
    std::string_view name;
    Unit unit;
};

constexpr std::array<Known, kQuantityCount> kKnown = {{{"peak", Unit::bytes},
                                                       {"usable", Unit::bytes},
                                                       {"rss", Unit::bytes},
                                                       {"leak", Unit::bytes},
                                                       {"leaked_blocks", Unit::count},
                                                       {"allocations", Unit::count},
                                                       {"allocated", Unit::bytes},
                                                       {"temporary", Unit::count},
                                                       {"temporary_share", Unit::share},
                                                       {"fragmentation", Unit::share},
                                                       {"internal", Unit::share},
                                                       {"retained", Unit::bytes},
                                                       {"pinned", Unit::bytes},
                                                       {"reallocs", Unit::count},
                                                       {"faults", Unit::count},
                                                       {"mismatched", Unit::count},
                                                       {"failed", Unit::count},
                                                       {"cpu", Unit::ns},
                                                       {"duration", Unit::ns}}};

struct Scale {
    std::string_view suffix;
    double factor;
};

constexpr double kKi = 1024;
constexpr std::array<Scale, 13> kByteScales = {{{"", 1},
                                                {"b", 1},
                                                {"k", kKi},
                                                {"kb", kKi},
                                                {"kib", kKi},
                                                {"m", kKi* kKi},
                                                {"mb", kKi* kKi},
                                                {"mib", kKi* kKi},
                                                {"g", kKi* kKi* kKi},
                                                {"gb", kKi* kKi* kKi},
                                                {"gib", kKi* kKi* kKi},
                                                {"t", kKi* kKi* kKi* kKi},
                                                {"tib", kKi* kKi* kKi* kKi}}};
constexpr std::array<Scale, 4> kCountScales = {{{"", 1}, {"k", 1e3}, {"m", 1e6}, {"g", 1e9}}};
constexpr std::array<Scale, 2> kShareScales = {{{"", 1}, {"%", 0.01}}};
constexpr std::array<Scale, 5> kTimeScales = {{{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}}};

std::span<const Scale> scales_of(Unit unit) {
    switch (unit) {
        case Unit::bytes: return kByteScales;
        case Unit::count: return kCountScales;
        case Unit::share: return kShareScales;
        case Unit::ns: return kTimeScales;
    }
    return {};
}

const char* example_of(Unit unit) {
    switch (unit) {
        case Unit::bytes: return "200MiB";
        case Unit::count: return "1000000";
        case Unit::share: return "30%";
        case Unit::ns: return "1.5s";
    }
    return "";
}

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ')) {
        text.remove_prefix(1);
    }
    while (text.ends_with(' ')) {
        text.remove_suffix(1);
    }
    return text;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return out;
}

struct Operator {
    std::string_view text;
    Relation relation;
};

// Longer ones first: ">=" starts with ">".
constexpr std::array<Operator, 7> kOperators = {{{">=", Relation::greater_equal},
                                                 {"<=", Relation::less_equal},
                                                 {"==", Relation::equal},
                                                 {"!=", Relation::not_equal},
                                                 {">", Relation::greater},
                                                 {"<", Relation::less},
                                                 {"=", Relation::equal}}};

std::optional<Quantity> quantity_of(std::string_view name) {
    for (std::size_t i = 0; i < kKnown.size(); ++i) {
        if (kKnown[i].name == name) {
            return static_cast<Quantity>(i);
        }
    }
    return std::nullopt;
}

std::string unknown_name(std::string_view name) {
    std::vector<std::string_view> names;
    std::string list;
    for (const Known& known : kKnown) {
        names.push_back(known.name);
        list += (list.empty() ? "" : ", ") + std::string(known.name);
    }
    const std::string_view nearest = nearest_name(name, names);
    return "unknown quantity '" + std::string(name) + "' in --fail-on: " +
           (nearest.empty() ? "known are " + list : "the nearest known is '" + std::string(nearest) + "'; known are " + list);
}

std::expected<double, std::string> parse_value(std::string_view text, Unit unit, std::string_view limit) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const std::string wanted = "; write a number such as " + std::string(example_of(unit));
    if (error != std::errc{} || !std::isfinite(value) || value < 0) {
        return std::unexpected("bad limit '" + std::string(limit) + "' in --fail-on: '" + std::string(text) + "' is no number" + wanted);
    }
    const std::string suffix = lower(trimmed(text.substr(static_cast<std::size_t>(end - text.data()))));
    for (const Scale& scale : scales_of(unit)) {
        if (scale.suffix != suffix) {
            continue;
        }
        if (unit == Unit::share && value * scale.factor > 1) {
            return std::unexpected("bad limit '" + std::string(limit) + "' in --fail-on: a share is at most 100%" + wanted);
        }
        return value * scale.factor;
    }
    return std::unexpected("bad limit '" + std::string(limit) + "' in --fail-on: " +
                           (suffix.empty() ? "a unit is missing" : "'" + suffix + "' is no unit of this quantity") + wanted);
}

std::expected<Limit, std::string> parse_limit(std::string_view text) {
    const std::size_t at = text.find_first_of("<>=!");
    const std::string name = lower(trimmed(text.substr(0, at)));
    const std::optional<Quantity> quantity = quantity_of(name);
    if (!quantity) {
        return std::unexpected(unknown_name(name));
    }
    if (at == std::string_view::npos) {
        return std::unexpected("bad limit '" + std::string(text) + "' in --fail-on: it has no comparison; write " + name + ">" +
                               example_of(unit_of(*quantity)));
    }
    for (const Operator& known : kOperators) {
        if (text.substr(at).starts_with(known.text)) {
            const auto value = parse_value(trimmed(text.substr(at + known.text.size())), unit_of(*quantity), text);
            if (!value) {
                return std::unexpected(value.error());
            }
            return Limit{*quantity, known.relation, *value, std::string(text)};
        }
    }
    return std::unexpected("bad limit '" + std::string(text) + "' in --fail-on: '!' alone compares nothing; known are > >= < <= == !=");
}

bool holds(double measured, Relation relation, double value) {
    switch (relation) {
        case Relation::greater: return measured > value;
        case Relation::greater_equal: return measured >= value;
        case Relation::less: return measured < value;
        case Relation::less_equal: return measured <= value;
        case Relation::equal: return measured == value;
        case Relation::not_equal: return measured != value;
    }
    return false;
}

std::string shown(double measured, Unit unit) {
    const auto whole = static_cast<std::uint64_t>(measured);
    switch (unit) {
        case Unit::bytes: return exact_bytes_text(whole);
        case Unit::count: return count_text(whole);
        case Unit::share: return share_text(measured);
        case Unit::ns: return duration_text(whole);
    }
    return {};
}

}  // namespace

std::string_view name_of(Quantity quantity) { return kKnown[static_cast<std::size_t>(quantity)].name; }

Unit unit_of(Quantity quantity) { return kKnown[static_cast<std::size_t>(quantity)].unit; }

std::expected<std::vector<Limit>, std::string> parse_limits(std::string_view text) {
    std::vector<Limit> limits;
    if (trimmed(text).empty()) {
        return limits;
    }
    while (true) {
        const std::size_t comma = text.find(',');
        const std::string_view part = trimmed(text.substr(0, comma));
        if (part.empty()) {
            return std::unexpected(
                std::string("empty limit in --fail-on: nothing stands beside a comma; write limits such as peak>200MiB,leak>0"));
        }
        auto limit = parse_limit(part);
        if (!limit) {
            return std::unexpected(std::move(limit.error()));
        }
        limits.push_back(std::move(*limit));
        if (comma == std::string_view::npos) {
            return limits;
        }
        text.remove_prefix(comma + 1);
    }
}

double measure(const Findings& findings, Quantity quantity) {
    const Totals& totals = findings.totals;
    const auto number = [](std::uint64_t value) { return static_cast<double>(value); };
    switch (quantity) {
        case Quantity::peak: return number(totals.peak_requested);
        case Quantity::usable: return number(totals.peak_usable);
        case Quantity::rss: return number(totals.peak_resident);
        case Quantity::leak: return number(totals.leaked.requested_bytes);
        case Quantity::leaked_blocks: return number(totals.leaked.blocks);
        case Quantity::allocations: return number(totals.allocations);
        case Quantity::allocated: return number(totals.allocated_bytes);
        case Quantity::temporary: return number(totals.temporary);
        case Quantity::temporary_share: return totals.allocations == 0 ? 0.0 : number(totals.temporary) / number(totals.allocations);
        case Quantity::fragmentation: return findings.at_peak.external_ratio;
        case Quantity::internal: return findings.at_peak.internal_ratio;
        case Quantity::retained: return number(findings.at_end.retained_bytes);
        case Quantity::pinned: return number(findings.at_end.external_bytes);
        case Quantity::reallocs: return number(totals.reallocs);
        case Quantity::faults: return number(totals.minor_faults + totals.major_faults);
        case Quantity::mismatched: return number(totals.mismatched);
        case Quantity::failed: return number(totals.failed);
        case Quantity::cpu: return number(totals.cpu_ns);
        case Quantity::duration: return number(totals.duration_ns);
    }
    return 0;
}

std::vector<Excess> exceeded(const Findings& findings, const std::vector<Limit>& limits) {
    std::vector<Excess> excesses;
    for (const Limit& limit : limits) {
        const double measured = measure(findings, limit.quantity);
        if (holds(measured, limit.relation, limit.value)) {
            excesses.push_back({limit, measured,
                                std::string(name_of(limit.quantity)) + " is " + shown(measured, unit_of(limit.quantity)) + ", which '" +
                                    limit.text + "' does not allow"});
        }
    }
    return excesses;
}

}  // namespace heapwright::study
