#include "recording.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "install.hpp"
#include "trace_facts.hpp"

namespace heapwright::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecorder = "libheapwright-record.so";

std::string base_name(const std::string& path) { return fs::path{path}.filename().string(); }

std::string default_output(const Program& program) { return "heapwright." + base_name(program.path) + ".%p.hwtrace"; }

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size())) {
        text.replace(at, what.size(), with);
    }
    return text;
}

/// A folder that every user may write to: where a process that changed its user leaves its trace.
class FallbackFolder {
public:
    FallbackFolder() {
        std::error_code failed;
        const fs::path temporary = fs::temp_directory_path(failed);
        std::string pattern = ((failed ? fs::path{"/tmp"} : temporary) / "heapwright.XXXXXX").string();
        if (mkdtemp(pattern.data()) != nullptr) {
            chmod(pattern.c_str(), 01777);
            path_ = pattern;
        }
    }
    FallbackFolder(const FallbackFolder&) = delete;
    FallbackFolder& operator=(const FallbackFolder&) = delete;
    ~FallbackFolder() {
        std::error_code failed;
        fs::remove(path_, failed);  // only when nobody uses it any more
    }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    void move_files_to(const fs::path& folder) const {
        std::error_code failed;
        for (const auto& entry : fs::directory_iterator{path_, failed}) {
            const fs::path target = folder / entry.path().filename();
            fs::copy_file(entry.path(), target, fs::copy_options::skip_existing, failed);
            if (!failed) {
                fs::remove(entry.path(), failed);
            }
        }
    }

private:
    std::string path_;
};

std::string recorder_settings(const RecordingOptions& options, const std::string& output, const std::string& fallback) {
    const auto number = [](auto value) { return std::to_string(value); };
    return "out=" + output + ",first=%PID%,stack=" + options.stack + ",depth=" + number(options.depth) +
           ",sample=" + number(options.sample_bytes) + ",max_size=" + number(options.max_bytes) +
           ",duration_ms=" + number(static_cast<std::uint64_t>(options.duration_s * 1000)) +
           ",mappings=" + number(options.mappings ? 1 : 0) + ",children=" + number(options.children ? 1 : 0) + ",fallback=" + fallback;
}

// Finds out now, not after an hour, whether the trace can be written; removes what an earlier run left there.
std::string why_not_writable(const std::string& output) {
    const bool per_process = output.contains("%p");
    const std::string probe = per_process ? replaced(output, "%p", "probe-" + std::to_string(getpid())) : output;
    std::error_code failed;
    if (fs::is_directory(probe, failed)) {
        return "cannot write the trace '" + output + "': it is a folder; name a file in it";
    }
    if (fs::exists(probe, failed) && !fs::is_regular_file(probe, failed)) {
        return "cannot write the trace '" + output + "': it is a device, a pipe or a socket; name a file";
    }
    if (output.contains(',')) {
        return "cannot write the trace '" + output + "': its name holds a comma; choose one without";
    }
    const int descriptor = open(probe.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0) {
        return "cannot write the trace '" + output + "': " + std::strerror(errno) + "; choose a place that you may write to with -o";
    }
    const bool full = write(descriptor, "x", 1) != 1;
    close(descriptor);
    unlink(probe.c_str());
    return full ? "cannot write the trace '" + output + "': " + std::strerror(errno) + "; free some space or choose another place with -o"
                : std::string{};
}

// Every file that this output pattern can have produced: "a.hwtrace" also stands for "a.1234.hwtrace".
std::vector<fs::path> files_of(const std::string& output, const fs::file_time_type since) {
    const fs::path pattern{output};
    const fs::path folder = pattern.has_parent_path() ? pattern.parent_path() : fs::path{"."};
    const std::string name = pattern.filename().string();
    const auto hole = name.find("%p");
    const std::string head = hole != std::string::npos ? name.substr(0, hole) : pattern.stem().string();
    const std::string tail =
        hole != std::string::npos ? name.substr(name.rfind('.') < hole ? hole + 2 : name.rfind('.')) : pattern.extension().string();
    std::vector<fs::path> found;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator{folder, failed}) {
        const std::string file = entry.path().filename().string();
        if (file.starts_with(head) && file.ends_with(tail) && entry.is_regular_file(failed) && entry.last_write_time(failed) >= since) {
            found.push_back(entry.path());
        }
    }
    return found;
}

std::vector<TraceFile> collect(const std::string& output, fs::file_time_type since, pid_t first) {
    std::vector<TraceFile> traces;
    for (const fs::path& file : files_of(output, since)) {
        const std::string path = file.parent_path() == "." ? file.filename().string() : file.string();
        if (auto facts = read_trace_facts(path)) {
            traces.push_back(std::move(*facts));
        }
    }
    std::ranges::sort(traces, [first](const TraceFile& a, const TraceFile& b) {
        const bool a_first = a.pid == static_cast<std::uint64_t>(first);
        const bool b_first = b.pid == static_cast<std::uint64_t>(first);
        return a_first != b_first ? a_first : a.events > b.events;
    });
    return traces;
}

Recording refusal(std::string sentence) {
    Recording recording;
    recording.problem = std::move(sentence);
    recording.refused = true;
    return recording;
}

}  // namespace

Recording record(RunRequest request, const RecordingOptions& options) {
    if (const auto reason = why_not_recordable(request.program)) {
        return refusal(reason->sentence);
    }
    const std::string library = find_library(kRecorder);
    if (library.empty()) {
        return refusal(std::string{"cannot record: "} + kRecorder +
                       " lies neither beside this program nor in ../lib; install heapwright again");
    }
    const std::string output = options.output.empty() ? default_output(request.program) : options.output;
    if (std::string problem = why_not_writable(output); !problem.empty()) {
        return refusal(std::move(problem));
    }
    const FallbackFolder fallback;
    const std::string absolute = fs::absolute(output).string();
    request.preload = library;
    request.environment.emplace_back("HEAPWRIGHT_RECORD", recorder_settings(options, absolute, fallback.path()));

    // A second of slack: file systems round their time stamps.
    const auto since = fs::file_time_type::clock::now() - std::chrono::seconds{1};
    request.under_way = [&] { return !files_of(absolute, since).empty(); };
    Recording recording;
    recording.run = run(request);
    fallback.move_files_to(fs::path{absolute}.parent_path());
    recording.traces = collect(output, since, recording.run.pid);
    if (recording.run.start_errno != 0) {
        recording.problem =
            "cannot start '" + request.program.name + "': " + std::strerror(recording.run.start_errno) + "; check the program";
    } else if (recording.traces.empty()) {
        recording.problem = "nothing was recorded of '" + request.program.name +
                            "': it ended without loading the recorder; run it with LD_DEBUG=libs to see why";
    }
    return recording;
}

const TraceFile& most_telling(const std::vector<TraceFile>& traces) {
    constexpr std::uint64_t kMuchMore = 10;
    const auto most = std::ranges::max_element(traces, {}, &TraceFile::events);
    return most->events > kMuchMore * traces.front().events ? *most : traces.front();
}

}  // namespace heapwright::cli
