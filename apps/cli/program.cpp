#include "program.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>

#include <sys/stat.h>
#include <unistd.h>

#include "elf_facts.hpp"

namespace heapwright::cli {
namespace {

constexpr int kMaxInterpreterHops = 4;  // the kernel follows as many "#!" lines

bool is_regular_file(const std::string& path) {
    struct stat facts{};
    return stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode);
}

Refusal not_startable(const std::string& name, const std::string& path) {
    if (access(path.c_str(), F_OK) != 0) {
        return {"cannot start '" + name + "': there is no such file; check the name and the directory"};
    }
    if (!is_regular_file(path)) {
        return {"cannot start '" + name + "': it is not a file; name a program"};
    }
    return {"cannot start '" + name + "': it is not executable for this user; check its permissions with 'ls -l'"};
}

bool startable(const std::string& path) { return is_regular_file(path) && access(path.c_str(), X_OK) == 0; }

std::optional<std::string> find_in_path(const std::string& name) {
    const char* path = std::getenv("PATH");
    std::stringstream folders{path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin"};
    for (std::string folder; std::getline(folders, folder, ':');) {
        const std::string candidate = (folder.empty() ? "." : folder) + "/" + name;
        if (startable(candidate)) {
            return candidate;
        }
    }
    return std::nullopt;
}

// The program that a script's first line names, or nothing when the file is not a script.
std::optional<std::string> interpreter_of(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    std::string first;
    if (!std::getline(file, first) || !first.starts_with("#!")) {
        return std::nullopt;
    }
    std::stringstream words{first.substr(2)};
    std::string program;
    words >> program;
    if (std::string_view{program}.ends_with("/env")) {
        std::string word;
        while (words >> word && (word.starts_with("-") || word.contains('='))) {}
        if (const auto found = find_in_path(word)) {
            return found;
        }
    }
    return program;
}

}  // namespace

Lookup find_program(const std::string& name) {
    if (name.empty()) {
        return {std::nullopt, {"no program was named; write it after '--'"}};
    }
    Program program{name, name, {}};
    if (!name.contains('/')) {
        const auto found = find_in_path(name);
        if (!found) {
            return {std::nullopt,
                    {"cannot start '" + name +
                     "': no folder of PATH holds a program of that name; check the spelling "
                     "or write its path"}};
        }
        program.path = *found;
    } else if (!startable(name)) {
        return {std::nullopt, not_startable(name, name)};
    }
    std::string file = program.path;
    for (int hop = 0; hop < kMaxInterpreterHops; ++hop) {
        const auto next = interpreter_of(file);
        if (!next) {
            return {program, {}};
        }
        if (!startable(*next)) {
            return {std::nullopt,
                    {"cannot start '" + name + "': its first line names the interpreter '" + *next +
                     "', which is not there; install it or correct the line"}};
        }
        program.interpreter = *next;
        file = *next;
    }
    return {std::nullopt, {"cannot start '" + name + "': its interpreters name each other in a circle"}};
}

std::optional<Refusal> why_not_preloadable(const Program& program, const std::string& verb, const std::string& participle) {
    const std::string& file = program.binary();
    const std::string cannot = "cannot " + verb + " '" + file + "': ";
    const ElfFacts facts = read_elf_facts(file);
    if (!facts.is_elf) {
        return Refusal{cannot + "it is neither an ELF program nor a script; name the program that runs it"};
    }
    if (!facts.is_x86_64) {
        return Refusal{cannot + "it is made for another kind of processor; only x86-64 programs can be " + participle};
    }
    if (!facts.has_loader) {
        return Refusal{cannot + "it is statically linked, so a preload has no effect; link it dynamically to " + verb + " it"};
    }
    struct stat status{};
    const bool known = stat(file.c_str(), &status) == 0;
    const bool switches_user = known && (status.st_mode & S_ISUID) != 0 && geteuid() != status.st_uid;
    const bool switches_group = known && (status.st_mode & S_ISGID) != 0 && getegid() != status.st_gid;
    if (switches_user || switches_group) {
        return Refusal{cannot + "it is setuid or setgid, so the loader ignores a preload; " + verb + " it as its owner or " + verb + " a " +
                       "copy without that bit"};
    }
    if (facts.has_capabilities && geteuid() != 0) {
        return Refusal{cannot + "it carries file capabilities, so the loader ignores a preload; " + verb + " a copy without them"};
    }
    if (facts.defines_malloc) {
        return Refusal{cannot +
                       "it defines malloc itself, so a preload sees none of its allocations; build it against the "
                       "shared allocator to " +
                       verb + " it"};
    }
    return std::nullopt;
}

std::optional<Refusal> why_not_recordable(const Program& program) { return why_not_preloadable(program, "record", "recorded"); }

std::string shell_word(const std::string& word) {
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789_-./:=,+@%") == std::string::npos;
    if (plain) {
        return word;
    }
    std::string quoted = "'";
    for (const char letter : word) {
        quoted += letter == '\'' ? std::string{"'\\''"} : std::string{letter};
    }
    return quoted + "'";
}

std::string command_line(const std::vector<std::string>& words) {
    std::string line;
    for (const std::string& word : words) {
        line += (line.empty() ? "" : " ") + shell_word(word);
    }
    return line;
}

}  // namespace heapwright::cli
