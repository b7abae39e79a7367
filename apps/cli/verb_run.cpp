// heapwright run: becomes the program, with the malloc and the settings of a memory.toml.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <unistd.h>

#include "config_reading.hpp"
#include "outfit.hpp"
#include "program.hpp"
#include "status.hpp"
#include "verbs.hpp"

#include <heapwright/config/reader.hpp>

namespace heapwright::cli {
namespace {

struct RunCommand {
    std::string config;
    bool show = false;
    std::vector<std::string> words;
};

/// What to write before a command for the same effect, in a Dockerfile or a systemd unit.
void show(const Outfit& outfit) {
    for (const auto& [name, value] : outfit.environment) {
        std::printf("%s=%s\n", name.c_str(), value.c_str());
    }
    if (!outfit.preload.empty()) {
        std::printf("LD_PRELOAD=%s\n", outfit.preload.c_str());
    }
}

void put_on(const Outfit& outfit) {
    for (const auto& [name, value] : outfit.environment) {
        setenv(name.c_str(), value.c_str(), 1);
    }
    if (!outfit.preload.empty()) {
        const char* before = std::getenv("LD_PRELOAD");
        const bool has_more = before != nullptr && *before != '\0';
        setenv("LD_PRELOAD", (outfit.preload + (has_more ? ":" + std::string(before) : "")).c_str(), 1);
    }
}

/// Returns only where the kernel refuses.
int become(const Program& program, const std::vector<std::string>& words) {
    std::vector<char*> arguments;
    for (const std::string& word : words) {
        arguments.push_back(const_cast<char*>(word.c_str()));  // exec's signature is older than const
    }
    arguments.push_back(nullptr);
    execv(program.path.c_str(), arguments.data());
    return complain(Status::usage,
                    "cannot start '" + program.path + "': " + std::strerror(errno) + "; start it without heapwright to compare");
}

int run_command(const RunCommand& command) {
    const char* named = std::getenv(config::kConfigVariable);
    const std::string path = command.config.empty() && named != nullptr ? named : command.config;
    int status = 0;
    const std::optional<config::ConfigFile> file = path.empty() ? config::ConfigFile() : read_config_or_complain(path, status);
    if (!file) {
        return status;
    }
    const Outfit outfit = outfit_of(file->memory.allocator, path);
    if (!outfit.problem.empty()) {
        return complain(Status::usage, outfit.problem);
    }
    if (command.show) {
        show(outfit);
        return static_cast<int>(Status::done);
    }
    if (command.words.empty()) {
        return complain(Status::usage,
                        "no program was named; write it after '--': heapwright run --config memory.toml -- PROGRAM ARGUMENTS");
    }
    const Lookup found = find_program(command.words.front());
    if (!found.program) {
        return complain(Status::usage, found.refusal.sentence);
    }
    if (!outfit.preload.empty()) {
        if (const auto refusal = why_not_preloadable(*found.program, "run", "run")) {
            return complain(Status::usage, refusal->sentence);
        }
    }
    put_on(outfit);
    return become(*found.program, command.words);
}

}  // namespace

void add_run(CLI::App& app, int& status) {
    auto command = std::make_shared<RunCommand>();
    CLI::App* verb = app.add_subcommand("run", "Run a program with the malloc and the settings of a memory.toml");
    verb->add_option("-c,--config", command->config,
                     "The memory.toml (default: the one that HEAPWRIGHT_CONFIG names, else heapwright's malloc)");
    verb->add_flag("--show", command->show, "Print the environment that does the same, and run nothing");
    verb->add_option("program", command->words, "The program and its arguments, after '--'");
    verb->positionals_at_end();
    verb->footer("heapwright becomes the program: status, signals, input and output are the program's own. Refusals end with status 2.");
    verb->callback([command, &status] { status = run_command(*command); });
}

}  // namespace heapwright::cli
