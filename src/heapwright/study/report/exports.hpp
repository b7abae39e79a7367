// The findings in the formats of other tools.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/report/weight.hpp>

namespace heapwright::study {

enum class ExportFormat : std::uint8_t {
    json,        ///< the whole report: docs/manual/report-json.md
    pprof,       ///< gzip'ed profile.proto: pprof, Parca, Pyroscope, Polar Signals
    collapsed,   ///< "main;load;parse 4096" a line: flamegraph.pl, inferno, samply
    speedscope,  ///< one profile a weight: speedscope.app
    perfetto,    ///< counters over time as Chrome trace events: ui.perfetto.dev, chrome://tracing
};
inline constexpr std::array<ExportFormat, 5> kExportFormats = {ExportFormat::json, ExportFormat::pprof, ExportFormat::collapsed,
                                                               ExportFormat::speedscope, ExportFormat::perfetto};

[[nodiscard]] std::string_view name_of(ExportFormat format);
[[nodiscard]] std::optional<ExportFormat> export_format_of(std::string_view name);

/// The usual end of a file of that format: ".json", ".pb.gz", ".folded" ...
[[nodiscard]] std::string_view suffix_of(ExportFormat format);

/// A gzip'ed pprof profile. Sample types: alloc_objects, alloc_space (everything ever), inuse_objects, inuse_space (at the
/// peak), leaked_space (never freed), pinned_space (whole pages that only this stack's blocks keep in use at the peak) and
/// pinned_free_space (the free part of those). inuse_space is the default.
[[nodiscard]] std::string pprof_profile(const Findings& findings);

/// Stacks by one weight, outermost function first, those that weigh nothing left out.
[[nodiscard]] std::string collapsed_stacks(const Findings& findings, Weight weight);

/// A speedscope file with one profile for each weight.
[[nodiscard]] std::string speedscope_profile(const Findings& findings);

/// Chrome trace events: one counter track for each curve of the timeline, and a mark at the peak.
[[nodiscard]] std::string perfetto_trace(const Findings& findings);

/// Any of them. `weight` matters to collapsed stacks only.
[[nodiscard]] std::string exported(const Findings& findings, ExportFormat format, Weight weight = Weight::peak);

}  // namespace heapwright::study
