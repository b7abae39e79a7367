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
// Powers of 1024 in every spelling, as everywhere in heapwright.
constexpr std::array<Unit, 14> kUnits{{{"", 1},
                                       {"b", 1},
                                       {"k", kKi},
                                       {"kib", kKi},
                                       {"kb", kKi},
                                       {"m", kKi* kKi},
                                       {"mib", kKi* kKi},
                                       {"mb", kKi* kKi},
                                       {"g", kKi* kKi* kKi},
                                       {"gib", kKi* kKi* kKi},
                                       {"gb", kKi* kKi* kKi},
                                       {"t", kKi* kKi* kKi* kKi},
                                       {"tib", kKi* kKi* kKi* kKi},
                                       {"tb", kKi* kKi* kKi* kKi}}};

}  // namespace

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
    double number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (problem != std::errc{} || !(number >= 0)) {
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

std::string signed_percent(double ratio) {
    const double percent = (ratio - 1) * 100;
    char text[32];
    std::snprintf(text, sizeof text, std::abs(percent) < 10 ? "%+.1f %%" : "%+.0f %%", percent);
    return text;
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
