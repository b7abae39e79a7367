// What `tune` tries on the program itself, the most promising first.
#pragma once

#include <string>
#include <vector>

#include "candidate.hpp"

#include <heapwright/study/advice/suggestion.hpp>
#include <heapwright/study/replay/comparison.hpp>

namespace heapwright::cli {

/// What is known before anything was tried.
struct BeforeChoice {
    const std::vector<study::Suggestion>& suggestions;  ///< with their verdicts
    const study::Comparison* comparison = nullptr;      ///< of the recording through the installed allocators; null: there was none
    bool uses_glibc = true;                             ///< the program's own malloc takes glibc's settings
    bool huge_pages_on_wish = false;                    ///< the kernel gives them to who asks
};

/// Every part of what can be changed from outside has somebody in the list: our heap, its placement plan, huge pages for it and for
/// the program's own malloc, settings and allocators that the replay proved, the other allocators that were fastest in it, and
/// what led its other columns. No two have the same label.
[[nodiscard]] std::vector<Candidate> possible_candidates(const BeforeChoice& known);

/// Whether the kernel gives transparent huge pages to a process that asks for them, and not to everybody anyway.
[[nodiscard]] bool huge_pages_on_wish(const std::string& file = "/sys/kernel/mm/transparent_hugepage/enabled");

}  // namespace heapwright::cli
