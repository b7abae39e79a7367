#include <heapwright/study/replay/make_plan.hpp>

#include <cstdlib>
#include <utility>

#include <heapwright/os/file.hpp>
#include <heapwright/trace/read/reader.hpp>

namespace heapwright::study {

namespace {

struct PlanSink : SinkDefaults {
    PlanSink(Planner& where, trace::Tick origin) : planner(where), first_tick(origin) {}

    void on_info(const trace::InfoLines& lines) {
        for (const auto& [key, value] : lines) {
            info[key] = value;
        }
    }
    void on_threads(std::span<const trace::ThreadInfo> threads) { planner.add_threads(threads); }
    void on_samples(std::span<const trace::Sample> samples) {
        planner.use_clock(TickClock({samples.begin(), samples.end()}, first_tick));
    }
    void on_mappings(trace::Tick, std::span<const trace::MapLine> lines) { planner.on_mappings(lines); }
    void on_events(std::span<const trace::Event> events) {
        for (const trace::Event& event : events) {
            planner.on_event(event);
        }
    }

    Planner& planner;
    trace::Tick first_tick;
    trace::InfoLines info;
};

std::uint64_t sample_interval(const trace::InfoLines& info) {
    const auto found = info.find("sample_interval_bytes");
    return found == info.end() ? 0 : std::strtoull(found->second.c_str(), nullptr, 10);
}

Result<MadePlan> write_plan(trace::Reader& reader, const std::string& plan_path, const Placement& placement, const Progress& progress) {
    auto writer = PlanWriter::create(plan_path);
    if (!writer) {
        return std::unexpected(writer.error());
    }
    Planner planner(*writer, placement, reader.outline().events);
    PlanSink sink(planner, reader.outline().first_tick);
    const auto played = play(reader, sink, progress);
    if (!played) {
        return std::unexpected(played.error());
    }
    if (const std::uint64_t interval = sample_interval(sink.info); interval != 0) {
        return fail_with(Errc::unsupported, interval);
    }
    auto header = planner.finish();
    if (!header) {
        return std::unexpected(header.error());
    }
    if (header->events == 0) {
        return fail_with(Errc::invalid_argument);
    }
    return MadePlan{.header = *header, .counts = planner.counts(), .info = std::move(sink.info)};
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
