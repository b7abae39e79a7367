// A first look at a trace file: whose it is and how much it holds, without reading its events.
#pragma once

#include <optional>
#include <string>

#include "recording.hpp"

namespace heapwright::cli {

/// Returns: nothing when the file is not a trace.
/// Cost: one pass over the chunk headers and the text chunks.
[[nodiscard]] std::optional<TraceFile> read_trace_facts(const std::string& path);

}  // namespace heapwright::cli
