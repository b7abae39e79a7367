// The options of a recording, shared by `record` and `tune`.
#pragma once

#include "recording.hpp"
#include <CLI/CLI.hpp>

namespace heapwright::cli {

void add_recording_options(CLI::App& verb, RecordingOptions& options);

}  // namespace heapwright::cli
