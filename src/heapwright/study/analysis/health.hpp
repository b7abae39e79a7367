// Says how far the trace itself can be trusted.
#pragma once

#include <heapwright/study/analysis/facts.hpp>
#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/timeline/play.hpp>
#include <heapwright/trace/read/reader.hpp>

namespace heapwright::study {

/// The sentence in `note` names each thing that is missing, with its number; it is empty when nothing is.
///
/// Requires: findings.totals are filled in.
[[nodiscard]] TraceHealth judge_health(const trace::Reader& reader, const Facts& facts, const Played& played, const Totals& totals);

}  // namespace heapwright::study
