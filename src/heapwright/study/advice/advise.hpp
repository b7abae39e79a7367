// Findings in, suggestions out.
#pragma once

#include <vector>

#include <heapwright/study/advice/suggestion.hpp>
#include <heapwright/study/analysis/findings.hpp>

namespace heapwright::study {

/// Runs every rule. Silent when nothing is worth a change; what that means stands in thresholds.hpp.
///
/// Returns:  the most promising first, none tried yet. Two rules that would place the same sites differently are cut down
///           to the one that promises more.
/// Cost:     O(sites).
[[nodiscard]] std::vector<Suggestion> advise(const Findings& findings);

}  // namespace heapwright::study
