#include "sizes.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace heapwright::cli {
namespace {

struct Unit {
    std::string_view name;
    double bytes;
};

constexpr double kKi = 1024;
constexpr std::array<Unit, 14> kUnits{{{"", 1}, {"b", 1}, {"k", kKi}, {"kib", kKi}, {"kb", 1e3},
                                       {"m", kKi * kKi}, {"mib", kKi * kKi}, {"mb", 1e6},
                                       {"g", kKi * kKi * kKi}, {"gib", kKi * kKi * kKi}, {"gb", 1e9},
                                       {"t", kKi * kKi * kKi * kKi}, {"tib", kKi * kKi * kKi * kKi}, {"tb", 1e12}}};

std::string formatted(const char* pattern, double number, const char* unit) {
    char text[48];
    std::snprintf(text, sizeof text, pattern, number, unit);
    return text;
}

}  // namespace

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
    double number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc{} || number < 0) {
        return std::nullopt;
    }
    std::string unit;
    for (const char* letter = end; letter != text.data() + text.size(); ++letter) {
        if (*letter != ' ') {
            unit.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(*letter))));
        }
    }
    const auto* found = std::ranges::find(kUnits, unit, &Unit::name);
    if (found == kUnits.end() || number * found->bytes >= 1.8e19) {
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(std::llround(number * found->bytes));
}

std::string human_bytes(std::uint64_t bytes) {
    static constexpr const char* kNames[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    auto number = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (number >= 1000 && unit + 1 < std::size(kNames)) {
        number /= kKi;
        ++unit;
    }
    return formatted(unit == 0 || number >= 100 ? "%.0f %s" : "%.1f %s", number, kNames[unit]);
}

std::string human_time(std::uint64_t ns) {
    const auto number = static_cast<double>(ns);
    if (ns < 1000) {
        return formatted("%.0f %s", number, "ns");
    }
    if (ns < 1'000'000) {
        return formatted("%.1f %s", number / 1e3, "us");
    }
    if (ns < 1'000'000'000) {
        return formatted("%.0f %s", number / 1e6, "ms");
    }
    return formatted("%.2f %s", number / 1e9, "s");
}

std::string with_thousands(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
        digits.insert(static_cast<std::size_t>(at), ",");
    }
    return digits;
}

std::string signed_percent(double ratio) {
    const double percent = (ratio - 1) * 100;
    return formatted(std::abs(percent) < 10 ? "%+.1f %s" : "%+.0f %s", percent, "%");
}

void add_bytes_option(CLI::App& verb, const std::string& name, std::uint64_t& bytes, const std::string& description) {
    verb.add_option_function<std::string>(
            name,
            [&bytes, name](const std::string& text) {
                const auto parsed = parse_bytes(text);
                if (!parsed) {
                    throw CLI::ValidationError{name, "'" + text + "' is no size; write bytes or a unit, such as 64KiB"};
                }
                bytes = *parsed;
            },
            description)
        ->type_name("BYTES");
}

}  // namespace heapwright::cli
