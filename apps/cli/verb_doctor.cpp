// heapwright doctor: why a running process takes the memory that it takes, without touching it.
#include <charconv>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <pwd.h>
#include <unistd.h>

#include "doctor_text.hpp"
#include "status.hpp"
#include "verbs.hpp"

#include <heapwright/study/doctor/examine.hpp>
#include <heapwright/study/doctor/verdict.hpp>
#include <heapwright/study/report/output_file.hpp>
#include <heapwright/study/report/terminal.hpp>

namespace heapwright::cli {
namespace {

using study::doctor::Refusal;

struct DoctorCommand {
    std::string pid;
    std::string between;
    std::string every;
    std::string count;
    bool json = false;
    bool arenas = false;
};

/// "10", "10s", "500ms", "2min": seconds, more than none and at most a day.
std::optional<double> parse_seconds(const std::string& text) {
    double number = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) {
        return std::nullopt;
    }
    const std::string unit(rest, text.data() + text.size());
    const double scale = unit.empty() || unit == "s" ? 1 : unit == "ms" ? 1e-3 : unit == "min" || unit == "m" ? 60 : unit == "h" ? 3600 : 0;
    constexpr double kDay = 86400;
    const double seconds = number * scale;
    return seconds > 0 && seconds <= kDay ? std::optional{seconds} : std::nullopt;
}

std::string user_text(std::uint64_t number) {
    const passwd* const user = getpwuid(static_cast<uid_t>(number));
    return user == nullptr ? "user " + std::to_string(number) : std::string{"user '"} + user->pw_name + "'";
}

std::string sentence_for(const Error& error, const std::string& pid) {
    const std::string whom = "process " + pid;
    const std::string cannot = "cannot examine " + whom + ": ";
    switch (static_cast<Refusal>(error.detail)) {
        case Refusal::no_such_process: return cannot + "there is no such process; 'ps' or 'pgrep NAME' lists those that run";
        case Refusal::ended: return cannot + "it ended while it was read; start it again, or examine one that lives longer";
        case Refusal::not_permitted:
            return cannot + "it belongs to " + user_text(error.number) + ", or is protected; examine it as that user or as root";
        case Refusal::kernel_thread:
            return cannot + "it is a thread of the kernel and has no memory of its own; choose a program's process";
        case Refusal::zombie: return cannot + "it has ended and its parent has not taken notice; it holds no memory, look at the parent";
        case Refusal::none: break;
    }
    return cannot + name_of(error.kind) + " (" + std::to_string(error.number) + "); please report it with the output of 'cat /proc/" + pid +
           "/smaps'";
}

int complain_of(const Error& error, const std::string& pid) {
    const bool is_users = static_cast<Refusal>(error.detail) != Refusal::none;
    return complain(is_users ? Status::usage : Status::our_fault, sentence_for(error, pid));
}

void wait_for(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// A line at each interval, until the process ends or as often as was asked; then what became of it.
int watch(int pid, const DoctorCommand& command, double interval, std::uint64_t looks) {
    const auto start = std::chrono::steady_clock::now();
    std::optional<study::Examination> first;
    std::optional<study::Examination> last;
    double last_seconds = 0;
    for (std::uint64_t look = 0; looks == 0 || look < looks; ++look) {
        if (look != 0) {
            wait_for(interval);
        }
        auto seen = study::examine(pid);
        if (!seen) {
            if (!first) {
                return complain_of(seen.error(), command.pid);
            }
            remark("process " + command.pid + " has ended; what follows is from the last look at it");
            break;
        }
        last_seconds = seconds_since(start);
        std::fputs(doctor_line(*seen, last_seconds).c_str(), stdout);
        std::fflush(stdout);
        if (!first) {
            first = *seen;
        }
        last = std::move(*seen);
    }
    const study::Verdict verdict = study::judge(*last, last_seconds > 0 ? &*first : nullptr, last_seconds);
    std::fputs(("\n" + doctor_text(*last, verdict, command.arenas, study::detect_terminal(STDOUT_FILENO))).c_str(), stdout);
    return static_cast<int>(Status::done);
}

int look_once_or_twice(int pid, const DoctorCommand& command, double between) {
    auto look = study::examine(pid);
    if (!look) {
        return complain_of(look.error(), command.pid);
    }
    std::optional<study::Examination> before;
    double seconds = 0;
    if (between > 0) {
        const auto start = std::chrono::steady_clock::now();
        wait_for(between);
        auto later = study::examine(pid);
        if (!later) {
            return complain_of(later.error(), command.pid);
        }
        seconds = seconds_since(start);
        before = std::move(*look);
        look = std::move(later);
    }
    const study::Examination* const earlier = before ? &*before : nullptr;
    const study::Verdict verdict = study::judge(*look, earlier, seconds);
    if (look->knowledge == study::Knowledge::estimated) {
        remark("only an estimate of process " + command.pid + ": " + look->caveat + "; live and free blocks are not told apart");
    }
    const std::string text = command.json ? doctor_json(*look, verdict, earlier, seconds)
                                          : doctor_text(*look, verdict, command.arenas, study::detect_terminal(STDOUT_FILENO));
    std::fputs(text.c_str(), stdout);
    return static_cast<int>(Status::done);
}

int doctor_command(const DoctorCommand& command) {
    int pid = 0;
    const auto [rest, error] = std::from_chars(command.pid.data(), command.pid.data() + command.pid.size(), pid);
    if (error != std::errc{} || rest != command.pid.data() + command.pid.size() || pid <= 0) {
        return complain(Status::usage,
                        "'" + study::harmless(command.pid) + "' is no process: the number of one is wanted; 'pgrep NAME' tells it");
    }
    double between = 0;
    double interval = 0;
    for (const auto& [text, seconds] : {std::pair{&command.between, &between}, std::pair{&command.every, &interval}}) {
        if (text->empty()) {
            continue;
        }
        const auto parsed = parse_seconds(*text);
        if (!parsed) {
            return complain(Status::usage,
                            "'" + study::harmless(*text) + "' is no time: up to a day is understood; write 10s, 500ms or 2min");
        }
        *seconds = *parsed;
    }
    if (interval > 0) {
        if (command.json || between > 0) {
            return complain(Status::usage,
                            "--watch was given with --json or --for: it prints lines until the process ends; leave one of them out");
        }
        std::uint64_t looks = 0;
        std::from_chars(command.count.data(), command.count.data() + command.count.size(), looks);
        return watch(pid, command, interval, looks);
    }
    return look_once_or_twice(pid, command, between);
}

}  // namespace

void add_doctor(CLI::App& app, int& status) {
    auto command = std::make_shared<DoctorCommand>();
    CLI::App* verb = app.add_subcommand("doctor", "Explain the RSS of a running process: live, kept, pinned, and what would give it back");
    verb->add_option("pid", command->pid, "The number of the process; it is only read, neither stopped nor changed")->required();
    verb->add_option("--for", command->between, "Look twice, with this time between, so that growth is seen: 10s, 2min");
    CLI::Option* const watch =
        verb->add_option("--watch", command->every, "Look again and again, a line each time, until the process ends: 1s, 500ms");
    verb->add_option("--looks", command->count, "With --watch: end after so many looks")->check(CLI::PositiveNumber)->needs(watch);
    verb->add_flag("--arenas", command->arenas, "Also a line for each arena of glibc's malloc");
    verb->add_flag("--json", command->json, "For programs: bytes under fixed names");
    verb->callback([command, &status] { status = doctor_command(*command); });
}

}  // namespace heapwright::cli
