// Suggestions for a terminal and as JSON.
#pragma once

#include <string>
#include <vector>

#include <heapwright/study/advice/suggestion.hpp>
#include <heapwright/study/report/terminal.hpp>

namespace heapwright::cli {

/// Each suggestion with its place, evidence, gain, verdict and the lines to paste.
[[nodiscard]] std::string suggestions_text(const std::vector<study::Suggestion>& suggestions, const study::Terminal& terminal);

[[nodiscard]] std::string suggestions_json(const std::vector<study::Suggestion>& suggestions);

}  // namespace heapwright::cli
