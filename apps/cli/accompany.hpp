// A program that has been started, until it has ended: by itself, by the clock, by the end of its load, or because we are to end.
#pragma once

#include "program_signals.hpp"
#include "run.hpp"

namespace heapwright::cli {

/// Returns when `result.pid` has ended and was waited for; fills in how that came about.
void accompany(const RunRequest& request, const ProgramSignals& signals, RunResult& result);

}  // namespace heapwright::cli
