// A trace file of one allocator: what a Tracked does, for `heapwright report` and `heapwright replay` to read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include <heapwright/alloc/adapt/trace_sink.hpp>
#include <heapwright/alloc/adapt/tracked.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/os/file.hpp>
#include <heapwright/trace/chunk.hpp>

namespace heapwright {

/// A sink of Tracked that writes its events to a file, uncompressed and without call stacks.
///
/// A file that cannot be written changes nothing for the program: status() says why, and events are dropped from then on.
/// Cost:     as TraceSink, and a write to the file every 32768 events. Its room of about 4 MiB is taken once, with new.
/// Thread safety: one thread at a time.
/// Example:  `TraceFile file{"pool.hwtrace"}; Tracked tracked{pool, file}; ...` and then `heapwright report pool.hwtrace`
class TraceFile {
public:
    /// `allocator` names in the report what the events are of.
    explicit TraceFile(const char* path, std::string_view allocator = "an allocator of the library");
    TraceFile(const TraceFile&) = delete;
    TraceFile& operator=(const TraceFile&) = delete;
    /// Writes what is left, and that the file is whole.
    ~TraceFile();

    void allocated(void* block, Layout layout) noexcept { sink_.allocated(block, layout); }
    void released(void* block, Layout layout) noexcept { sink_.released(block, layout); }

    /// Fails:    with what kept the file from being made or written.
    [[nodiscard]] Result<void> status() const noexcept { return status_; }

private:
    static void take(void* self, const TraceSink::Payload& payload) noexcept;
    void write(trace::ChunkKind kind, std::span<const std::uint8_t> payload, const TraceSink::Payload& about) noexcept;
    void write_text(trace::ChunkKind kind, std::string_view allocator) noexcept;
    void write_sample() noexcept;

    os::File file_;
    Result<void> status_;
    std::unique_ptr<std::uint8_t[]> room_;  // NOLINT(*-avoid-c-arrays): left uninitialised
    std::uint64_t events_ = 0;
    std::uint64_t started_ns_ = 0;
    TraceSink sink_;
};

static_assert(EventSink<TraceFile>);

}  // namespace heapwright
