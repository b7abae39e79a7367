// The report as one JSON document: for other programs (--json), and as the data of the page.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/report/difference.hpp>
#include <heapwright/study/report/json_writer.hpp>

namespace heapwright::study {

struct Suggestion;
struct Comparison;

/// How much of the findings goes into a document. The schema is the same either way: docs/manual/report-json.md.
struct DocumentLimits {
    std::size_t sites = std::numeric_limits<std::size_t>::max();
    std::size_t sizes = std::numeric_limits<std::size_t>::max();
    std::size_t tree_nodes = 20'000;
    std::size_t map_cells = std::numeric_limits<std::size_t>::max();  ///< of one heap map; a larger one gets larger cells
    std::size_t line_depth = 2;                                       ///< containers whose members stand on lines of their own

    /// What a page needs to open in an instant, whatever the trace: the sites and sizes that lead in some respect.
    [[nodiscard]] static DocumentLimits for_page() { return {2'000, 1'000, 20'000, std::size_t{1} << 18U, 0}; }
};

/// What stands in a document besides the findings. Pointers may be null: the part is then left out.
struct DocumentExtras {
    std::string title = {};                ///< empty: title_of(findings)
    std::string generator = "heapwright";  ///< with its version
    const std::vector<Suggestion>* suggestions = nullptr;
    const Comparison* comparison = nullptr;
};

/// Writes the document of one trace.
///
/// Cost: O(sites x stack depth); memory for the call tree and one buffer, not for the document.
void write_document(const Findings& findings, const DocumentExtras& extras, const DocumentLimits& limits, const TextSink& sink);

/// Writes the document of a comparison of two traces.
void write_document(const TraceDifference& difference, const DocumentExtras& extras, const DocumentLimits& limits, const TextSink& sink);

/// What was recorded, for headings: the program's base name, or "a recorded program".
[[nodiscard]] std::string title_of(const Findings& findings);

/// "sqlite3: before against after", or both names when they differ.
[[nodiscard]] std::string title_of(const TraceDifference& difference);

}  // namespace heapwright::study
