// A comparison of trials as a table on a terminal and as JSON.
#pragma once

#include <string>

#include <heapwright/study/replay/comparison.hpp>
#include <heapwright/study/report/terminal.hpp>

namespace heapwright::cli {

/// A row a trial: peak, mean and retained memory, time in the allocator and faults, each beside its difference from the
/// baseline; "=" where the difference is noise. Below it the trials that failed, and the best of each column.
[[nodiscard]] std::string comparison_text(const study::Comparison& comparison, const study::Terminal& terminal);

[[nodiscard]] std::string comparison_json(const study::Comparison& comparison);

}  // namespace heapwright::cli
