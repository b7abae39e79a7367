// What happens to signals of ours while a program of the user's runs.
#pragma once

#include <csignal>

#include <sys/types.h>

namespace heapwright::cli {

/// While it lives, SIGINT and SIGQUIT are the program's business, which gets them from the terminal itself; SIGTERM and SIGHUP
/// are passed on to it. Handlers, not SIG_IGN: exec resets a handler, but hands an ignored signal down to the program. What is
/// ignored already stays so.
///
/// Thread safety: one at a time in a process.
class ProgramSignals {
public:
    ProgramSignals();
    ProgramSignals(const ProgramSignals&) = delete;
    ProgramSignals& operator=(const ProgramSignals&) = delete;
    ~ProgramSignals();

    /// From now on there is somebody to pass signals on to. What came before is passed on now.
    void forward_to(pid_t child) const;
    /// The last of the four that came; 0: none.
    [[nodiscard]] int last() const;
    /// For poll(): readable from the first signal on. -1 where there was none to have.
    [[nodiscard]] int arrival() const { return pipe_[0]; }

private:
    static constexpr int kSignals[4] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};

    struct sigaction before_[4]{};
    int pipe_[2] = {-1, -1};
};

}  // namespace heapwright::cli
