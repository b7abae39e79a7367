// With how much memory a program could have done, moment by moment: as a table and as JSON.
#pragma once

#include <string>
#include <vector>

#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/report/terminal.hpp>

namespace heapwright::cli {

/// A row a moment, and what would help most at the worst of them. Requires: there is a moment.
[[nodiscard]] std::string bounds_text(const std::vector<study::MemoryBounds>& bounds, const study::Terminal& terminal);

[[nodiscard]] std::string bounds_json(const std::vector<study::MemoryBounds>& bounds);

}  // namespace heapwright::cli
