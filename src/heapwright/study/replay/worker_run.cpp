#include <heapwright/study/replay/worker_run.hpp>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>
#include <system_error>

#include <heapwright/os/file.hpp>
#include <heapwright/study/replay/child.hpp>
#include <heapwright/study/replay/plan/result.hpp>

namespace heapwright::study {

namespace {

namespace fs = std::filesystem;

struct RawResult {
    plan::WorkerResult head{};
    std::vector<plan::CurvePoint> points;
};

bool read_result(const std::string& path, RawResult& out) {
    auto file = os::File::open_read(path.c_str());
    if (!file) {
        return false;
    }
    const auto head = file->read_full(std::as_writable_bytes(std::span(&out.head, 1)));
    if (!head || *head != sizeof(out.head) || out.head.magic != plan::kResultMagic || out.head.points > plan::kMaxCurvePoints) {
        return false;
    }
    out.points.resize(out.head.points);
    const auto points = file->read_full(std::as_writable_bytes(std::span(out.points)));
    out.head.allocator_file[sizeof(out.head.allocator_file) - 1] = 0;
    return points && *points == out.points.size() * sizeof(plan::CurvePoint);
}

/// What an earlier worker wrote must not be taken for what this one did.
void forget_result(const std::string& path) { static_cast<void>(os::File::create_truncate(path.c_str(), 0600)); }

std::uint64_t less(std::uint64_t bytes, std::uint64_t floor) { return bytes > floor ? bytes - floor : 0; }

TrialRun interpret(const RawResult& raw, std::uint64_t floor) {
    TrialRun run;
    const plan::WorkerResult& head = raw.head;
    run.wall_ns = head.wall_ns;
    run.cpu_ns = head.cpu_ns;
    run.allocator_ns = head.allocator_ns;
    run.slowest_call_ns = head.slowest_call_ns;
    run.calls = head.calls;
    run.peak_rss_bytes = less(head.peak_bytes, floor);
    run.end_rss_bytes = less(head.end_bytes, floor);
    run.retained_bytes = less(head.retained_bytes, floor);
    run.floor_bytes = less(head.freed_bytes, floor);
    run.minor_faults = head.minor_faults;
    run.major_faults = head.major_faults;
    run.voluntary_switches = head.voluntary_switches;
    run.involuntary_switches = head.involuntary_switches;
    run.refused = head.refused;
    run.damaged = head.damaged;
    run.placed_peak_bytes = head.arena_peak_bytes;
    run.trim_works = head.trim_works != 0;
    run.allocator_file = head.allocator_file;
    double sum = 0;
    const auto events = static_cast<double>(std::max<std::uint64_t>(head.events, 1));
    for (const plan::CurvePoint& point : raw.points) {
        const std::uint64_t bytes = less(point.resident_bytes, floor);
        run.curve.push_back(
            {.progress = std::min(1.0, static_cast<double>(point.events) / events), .wall_ns = point.wall_ns, .resident_bytes = bytes});
        run.peak_rss_bytes = std::max(run.peak_rss_bytes, bytes);
    }
    for (std::size_t i = 1; i < run.curve.size(); ++i) {
        const double width = run.curve[i].progress - run.curve[i - 1].progress;
        sum += width * static_cast<double>(run.curve[i].resident_bytes + run.curve[i - 1].resident_bytes) / 2;
    }
    run.mean_rss_bytes = static_cast<std::uint64_t>(sum);
    return run;
}

/// The dynamic loader says in one line of stderr why it did not preload; a worker says why it gave up.
std::string last_line(const std::string& text) {
    std::string line;
    std::size_t begin = 0;
    while (begin < text.size()) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        if (end > begin) {
            line = text.substr(begin, end - begin);
        }
        begin = end + 1;
    }
    return line;
}

bool same_file(const std::string& a, const std::string& b) {
    std::error_code error;
    return fs::equivalent(a, b, error) && !error;
}

std::string why_not(const TrialSpec& spec, const ChildResult& child, bool have_result, const TrialRun& run) {
    const std::string trial = "trial '" + spec.label + "'";
    if (child.start_errno != 0) {
        return trial + " did not start: " + std::generic_category().message(child.start_errno) +
               "; build heapwright-replay-worker beside this program";
    }
    if (child.timed_out) {
        return trial + " did not end in time and was stopped; the allocator may hang: try it with the program itself";
    }
    if (child.signal != 0) {
        const std::string name = strsignal(child.signal) == nullptr ? "" : " (" + std::string(strsignal(child.signal)) + ")";
        return trial + " crashed with signal " + std::to_string(child.signal) + name + " in the middle of the replay" +
               (child.errors.empty() ? "" : ", saying '" + last_line(child.errors) + "'") +
               "; this allocator cannot serve this program's calls";
    }
    if (child.status != 0 || !have_result) {
        const std::string said = last_line(child.errors);
        return trial + " ended with exit status " + std::to_string(child.status) + (said.empty() ? "" : ": " + said);
    }
    if (!spec.preload.empty() && !same_file(spec.preload, run.allocator_file)) {
        const bool rejected = child.errors.find("cannot be preloaded") != std::string::npos;
        return trial + (rejected ? " was not tried: '" + spec.preload + "' cannot be loaded as a shared library"
                                 : " was not tried: '" + spec.preload + "' does not define malloc; the replay would have measured " +
                                       run.allocator_file);
    }
    return {};
}

}  // namespace

