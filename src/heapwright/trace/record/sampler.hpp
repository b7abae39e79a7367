// What the kernel says while the program runs: resident memory and faults on a clock, the memory map now and then.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/base/error.hpp>
#include <heapwright/trace/bytes.hpp>
#include <heapwright/trace/record/trace_writer.hpp>
#include <heapwright/trace/records.hpp>

namespace heapwright::trace::record {

/// Samples and memory maps of this process.
///
/// Thread safety: the background thread only.
class Sampler {
public:
    constexpr Sampler() noexcept = default;

    /// Fails: out_of_memory.
    [[nodiscard]] Result<void> prepare() noexcept;
    /// Begins a new file. `now_ns` is its time zero.
    void reset(std::uint64_t now_ns) noexcept;

    /// Takes one sample; returns whether resident memory changed by more than a little since the sample before.
    bool sample(TraceWriter& file) noexcept;
    /// Writes the samples that wait.
    void flush(TraceWriter& file) noexcept;

    /// Whether a new map is due: resident memory grew by an eighth since the last, and maps took less than 0.5 % of time.
    [[nodiscard]] bool wants_map() const noexcept;
    void write_map(TraceWriter& file) noexcept;

    [[nodiscard]] std::uint64_t last_sample_cost_ns() const noexcept { return sample_cost_ns_; }
    /// Resident memory of the recorder itself at the last map.
    [[nodiscard]] std::uint64_t own_resident_bytes() const noexcept { return own_resident_bytes_; }

private:
    static constexpr std::size_t kSamplesRoom = std::size_t{8} << 10;
    static constexpr std::size_t kMapRoom = std::size_t{4} << 20;
    static constexpr std::size_t kReadRoom = std::size_t{64} << 10;
    static constexpr std::uint32_t kSamplesPerChunk = 64;

    ByteWriter samples_;
    SampleWriter writer_;
    std::uint32_t items_ = 0;
    Tick first_tick_ = 0;
    Tick last_tick_ = 0;
    std::uint64_t resident_pages_ = 0;
    std::uint64_t last_ns_ = 0;
    std::uint64_t sample_cost_ns_ = 0;
    std::uint8_t* map_room_ = nullptr;
    char* read_room_ = nullptr;
    std::uint64_t mapped_pages_ = 0;  // resident pages at the last map
    std::uint64_t map_costs_ns_ = 0;  // all maps together
    std::uint64_t began_ns_ = 0;
    std::uint64_t own_resident_bytes_ = 0;
};

}  // namespace heapwright::trace::record
