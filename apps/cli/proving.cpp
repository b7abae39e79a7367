#include "proving.hpp"

#include <cstdlib>
#include <cstring>
#include <utility>

#include "progress.hpp"
#include "status.hpp"
#include "trace_option.hpp"

#include <heapwright/study/advice/advise.hpp>
#include <heapwright/study/replay/prove.hpp>
#include <heapwright/study/replay/replay_place.hpp>

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
    return proof ? static_cast<int>(Status::done) : complain(status_for(proof.error()), replay_sentence(proof.error(), trace));
}

std::string replay_sentence(const Error& error, const std::string& trace) {
    const std::string cannot = "cannot replay '" + trace + "': ";
    const std::string reason = error.system_errno == 0 ? std::string{name_of(error.kind)} : std::strerror(error.system_errno);
    const char* const wanted = std::getenv("TMPDIR");
    const std::string folder = wanted == nullptr || *wanted == 0 ? "/tmp" : wanted;
    switch (static_cast<study::ReplayPlace>(error.detail)) {
        case study::ReplayPlace::worker:
            return cannot + (error.kind == Errc::child_failed
                                 ? "heapwright-replay-worker ended with exit status " + std::to_string(error.number) +
                                       " before it replayed anything; install heapwright again"
                                 : "the program heapwright-replay-worker does not lie beside this one (" + reason +
                                       "); install heapwright again, as a whole");
        case study::ReplayPlace::folder:
            return cannot + "no folder for its plans can be made in '" + folder + "' (" + reason +
                   "); set TMPDIR to a folder that you may write to";
        case study::ReplayPlace::plan:
            return cannot + "its plan cannot be written to '" + folder + "' (" + reason +
                   "); free some space there, about 30 bytes an event, or set TMPDIR to another folder";
        case study::ReplayPlace::sampled:
            return cannot + "the recording is sampled, one block every " + std::to_string(error.number) +
                   " bytes, and blocks that were not recorded cannot be placed; record again without --sample";
        case study::ReplayPlace::empty: return cannot + "it holds no allocation; record a program that makes some, and let it run on";
        case study::ReplayPlace::trace: break;
    }
    return sentence_for(error, "replay", trace);
}

}  // namespace heapwright::cli
