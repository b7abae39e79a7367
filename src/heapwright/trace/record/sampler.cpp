// Reading statm, getrusage and smaps, and writing what they say.
#include <heapwright/trace/record/sampler.hpp>

#include <string_view>

#include <heapwright/os/clock.hpp>
#include <heapwright/os/maps.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/process.hpp>

namespace heapwright::trace::record {

namespace {

/// Maps of small processes cost little and say little; below this growth none is due.
constexpr std::uint64_t kLeastGrowthPages = 256;
constexpr std::uint64_t kMapShareOfTime = 200;  // one part in two hundred: 0.5 %

std::uint32_t permissions_of(const os::Mapping& mapping) noexcept {
    return (mapping.readable ? 1U : 0U) | (mapping.writable ? 2U : 0U) | (mapping.executable ? 4U : 0U) | (mapping.shared ? 8U : 0U);
}

bool is_own(const os::Mapping& mapping) noexcept {
    return mapping.is_observers || mapping.path.find("libheapwright-record") != std::string_view::npos;
}

/// What the recorder mapped has a name in the trace, also where the kernel cannot give it one.
std::string_view name_of(const os::Mapping& mapping) noexcept {
    return mapping.is_observers && mapping.path.empty() ? "[anon:heapwright]" : mapping.path;
}

}  // namespace

Result<void> Sampler::prepare() noexcept {
    if (map_room_ != nullptr) {
        return {};
    }
    constexpr std::size_t bytes = kMapRoom + kReadRoom + kSamplesRoom;
    auto* memory = static_cast<std::uint8_t*>(os::map_observer_pages(bytes, "heapwright sampler"));
    if (memory == nullptr) {
        return fail_with(Errc::out_of_memory, bytes);
    }
    map_room_ = memory;
    read_room_ = reinterpret_cast<char*>(memory + kMapRoom);
    samples_ = ByteWriter({memory + kMapRoom + kReadRoom, kSamplesRoom});
    return {};
}

void Sampler::reset(std::uint64_t now_ns) noexcept {
    samples_.rewind(0);
    writer_ = {};
    items_ = 0;
    resident_pages_ = 0;
    last_ns_ = now_ns;
    mapped_pages_ = 0;
    map_costs_ns_ = 0;
    began_ns_ = now_ns;
}

bool Sampler::sample(TraceWriter& file) noexcept {
    const std::uint64_t began = os::monotonic_ns();
    const auto memory = os::resident_memory();
    if (!memory) {
        return false;
    }
    const os::ResourceUse use = os::resource_use();
    const std::uint64_t own_ns = os::thread_cpu_ns();
    const os::TickPoint now = os::tick_point();
    const std::uint64_t all_ns = use.user_ns + use.system_ns;
    const Sample sample = {.tick = now.ticks / kCyclesPerTick,
                           .monotonic_ns = now.monotonic_ns,
                           .resident_pages = memory->resident_bytes / os::kPageBytes,
                           .file_pages = memory->shared_bytes / os::kPageBytes,
                           .minor_faults = use.minor_faults,
                           .major_faults = use.major_faults,
                           .cpu_ns = all_ns > own_ns ? all_ns - own_ns : 0};
    if (items_ == 0) {
        first_tick_ = sample.tick;
        writer_ = {};
    }
    last_tick_ = sample.tick;
    writer_.write(samples_, sample);
    ++items_;
    if (items_ == kSamplesPerChunk) {
        flush(file);
    }
    const std::uint64_t before = resident_pages_;
    resident_pages_ = sample.resident_pages;
    last_ns_ = sample.monotonic_ns;
    sample_cost_ns_ = os::monotonic_ns() - began;
    const std::uint64_t step = before > resident_pages_ ? before - resident_pages_ : resident_pages_ - before;
    return step * 64 > resident_pages_;
}

void Sampler::flush(TraceWriter& file) noexcept {
    if (items_ != 0) {
        file.write({.kind = ChunkKind::samples, .items = items_, .first_tick = first_tick_, .last_tick = last_tick_}, samples_.written());
        samples_.rewind(0);
        items_ = 0;
    }
}

bool Sampler::wants_map() const noexcept {
    return resident_pages_ > mapped_pages_ + mapped_pages_ / 8 + kLeastGrowthPages &&
           map_costs_ns_ * kMapShareOfTime <= last_ns_ - began_ns_;
}

void Sampler::write_map(TraceWriter& file) noexcept {
    const std::uint64_t began = os::monotonic_ns();
    ByteWriter out({map_room_, kMapRoom});
    MappingWriter writer;
    std::uint32_t items = 0;
    std::uint64_t own_bytes = 0;
    const Tick tick = os::ticks() / kCyclesPerTick;
    const auto put = [&](const os::Mapping& mapping) noexcept {
        const std::size_t before = out.size();
        writer.write(out,
                     {.begin = mapping.start,
                      .bytes = mapping.size_bytes(),
                      .resident_bytes = mapping.resident_bytes,
                      .anonymous_bytes = mapping.anonymous_bytes,
                      .permissions = permissions_of(mapping)},
                     name_of(mapping));
        if (out.overflowed()) {
            out.rewind(before);
            return false;
        }
        own_bytes += is_own(mapping) ? mapping.resident_bytes : 0;
        ++items;
        return true;
    };
    const auto walked = os::for_each_mapping({read_room_, kReadRoom}, os::MapsDetail::counters, put);
    if (walked && items != 0) {
        file.write({.kind = ChunkKind::mappings, .items = items, .first_tick = tick, .last_tick = tick}, out.written());
        own_resident_bytes_ = own_bytes;
    }
    mapped_pages_ = resident_pages_;
    map_costs_ns_ += os::monotonic_ns() - began;
}

}  // namespace heapwright::trace::record
