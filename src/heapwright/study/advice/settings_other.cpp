// Settings of mimalloc, jemalloc and tcmalloc, for programs that use one of them already.
#include <algorithm>

#include <heapwright/study/advice/rule.hpp>

namespace heapwright::study::advice {

namespace {

Suggestion give_back_sooner(const char* target, const char* how, double kept, const std::string& why) {
    Suggestion suggestion = about_program("settings_other", Experiment::Kind::setting, target, Gain::mean);
    suggestion.title = "Let " + std::string(target).substr(0, std::string(target).find(':')) + " give memory back sooner";
    suggestion.evidence = {{"kept on pages without any live byte", kept, "B"}};
    suggestion.what = why;
    suggestion.how = how;
    suggestion.expected_bytes = kept;
    suggestion.arithmetic = "resident bytes of heap mappings on pages without any live byte";
    return suggestion;
}

}  // namespace

std::vector<Suggestion> suggest_other_settings(const Case& program) {
    using Family = AllocatorInUse::Family;
    std::vector<Suggestion> suggestions;
    const Findings& findings = program.findings;
    const double kept = number(std::max(findings.at_peak.retained_bytes, findings.at_end.retained_bytes));
    const double external = number(std::max(findings.at_peak.external_bytes, findings.at_end.external_bytes));
    const bool keeps = program.worth_bytes(kept);
    switch (program.allocator.family) {
        case Family::mimalloc:
            if (keeps) {
                suggestions.push_back(give_back_sooner(
                    "mimalloc:purge_delay=0", "MIMALLOC_PURGE_DELAY=0 ./program  # version 2.0: MIMALLOC_RESET_DELAY=0", kept,
                    "mimalloc waits before it gives pages back, and then only when it is called. With a delay of 0 it does so at once."));
            }
            break;
        case Family::jemalloc:
            if (keeps) {
                suggestions.push_back(give_back_sooner(
                    "jemalloc:dirty_decay_ms=0,muzzy_decay_ms=0", "MALLOC_CONF=dirty_decay_ms:0,muzzy_decay_ms:0 ./program", kept,
                    "jemalloc gives dirty pages back over ten seconds, and only while it is called. Without decay it does so at once; "
                    "background_thread:true is the milder way."));
            }
            if (findings.threads.size() >= kManyThreads && program.worth_bytes(external)) {
                Suggestion suggestion = about_program("settings_other", Experiment::Kind::setting, "jemalloc:narenas=2", Gain::mean);
                suggestion.title = "Cap jemalloc's arenas";
                suggestion.evidence = {{"threads", number(findings.threads.size()), ""}, {"free bytes between live blocks", external, "B"}};
                suggestion.what =
                    "jemalloc makes four arenas a core and spreads threads over them; each has its own half-empty runs. With two there are "
                    "fewer.";
                suggestion.how = "MALLOC_CONF=narenas:2 ./program";
                suggestion.expected_bytes = external / 2;
                suggestion.arithmetic = "at best half of the free bytes between live blocks";
                suggestions.push_back(std::move(suggestion));
            }
            break;
        case Family::tcmalloc:
            if (keeps) {
                suggestions.push_back(give_back_sooner(
                    "tcmalloc:release_rate=10", "TCMALLOC_RELEASE_RATE=10 ./program", kept,
                    "tcmalloc gives spans back slowly, one after many frees. A rate of 10 is the fastest it offers short of "
                    "TCMALLOC_AGGRESSIVE_DECOMMIT=true."));
            }
            break;
        default: break;
    }
    return suggestions;
}

}  // namespace heapwright::study::advice