TrialRun run_worker(const TrialSpec& spec, const WorkerOrder& order) {
    TrialRun run;
    if (!spec.problem.empty()) {
        run.failure = spec.problem;
        return run;
    }
    ChildOrder child_order;
    child_order.program = order.worker;
    child_order.arguments = {order.plan, order.result, std::to_string(order.pace), std::to_string(spec.idle_s)};
    child_order.environment = spec.environment;
    if (!spec.preload.empty()) {
        child_order.environment.emplace_back("LD_PRELOAD", spec.preload);
    }
    child_order.limit_s = order.limit_s;
    child_order.count_system_calls = order.count_system_calls;
    forget_result(order.result);
    const ChildResult child = run_child(child_order);
    RawResult raw;
    const bool have_result = read_result(order.result, raw);
    if (have_result) {
        run = interpret(raw, order.floor_bytes);
    }
    run.system_calls = child.system_calls;
    run.crashed = child.signal != 0 && !child.timed_out;
    run.failure = why_not(spec, child, have_result, run);
    if (run.failure.empty() && run.damaged != 0) {
        run.failure = "trial '" + spec.label + "' handed out blocks that overlap: " + std::to_string(run.damaged) +
                      " blocks were overwritten while they lived; do not use this allocator";
    }
    return run;
}

Result<std::uint64_t> measure_floor(const WorkerOrder& order) {
    ChildOrder child_order;
    child_order.program = order.worker;
    child_order.arguments = {"floor", order.result};
    child_order.limit_s = order.limit_s;
    forget_result(order.result);
    const ChildResult child = run_child(child_order);
    if (child.start_errno != 0) {
        return fail_with(Errc::not_found, 0, child.start_errno);
    }
    RawResult raw;
    if (child.status != 0 || child.signal != 0 || !read_result(order.result, raw)) {
        return fail_with(Errc::child_failed, static_cast<std::uint64_t>(child.status));
    }
    return raw.head.start_bytes;
}

std::string find_worker() {
    constexpr const char* kName = "heapwright-replay-worker";
    std::vector<fs::path> places;
    std::error_code error;
    if (const fs::path program = fs::read_symlink("/proc/self/exe", error); !error) {
        places.push_back(program.parent_path() / kName);
    }
    if (const char* const folder = std::getenv("HEAPWRIGHT_BIN")) {
        places.push_back(fs::path(folder) / kName);
    }
    for (const fs::path& place : places) {
        if (fs::is_regular_file(place, error)) {
            return place.string();
        }
    }
    return {};
}

}  // namespace heapwright::study
