// heapwright advise: what to change, why, what it is worth, and the experiment that proves it.
#include <memory>
#include <string>

#include <unistd.h>

#include "proving.hpp"
#include "suggestions_text.hpp"
#include "trace_option.hpp"
#include "verbs.hpp"

namespace heapwright::cli {
namespace {

struct AdviseCommand {
    std::string trace;
    bool prove = false;
    bool json = false;
    study::ReplayOptions replay;
};

int advise_command(const AdviseCommand& command) {
    int status = 0;
    auto advice = advice_on(command.trace, status);
    if (!advice) {
        return status;
    }
    if (command.prove) {
        status = try_by_replay(command.trace, *advice, command.replay);
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
    verb->add_flag("--json", command->json, "Print JSON");
    verb->footer("'heapwright replay TRACE --experiment ID' tries one suggestion.");
    verb->callback([command, &status] { status = advise_command(*command); });
}

}  // namespace heapwright::cli
