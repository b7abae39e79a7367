// Runs a program under the recorder and says which traces came out of it. Used by `record` and by `tune`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "run.hpp"

namespace heapwright::cli {

/// What the user may choose about a recording. The recorder's README explains each.
struct RecordingOptions {
    std::string output;          ///< may hold %p; empty: heapwright.PROGRAM.%p.hwtrace
    std::string stack = "full";  ///< none, frames, full
    unsigned depth = 32;         ///< frames kept of a stack
    std::uint64_t sample_bytes = 0;
    std::uint64_t max_bytes = 0;
    double duration_s = 0;  ///< of the recording; the program goes on
    bool mappings = false;
    bool children = true;
};

/// One file that the recording left.
struct TraceFile {
    std::string path;
    std::string program;
    std::uint64_t pid = 0;
    std::uint64_t events = 0;
    std::uint64_t file_bytes = 0;
    bool complete = false;
    std::string stopped_by;  ///< the end chunk's reason when the recording ended before the program
};

struct Recording {
    RunResult run;
    std::vector<TraceFile> traces;  ///< the started program's own first, then by events
    std::string problem;            ///< a sentence when nothing could be recorded, else empty
    bool refused = false;           ///< the problem was found before the program was started
};

/// Records one run. The request's program, arguments and redirections are used; its environment and preload are set here.
[[nodiscard]] Recording record(RunRequest request, const RecordingOptions& options);

/// The one to explain: the first, unless another has ten times as many events, as where a shell only starts the real program.
/// Requires: there is one.
[[nodiscard]] const TraceFile& most_telling(const std::vector<TraceFile>& traces);

}  // namespace heapwright::cli
