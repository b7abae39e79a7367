// The steps of a `tune`, in order: runs, records, explains, advises, proves, tries on the program itself, writes the memory.toml.
#pragma once

#include <string>
#include <vector>

#include "recording.hpp"

namespace heapwright::cli {

/// What the user asked for.
struct TuneCommand {
    std::string output;
    unsigned pairs = 0;  ///< of runs of the plain program and the tuned one; 0: as time allows
    double duration_s = 0;
    double idle_s = 2;
    std::string load;
    bool json = false;
    RecordingOptions recording;
    std::vector<std::string> words;
};

/// Returns: the status to end with; what went wrong was said. Does not return when a signal ends it.
[[nodiscard]] int tune(const TuneCommand& command);

}  // namespace heapwright::cli
