// Puts names on the call stacks of the sites.
#pragma once

#include <heapwright/study/analysis/analyse.hpp>
#include <heapwright/study/analysis/findings.hpp>
#include <heapwright/study/analysis/stack_tree.hpp>

namespace heapwright::study {

/// Fills findings.frames and the frames of each site, with at most options.depth return addresses a site (inlined
/// functions come on top). Without symbolizing a frame is the address inside its file, and the file's name.
void name_sites(Findings& findings, const StackTree& tree, const AnalysisOptions& options);

}  // namespace heapwright::study
