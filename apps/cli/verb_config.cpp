// heapwright config: checks, prints and explains a memory.toml; the file itself is never written.
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "config_reading.hpp"
#include "status.hpp"
#include "verbs.hpp"
#include <nlohmann/json.hpp>

#include <heapwright/config/file/config_file.hpp>

namespace heapwright::cli {
namespace {

struct ConfigCommand {
    std::string file;
    bool json = false;
};

int print_mistakes_json(const config::ConfigReading& reading, const std::string& file) {
    nlohmann::json list = nlohmann::json::array();
    for (const config::ConfigMistake& mistake : reading.mistakes) {
        list.push_back({{"line", mistake.line}, {"column", mistake.column}, {"sentence", mistake.sentence}});
    }
    const nlohmann::json all = {
        {"file", file}, {"mistakes", list}, {"notes", config_notes(reading.file)}, {"sites", reading.file.plan.size()}};
    std::puts(all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return static_cast<int>(reading.mistakes.empty() ? Status::done : Status::usage);
}

int check_command(const ConfigCommand& command) {
    const auto text = config::load_config_text(command.file);
    if (!text) {
        return complain(Status::usage, config_file_sentence(text.error(), command.file));
    }
    const config::ConfigReading reading = config::check_config(*text);
    if (command.json) {
        return print_mistakes_json(reading, command.file);
    }
    if (!reading.mistakes.empty()) {
        return complain_of(reading, command.file);
    }
    for (const std::string& note : config_notes(reading.file)) {
        std::printf("note: %s\n", note.c_str());
    }
    const std::size_t sites = reading.file.plan.size();
    std::printf("%s is sound%s\n", command.file.c_str(),
                sites == 0 ? "" : (", with a plan of " + std::to_string(sites) + (sites == 1 ? " site" : " sites")).c_str());
    return static_cast<int>(Status::done);
}

/// The file, or the defaults where none was named.
std::optional<config::ConfigFile> file_or_defaults(const ConfigCommand& command, int& status) {
    return command.file.empty() ? config::ConfigFile() : read_config_or_complain(command.file, status);
}

int print_command(const ConfigCommand& command) {
    int status = 0;
    if (const auto file = file_or_defaults(command, status)) {
        static_cast<void>(std::fputs(config::print_config(*file).c_str(), stdout));
    }
    return status;
}

int explain_command(const ConfigCommand& command) {
    int status = 0;
    if (const auto file = file_or_defaults(command, status)) {
        static_cast<void>(std::fputs(config::explain_config(*file).c_str(), stdout));
    }
    return status;
}

}  // namespace

void add_config(CLI::App& app, int& status) {
    auto command = std::make_shared<ConfigCommand>();
    CLI::App* verb = app.add_subcommand("config", "Check, print or explain a memory.toml");
    verb->require_subcommand(1);
    CLI::App* check = verb->add_subcommand("check", "Say everything that is wrong with the file, with line and column");
    check->add_option("file", command->file, "The memory.toml")->required();
    check->add_flag("--json", command->json, "The mistakes as JSON");
    check->callback([command, &status] { status = check_command(*command); });
    CLI::App* print = verb->add_subcommand("print", "Print every key with its value, to begin a file with or to compare files");
    print->add_option("file", command->file, "The memory.toml; without one, the defaults");
    print->callback([command, &status] { status = print_command(*command); });
    CLI::App* explain = verb->add_subcommand("explain", "Explain every key: value, unit, default, meaning, and who reads it");
    explain->add_option("file", command->file, "The memory.toml; without one, the defaults");
    explain->callback([command, &status] { status = explain_command(*command); });
    verb->footer("The exit status of check is 0 for a sound file and 2 for one with mistakes.");
}

}  // namespace heapwright::cli
