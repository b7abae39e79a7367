// The pieces of the JSON document, one function a member. The order and the names are those of web/schema.ts.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/report/call_tree.hpp>
#include <heapwright/study/report/json_writer.hpp>

namespace heapwright::study {

struct Suggestion;
struct Comparison;

namespace detail {

/// One row of `sites`, from one trace or from a comparison.
struct SiteRow {
    std::uint32_t id;
    const std::vector<FrameId>* frames;
    const Site* numbers;
    const Site* before;  ///< null in the report of one trace
};

/// Positions of the rows to write, at most `limit`: those that lead in some respect, and those in `always`.
[[nodiscard]] std::vector<std::size_t> chosen_rows(std::span<const SiteRow> rows, std::size_t limit, std::span<const SiteId> always);

/// The sites that suggestions speak of; `suggestions` may be null.
[[nodiscard]] std::vector<SiteId> sites_of(const std::vector<Suggestion>* suggestions);

/// Renumbers the frames that a document uses and lists their modules.
class FrameNumbers {
public:
    explicit FrameNumbers(const std::vector<Frame>& frames) : frames_(frames), numbers_(frames.size(), -1) {}

    /// The frame's number in the document, given out at the first use.
    std::int32_t operator()(std::size_t frame);
    void write(JsonWriter& json) const;  ///< the members frames and modules

private:
    const std::vector<Frame>& frames_;
    std::vector<std::int32_t> numbers_;
    std::vector<std::size_t> used_;
};

void write_provenance(JsonWriter& json, const Findings& findings);
void write_health(JsonWriter& json, const TraceHealth& health);
void write_totals(JsonWriter& json, const Totals& totals);
void write_amount(JsonWriter& json, const Amount& amount);
void write_site(JsonWriter& json, const SiteRow& row, FrameNumbers& numbers);
void write_tree(JsonWriter& json, const CallTree& tree, FrameNumbers& numbers);
void write_threads(JsonWriter& json, const std::vector<ThreadRow>& threads);
void write_timeline(JsonWriter& json, const std::vector<Moment>& timeline);
void write_maps(JsonWriter& json, const std::vector<HeapMap>& maps, std::size_t cell_limit);
void write_fragmentation(JsonWriter& json, const Fragmentation& fragmentation);
void write_lifetimes(JsonWriter& json, const Findings& findings);  ///< the members lifetimes and lifetime_bytes
void write_suggestions(JsonWriter& json, const std::vector<Suggestion>& suggestions);
/// `experiment_of` names the experiment that a trial's label stands for, or nothing.
void write_comparison(JsonWriter& json, const Comparison& comparison, const std::function<std::string(const std::string&)>& experiment_of);
/// The id of the experiment that is tried by the trial of that label; empty: none.
[[nodiscard]] std::string experiment_of(const std::vector<Suggestion>* suggestions, const std::string& label);

}  // namespace detail
}  // namespace heapwright::study
