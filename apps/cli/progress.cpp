#include "progress.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <sys/ioctl.h>
#include <unistd.h>

namespace heapwright::cli {
namespace {

constexpr auto kRedrawEvery = std::chrono::milliseconds{100};
constexpr int kBarCells = 24;

bool wanted_by_user = true;

std::size_t terminal_columns() {
    winsize size{};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string as_clock(double seconds) {
    char text[32];
    const auto whole = static_cast<long>(seconds + 0.5);
    std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
    return text;
}

std::string bar(double fraction) {
    const int full = static_cast<int>(std::clamp(fraction, 0.0, 1.0) * kBarCells);
    std::string text;
    for (int i = 0; i < kBarCells; ++i) {
        text += i < full ? "\u2588" : "\u2591";
    }
    return text;
}

}  // namespace

void set_progress_wanted(bool wanted) { wanted_by_user = wanted; }

bool progress_wanted() { return wanted_by_user && isatty(STDERR_FILENO) == 1; }

ProgressLine::ProgressLine(std::string what, bool wanted) : what_{std::move(what)}, shown_{wanted && progress_wanted()} {}

ProgressLine::~ProgressLine() {
    if (shown_ && last_ != Clock::time_point{}) {
        std::fputs("\r\033[K", stderr);
        std::fflush(stderr);
    }
}

void ProgressLine::rename(std::string what) {
    what_ = std::move(what);
    begin_ = Clock::now();
    last_ = {};
}

void ProgressLine::update(double fraction, std::uint64_t events) {
    if (!due()) {
        return;
    }
    const double taken_s = std::chrono::duration<double>(Clock::now() - begin_).count();
    std::string text = what_ + "  " + bar(fraction) + "  " + std::to_string(static_cast<int>(fraction * 100)) + " %";
    if (events != 0) {
        text += ", " + std::to_string(events / 1000) + "k events";
    }
    if (fraction > 0.01 && taken_s > 0.3) {
        text += ", " + as_clock(taken_s * (1 - fraction) / fraction) + " left";
    }
    draw(text);
}

void ProgressLine::tick(const std::string& detail) {
    if (!due()) {
        return;
    }
    const double taken_s = std::chrono::duration<double>(Clock::now() - begin_).count();
    draw(what_ + (detail.empty() ? "" : ": " + detail) + ", " + as_clock(taken_s));
}

bool ProgressLine::due() {
    const auto now = Clock::now();
    if (!shown_ || now - last_ < kRedrawEvery) {
        return false;
    }
    last_ = now;
    return true;
}

void ProgressLine::draw(const std::string& text) {
    // Bytes, not columns: a line that is cut a little early is better than one that wraps and cannot be wiped.
    std::fprintf(stderr, "\r\033[K%.*s", static_cast<int>(terminal_columns() + 2 * kBarCells - 1), text.c_str());
    std::fflush(stderr);
}

}  // namespace heapwright::cli
