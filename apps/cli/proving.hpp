// Advice on a trace, tried by replay when that was asked for. Used by `advise` and `replay --experiment`.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <heapwright/study/advice/suggestion.hpp>
#include <heapwright/study/replay/replay.hpp>

namespace heapwright::cli {

/// All suggestions for a trace, untried. Nothing: the sentence was printed and `status` says how to end.
struct Advice {
    std::map<std::string, std::string> provenance;
    std::vector<study::Suggestion> suggestions;
};
[[nodiscard]] std::optional<Advice> advice_on(const std::string& trace, int& status);

/// Replays the experiments of these suggestions and fills in their verdicts.
///
/// Returns: the status to end with; a failure was explained and the suggestions are unchanged.
[[nodiscard]] int try_by_replay(const std::string& trace, Advice& advice, const study::ReplayOptions& options);

/// What went wrong with a replay of this trace, and what to do: "cannot replay 'x.hwtrace': ...".
[[nodiscard]] std::string replay_sentence(const Error& error, const std::string& trace);

}  // namespace heapwright::cli
