// The chunks around the events: who wrote the file, when, and that it is whole. docs/format.md says what each holds.
#include <heapwright/alloc/adapt/trace_file.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <utility>

#include <unistd.h>

#include <heapwright/base/version.hpp>
#include <heapwright/os/clock.hpp>
#include <heapwright/os/process.hpp>
#include <heapwright/trace/bytes.hpp>
#include <heapwright/trace/records.hpp>

namespace heapwright {
namespace {

constexpr auto kThread = trace::ThreadIndex{1};
constexpr std::size_t kTextBytes = 1024;

[[nodiscard]] trace::Tick tick_now() noexcept { return os::ticks() / trace::kCyclesPerTick; }

template <class Header>
[[nodiscard]] std::span<const std::byte> bytes_of(const Header& header) noexcept {
    return std::as_bytes(std::span{&header, 1});
}

}  // namespace

TraceFile::TraceFile(const char* path, std::string_view allocator)
    : room_(std::make_unique_for_overwrite<std::uint8_t[]>(TraceSink::kRoomBytes)),  // NOLINT(*-avoid-c-arrays)
      started_ns_(os::monotonic_ns()),
      sink_({room_.get(), TraceSink::kRoomBytes}, &take, this) {
    auto opened = os::File::create_truncate(path);
    if (!opened) {
        status_ = std::unexpected(opened.error());
        return;
    }
    file_ = std::move(*opened);
    trace::FileHeader header{};
    std::copy(std::begin(trace::kFileMagic), std::end(trace::kFileMagic), std::begin(header.magic));
    header.version_major = trace::kVersionMajor;
    header.version_minor = trace::kVersionMinor;
    header.header_bytes = sizeof(header);
    status_ = file_.write_all(bytes_of(header));
    write_text(trace::ChunkKind::info, allocator);
    write_sample();
}

TraceFile::~TraceFile() {
    sink_.flush();
    write_sample();
    write_text(trace::ChunkKind::end, {});
}

void TraceFile::take(void* self, const TraceSink::Payload& payload) noexcept {
    auto& file = *static_cast<TraceFile*>(self);
    file.events_ += payload.events;
    file.write(trace::ChunkKind::events, payload.bytes, payload);
}

void TraceFile::write(trace::ChunkKind kind, std::span<const std::uint8_t> payload, const TraceSink::Payload& about) noexcept {
    if (!status_) {
        return;
    }
    trace::ChunkHeader header{};
    header.magic = trace::kChunkMagic;
    header.kind = kind;
    header.compression = trace::Compression::none;
    header.stored_bytes = static_cast<std::uint32_t>(payload.size());
    header.plain_bytes = header.stored_bytes;
    header.items = about.events;
    header.thread = kind == trace::ChunkKind::events ? kThread : trace::ThreadIndex::process;
    header.first_tick = about.first_tick;
    header.last_tick = about.last_tick;
    header.payload_check = trace::fnv1a(payload.data(), payload.size());
    header.header_check = trace::fnv1a(reinterpret_cast<const unsigned char*>(&header), offsetof(trace::ChunkHeader, header_check));
    status_ = file_.write_all(bytes_of(header));
    if (status_) {
        status_ = file_.write_all(std::as_bytes(payload));
    }
}

void TraceFile::write_text(trace::ChunkKind kind, std::string_view allocator) noexcept {
    std::array<std::uint8_t, kTextBytes> room{};
    trace::ByteWriter out{room};
    if (kind == trace::ChunkKind::info) {
        const os::TickPoint now = os::tick_point();
        trace::write_pair(out, "heapwright_version", kVersionText);
        trace::write_pair(out, "program", "a tracked allocator");
        trace::write_pair(out, "pid", static_cast<std::uint64_t>(::getpid()));
        trace::write_pair(out, "allocator", allocator.substr(0, kTextBytes / 4));
        trace::write_pair(out, "stack_mode", "none");
        trace::write_pair(out, "depth", 0);
        trace::write_pair(out, "sample_interval_bytes", 0);
        trace::write_pair(out, "cycles_per_tick", trace::kCyclesPerTick);
        trace::write_pair(out, "started_tick", now.ticks / trace::kCyclesPerTick);
        trace::write_pair(out, "started_monotonic_ns", now.monotonic_ns);
        trace::write_pair(out, "started_unix_ns", os::wall_ns());
    } else {
        trace::write_pair(out, "reason", "exit");
        trace::write_pair(out, "events", events_);
        trace::write_pair(out, "dropped_events", 0);
        trace::write_pair(out, "wall_ns", os::monotonic_ns() - started_ns_);
        trace::write_pair(out, "cpu_ns", os::cpu_ns());
    }
    write(kind, std::span{room}.first(out.size()), {.bytes = {}, .events = 0, .first_tick = tick_now(), .last_tick = tick_now()});
}

/// Two of them, at the ends, turn ticks into time.
void TraceFile::write_sample() noexcept {
    const os::TickPoint now = os::tick_point();
    const auto resident = os::resident_memory();
    trace::Sample sample{};
    sample.tick = now.ticks / trace::kCyclesPerTick;
    sample.monotonic_ns = now.monotonic_ns;
    sample.resident_pages = resident ? resident->resident_bytes / 4096 : 0;
    sample.file_pages = resident ? resident->shared_bytes / 4096 : 0;
    sample.cpu_ns = os::cpu_ns();
    std::array<std::uint8_t, kTextBytes> room{};
    trace::ByteWriter out{room};
    trace::SampleWriter{}.write(out, sample);
    write(trace::ChunkKind::samples, std::span{room}.first(out.size()),
          {.bytes = {}, .events = 1, .first_tick = sample.tick, .last_tick = sample.tick});
}

}  // namespace heapwright
