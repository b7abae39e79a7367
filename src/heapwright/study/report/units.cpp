#include <heapwright/study/report/units.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <string_view>

namespace heapwright::study {
namespace {

std::string decimal(double value, int digits) {
    std::array<char, 64> room;
    std::snprintf(room.data(), room.size(), "%.*f", digits, value);
    return room.data();
}

std::uint64_t magnitude(std::int64_t value) {
    return value < 0 ? ~static_cast<std::uint64_t>(value) + 1 : static_cast<std::uint64_t>(value);
}

}  // namespace

std::string bytes_text(std::uint64_t bytes) {
    constexpr std::uint64_t kStep = 1024;
    if (bytes < kStep) {
        return std::to_string(bytes) + " B";
    }
    static constexpr std::array<std::string_view, 6> kUnits = {" KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
    double value = static_cast<double>(bytes) / static_cast<double>(kStep);
    std::size_t unit = 0;
    while (value >= 1023.95 && unit + 1 < kUnits.size()) {  // 1023.95 would print as 1024.0
        value /= static_cast<double>(kStep);
        ++unit;
    }
    return decimal(value, 1) + std::string(kUnits[unit]);
}

std::string signed_bytes_text(std::int64_t bytes) { return (bytes > 0 ? "+" : bytes < 0 ? "-" : "") + bytes_text(magnitude(bytes)); }

std::string exact_bytes_text(std::uint64_t bytes) {
    if (bytes < 1024) {
        return counted(bytes, "byte");
    }
    return bytes_text(bytes) + " (" + count_text(bytes) + " bytes)";
}

std::string count_text(std::uint64_t count) {
    std::string digits = std::to_string(count);
    for (std::size_t at = digits.size(); at > 3;) {
        at -= 3;
        digits.insert(at, ",");
    }
    return digits;
}

std::string signed_count_text(std::int64_t count) { return (count > 0 ? "+" : count < 0 ? "-" : "") + count_text(magnitude(count)); }

std::string share_text(double share) {
    constexpr double kSmallest = 0.0005;
    if (share > 0 && share < kSmallest) {
        return "<0.1 %";
    }
    return decimal(share * 100, 1) + " %";
}

std::string share_text(std::uint64_t part, std::uint64_t whole) {
    return share_text(whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole));
}

std::string duration_text(std::uint64_t ns) {
    constexpr std::uint64_t kUs = 1000;
    constexpr std::uint64_t kMs = 1000 * kUs;
    constexpr std::uint64_t kSecond = 1000 * kMs;
    constexpr std::uint64_t kMinute = 60 * kSecond;
    const auto value = static_cast<double>(ns);
    if (ns < kUs) {
        return std::to_string(ns) + " ns";
    }
    if (ns < kMs) {
        return decimal(value / static_cast<double>(kUs), 1) + " us";
    }
    if (ns < kSecond) {
        return decimal(value / static_cast<double>(kMs), 1) + " ms";
    }
    if (ns < 2 * kMinute) {
        return decimal(value / static_cast<double>(kSecond), 2) + " s";
    }
    const std::uint64_t seconds = (ns + kSecond / 2) / kSecond;
    return count_text(seconds / 60) + " min " + std::to_string(seconds % 60) + " s";
}

std::string counted(std::uint64_t count, const char* noun) { return count_text(count) + " " + noun + (count == 1 ? "" : "s"); }

}  // namespace heapwright::study
