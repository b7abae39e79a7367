// One line on the terminal that says how far a long piece of work is and when it will be done.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace heapwright::cli {

/// A progress line on standard error. Silent unless standard error is a terminal, so that logs stay clean.
///
/// Thread safety: one thread.
class ProgressLine {
public:
    /// `what` is the work in the -ing form: "reading a.hwtrace".
    ProgressLine(std::string what, bool wanted);
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;
    ~ProgressLine();  ///< wipes the line

    /// Redraws at most ten times a second. `fraction` in [0, 1]; `events` is shown when not 0.
    void update(double fraction, std::uint64_t events = 0);
    /// The same for work whose length is unknown: shows `detail` and the time it has taken.
    void tick(const std::string& detail);
    void rename(std::string what);

private:
    using Clock = std::chrono::steady_clock;
    bool due();
    void draw(const std::string& text);

    std::string what_;
    bool shown_;
    Clock::time_point begin_ = Clock::now();
    Clock::time_point last_{};
};

/// Whether to show progress: standard error is a terminal and the user did not say --no-progress.
void set_progress_wanted(bool wanted);
[[nodiscard]] bool progress_wanted();

}  // namespace heapwright::cli
