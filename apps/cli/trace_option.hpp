// What every verb that reads traces has in common: the analysis with its progress line, and the sentence when it fails.
#pragma once

#include <optional>
#include <string>

#include <heapwright/study/analysis/analyse.hpp>

namespace heapwright::cli {

/// Analyses a trace with a progress line. Nothing: the sentence was printed and `status` says how to end.
[[nodiscard]] std::optional<study::Findings> analyse_trace(const std::string& path, const study::AnalysisOptions& options, int& status);

/// Writes `text` to a file (whole or not at all), or to standard output when `path` is empty or "-".
///
/// Returns: the status to end with; a failure was explained.
[[nodiscard]] int deliver(const std::string& path, const std::string& text);

/// For what takes long: tries what deliver() will do, beside that file.
///
/// Returns: the status to end with; a failure was explained.
[[nodiscard]] int why_not_deliverable(const std::string& path);

}  // namespace heapwright::cli
