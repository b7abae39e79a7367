// heapwright advise: what to change, why, what it is worth, and the experiment that proves it.
#include <memory>
#include <string>
#include <vector>

#include <unistd.h>

#include "candidate.hpp"
#include "plan_candidates.hpp"
#include "proving.hpp"
#include "suggestions_text.hpp"
#include "trace_option.hpp"
#include "verbs.hpp"

#include <heapwright/base/version.hpp>

namespace heapwright::cli {
namespace {

struct AdviseCommand {
    std::string trace;
    std::string config;  // where the memory.toml goes; empty: nowhere
    bool prove = false;
    bool json = false;
    study::ReplayOptions replay;
};

/// What was proved, as a memory.toml that `heapwright run` applies.
int write_config(const AdviseCommand& command, const Advice& advice) {
    const Candidate candidate = proved_candidate(advice.suggestions);
    std::vector<std::string> remarks{"written by heapwright " + std::string{kVersionText} + " advise from " + command.trace};
    const std::vector<std::string> proofs = proofs_of(candidate, advice.suggestions);
    remarks.insert(remarks.end(), proofs.begin(), proofs.end());
    if (candidate.changes_nothing()) {
        remarks.emplace_back("nothing that can be changed from outside was proved, so this file leaves the program as it is");
    }
    return deliver(command.config, candidate_text(candidate, remarks));
}

int advise_command(const AdviseCommand& command) {
    int status = why_not_deliverable(command.config);  // now, not after the proof
    if (status != 0) {
        return status;
    }
    auto advice = advice_on(command.trace, status);
    if (!advice) {
        return status;
    }
    if (command.prove || !command.config.empty()) {
        status = try_by_replay(command.trace, *advice, command.replay);
    }
    if (status == 0 && !command.config.empty()) {
        status = write_config(command, *advice);
    }
    const std::string text =
        command.json ? suggestions_json(advice->suggestions) : suggestions_text(advice->suggestions, study::detect_terminal(STDOUT_FILENO));
    const int delivered = deliver("", text);
    return status != 0 ? status : delivered;
}

}  // namespace

void add_advise(CLI::App& app, int& status) {
    auto command = std::make_shared<AdviseCommand>();
    CLI::App* verb = app.add_subcommand("advise", "Suggest changes to a recorded program, each with its evidence and experiment");
    verb->add_option("trace", command->trace, "A trace of 'heapwright record'")->required();
    verb->add_flag("--prove", command->prove, "Replay every experiment at once and print the verdicts");
    verb->add_option("--runs", command->replay.runs, "Runs of each experiment, in turns; fewer than 3 prove nothing")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    verb->add_option("--write", command->config, "Prove, and write what was proved as a memory.toml for 'heapwright run'");
    verb->add_flag("--json", command->json, "Print JSON");
    verb->footer("'heapwright replay TRACE --experiment ID' tries one suggestion.");
    verb->callback([command, &status] { status = advise_command(*command); });
}

}  // namespace heapwright::cli
