#include "program_signals.hpp"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace heapwright::cli {
namespace {

volatile sig_atomic_t child_for_signals = 0;
volatile sig_atomic_t signal_for_child = 0;  // came before there was one, or before its launcher could pass it on
volatile sig_atomic_t last_signal = 0;
volatile sig_atomic_t bell = -1;  // the writing end of the pipe

void note(int signal_number) {
    const int saved = errno;
    last_signal = signal_number;
    if (bell >= 0) {
        (void)!write(bell, "", 1);
    }
    errno = saved;
}

void forward(int signal_number) {
    if (child_for_signals > 0) {
        kill(child_for_signals, signal_number);
    } else {
        signal_for_child = signal_number;
    }
    note(signal_number);
}

}  // namespace

ProgramSignals::ProgramSignals() {
    signal_for_child = 0;
    last_signal = 0;
    (void)!pipe2(pipe_, O_CLOEXEC | O_NONBLOCK);
    bell = pipe_[1];
    for (int i = 0; i < 4; ++i) {
        sigaction(kSignals[i], nullptr, &before_[i]);
        if (before_[i].sa_handler == SIG_IGN) {
            continue;  // nohup: the program inherits the ignored signal as it would without us
        }
        struct sigaction action{};
        action.sa_handler = kSignals[i] == SIGTERM || kSignals[i] == SIGHUP ? forward : note;
        sigaction(kSignals[i], &action, nullptr);
    }
}

ProgramSignals::~ProgramSignals() {
    child_for_signals = 0;
    for (int i = 0; i < 4; ++i) {
        sigaction(kSignals[i], &before_[i], nullptr);
    }
    bell = -1;
    for (const int end : pipe_) {
        if (end >= 0) {
            close(end);
        }
    }
}

void ProgramSignals::forward_to(pid_t child) const {
    child_for_signals = child;
    if (signal_for_child != 0) {
        kill(child, signal_for_child);
    }
}

int ProgramSignals::last() const { return last_signal; }

}  // namespace heapwright::cli
