// The options of a recording, shared by `record` and `tune`.
#pragma once

#include <CLI/CLI.hpp>

#include "recording.hpp"

namespace heapwright::cli {

void add_recording_options(CLI::App& verb, RecordingOptions& options);

}  // namespace heapwright::cli
