#include "proving.hpp"

#include <utility>

#include "progress.hpp"
#include "status.hpp"
#include "trace_option.hpp"

#include <heapwright/study/advice/advise.hpp>
#include <heapwright/study/replay/prove.hpp>

namespace heapwright::cli {

std::optional<Advice> advice_on(const std::string& trace, int& status) {
    auto findings = analyse_trace(trace, {}, status);
    if (!findings) {
        return std::nullopt;
    }
    auto suggestions = study::advise(*findings);
    return Advice{std::move(findings->provenance), std::move(suggestions)};
}

int try_by_replay(const std::string& trace, Advice& advice, const study::ReplayOptions& options) {
    ProgressLine line{"proving by replay", true};
    const auto proof = study::prove(trace, advice.provenance, advice.suggestions, options,
                                    [&line](double fraction, std::uint64_t events) { line.update(fraction, events); });
    return proof ? static_cast<int>(Status::done) : complain(status_for(proof.error()), sentence_for(proof.error(), "replay", trace));
}

}  // namespace heapwright::cli
