// The report for a terminal: one screen that says what the memory is, then whatever section was asked for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/report/difference.hpp>
#include <heapwright/study/report/terminal.hpp>

namespace heapwright::study {

/// Parts of the text report. `summary` is the first screen and holds the top of several others.
enum class Section : std::uint8_t {
    summary,
    sites,         ///< who holds memory at the peak
    leaks,         ///< who never freed
    temporary,     ///< who allocates to free at once
    pinned,        ///< who keeps pages in use, at the peak and at the end
    reallocs,      ///< who grows blocks step by step
    aligned,       ///< who asks for more than 16-byte alignment
    cross_thread,  ///< whose blocks other threads free
    local,         ///< who frees in the function that allocated: candidates for the stack
    sizes,
    threads,
    lifetimes,
    fragmentation,  ///< figures at the peak and at the end, and the histogram of pages
    timeline,
    health,  ///< how far the trace can be trusted, and where it comes from
};
inline constexpr std::array<Section, 15> kSections = {Section::summary,       Section::sites,    Section::leaks,   Section::temporary,
                                                      Section::pinned,        Section::reallocs, Section::aligned, Section::cross_thread,
                                                      Section::local,         Section::sizes,    Section::threads, Section::lifetimes,
                                                      Section::fragmentation, Section::timeline, Section::health};

/// The name that options and headings use: "cross-thread".
[[nodiscard]] std::string_view name_of(Section section);
[[nodiscard]] std::optional<Section> section_of(std::string_view name);

struct TextOptions {
    Terminal terminal;
    std::vector<Section> sections = {Section::summary};
    std::size_t rows = 20;         ///< of a section's table
    std::size_t summary_rows = 5;  ///< of each table of the first screen
    std::size_t stack_frames = 0;  ///< frames shown below each site; 0: only the chain of the user's own functions
};

/// The report of one trace. Ends with a line feed.
[[nodiscard]] std::string text_report(const Findings& findings, const TextOptions& options = {});

/// The comparison of two traces: totals first, then what changed most, with signs.
[[nodiscard]] std::string text_report(const TraceDifference& difference, const TextOptions& options = {});

}  // namespace heapwright::study
