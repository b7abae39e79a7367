#include <heapwright/study/replay/make_plan.hpp>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <heapwright/os/file.hpp>
#include <heapwright/study/advice/allocator_in_use.hpp>
#include <heapwright/study/replay/replay_place.hpp>
#include <heapwright/trace/read/reader.hpp>

namespace heapwright::study {

namespace {

struct PlanSink : SinkDefaults {
    PlanSink(Planner& where, trace::Tick origin) : planner(where), first_tick(origin) {}

    void on_info(const trace::InfoLines& lines) {
        for (const auto& [key, value] : lines) {
            info[key] = value;
        }
        const bool glibc = allocator_in_use(info).family == AllocatorInUse::Family::glibc;
        const auto file = info.find("allocator_path");
        planner.set_large_blocks_alone(glibc);
        // One that is linked into the program itself has no data that could be told from the program's.
        const bool library = !glibc && file != info.end() && file->second.find(".so") != std::string::npos;
        planner.set_allocator_file(library ? file->second : std::string{});
    }
    void on_threads(std::span<const trace::ThreadInfo> threads) { planner.add_threads(threads); }
    void on_samples(std::span<const trace::Sample> samples) {
        planner.use_clock(TickClock({samples.begin(), samples.end()}, first_tick));
        for (const trace::Sample& sample : samples) {
            highest_sample = std::max(highest_sample, sample.resident_pages * 4096);
            last_cpu_ns = std::max(last_cpu_ns, sample.cpu_ns);
        }
    }
    void on_mappings(trace::Tick, std::span<const trace::MapLine> lines) { planner.on_mappings(lines); }
    void on_events(std::span<const trace::Event> events) {
        constexpr std::size_t kAhead = 8;
        for (std::size_t i = 0; i < events.size(); ++i) {
            if (i + kAhead < events.size()) {
                planner.fetch(events[i + kAhead]);
            }
            planner.on_event(events[i]);
        }
    }

    Planner& planner;
    trace::Tick first_tick;
    std::uint64_t highest_sample = 0;
    std::uint64_t last_cpu_ns = 0;  // the recorder's own thread left out
    trace::InfoLines info;
};

std::uint64_t number_in(const trace::InfoLines& info, const char* key) {
    const auto found = info.find(key);
    return found == info.end() ? 0 : std::strtoull(found->second.c_str(), nullptr, 10);
}

/// What the program itself took: one that allocates much was slowed down by being recorded, and must not look as if the
/// allocator were a smaller part of it than it is.
std::uint64_t own_cpu_ns(const PlanSink& sink, std::uint64_t events) {
    constexpr std::uint64_t kRecordedEventNs = 15;  // in the program's threads; the recorder's thread counts its own time
    const std::uint64_t recorder = number_in(sink.info, "recorder_cpu_ns");
    const std::uint64_t closing = number_in(sink.info, "cpu_ns");
    const std::uint64_t threads = std::max(sink.last_cpu_ns, closing > recorder ? closing - recorder : 0);
    const std::uint64_t slowed = std::min(events * kRecordedEventNs, threads / 3 * 2);  // an estimate: never all of it
    return threads - slowed;
}

Result<MadePlan> write_plan(trace::Reader& reader, const std::string& plan_path, const Placement& placement, const Progress& progress) {
    auto writer = PlanWriter::create(plan_path);
    if (!writer) {
        return fail_at(ReplayPlace::plan, writer.error());
    }
    Planner planner(*writer, placement, reader.outline().events);
    PlanSink sink(planner, reader.outline().first_tick);
    const auto played = play(reader, sink, progress);
    if (!played) {
        return std::unexpected(played.error());
    }
    if (const std::uint64_t interval = number_in(sink.info, "sample_interval_bytes"); interval != 0) {
        return fail_at(ReplayPlace::sampled, fail_with(Errc::unsupported, interval).error());
    }
    auto header = planner.finish();
    if (!header) {
        return fail_at(ReplayPlace::plan, header.error());
    }
    if (header->events == 0) {
        return fail_at(ReplayPlace::empty, fail_with(Errc::invalid_argument).error());
    }
    const std::uint64_t peak = std::max(number_in(sink.info, "peak_resident_bytes"), sink.highest_sample);
    return MadePlan{.header = *header,
                    .counts = planner.counts(),
                    .moments = planner.moments(),
                    .recorded_peak_rss_bytes = peak,
                    .recorder_rss_bytes = number_in(sink.info, "recorder_resident_bytes"),
                    .recorded_cpu_ns = own_cpu_ns(sink, planner.counts().events),
                    .info = std::move(sink.info)};
}

}  // namespace

Result<MadePlan> make_plan(const std::string& trace_path, const std::string& plan_path, const Placement& placement,
                           const Progress& progress) {
    auto reader = trace::Reader::open(trace_path);
    if (!reader) {
        return std::unexpected(reader.error());
    }
    auto made = write_plan(*reader, plan_path, placement, progress);
    if (!made) {
        static_cast<void>(os::remove_file(plan_path.c_str()));
    }
    return made;
}

}  // namespace heapwright::study
