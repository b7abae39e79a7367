// Two traces of one program, stack by stack: the model behind `heapwright diff`.
#pragma once

#include <cstdint>
#include <vector>

#include <heapwright/study/analysis/findings.hpp>

namespace heapwright::study {

/// One call stack in both traces. Stacks are the same when they pass through the same functions of the same modules;
/// lines, addresses and library versions may differ, so that two builds of a program can be compared. Sites of one trace
/// that become the same by that are added up.
struct SitePair {
    std::vector<FrameId> frames;  ///< into TraceDifference::frames, innermost first
    Site before;                  ///< all zero when only the second trace has it; its own `frames` are empty
    Site after;
    bool in_before = false;
    bool in_after = false;
};

struct SizePair {
    SizeRow before;
    SizeRow after;
};

/// What changed from `before` to `after`. Every difference is after - before.
///
/// Requires: the two findings outlive this.
struct TraceDifference {
    TraceDifference(const Findings& before, const Findings& after);

    const Findings& before;
    const Findings& after;
    std::vector<Frame> frames;    ///< of after, then of before
    std::vector<SitePair> sites;  ///< in the order of after's sites, then those that only before has
    std::vector<SizePair> sizes;  ///< in the order of after's, then before's
};

/// Adds the numbers of `part` to `sum`: sums add, extremes widen. The threads of two sites may be the same ones, so the
/// larger count stands.
void add_numbers(Site& sum, const Site& part);

}  // namespace heapwright::study
