// Plays a trace: everything it knows to a sink, first the metadata in file order, then the events of all threads in one order.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <heapwright/base/error.hpp>
#include <heapwright/study/timeline/event_merger.hpp>
#include <heapwright/trace/read/metadata.hpp>
#include <heapwright/trace/read/reader.hpp>

namespace heapwright::study {

/// Told now and then how far a pass has come. `done_fraction` is in [0, 1].
using Progress = std::function<void(double done_fraction, std::uint64_t events)>;

/// What a sink may hear. A sink derives from this, hides what it wants to hear, and must have
/// `void on_events(std::span<const trace::Event>)`: batches, so that it can look ahead and fetch memory early.
struct SinkDefaults {
    void on_info(const trace::InfoLines&) {}            ///< info and end chunks
    void on_modules(std::vector<trace::ModuleInfo>) {}  ///< everything that is loaded from now on
    /// New nodes of the stack tree. The k-th node of all calls has number k, from 1.
    void on_stacks(std::span<const trace::StackNode>) {}
    void on_threads(std::span<const trace::ThreadInfo>) {}
    void on_usable(std::span<const trace::UsableSize>) {}
    /// All samples, by tick; once, before the first event.
    void on_samples(std::span<const trace::Sample>) {}
    /// A memory map, between the events before and after its tick.
    void on_mappings(trace::Tick, std::span<const trace::MapLine>) {}
};

/// What a pass met, besides the Reader's health.
struct Played {
    std::uint64_t events = 0;
    std::uint64_t late_events = 0;  ///< see EventMerger
};

namespace detail {

/// The chunks that play() needs to come back to while it plays events.
struct MapChunk {
    trace::Tick tick = 0;
    trace::ChunkRef chunk;
};

/// Decodes one metadata chunk into the right call; damage is reported to the reader, and what stands before it is used.
/// A stacks chunk that is damaged still counts all its nodes, so that later nodes keep their numbers.
class MetadataPlayer {
public:
    explicit MetadataPlayer(trace::Reader& reader) : reader_(reader) {}

    template <class Sink>
    Result<void> play(Sink& sink);

    [[nodiscard]] std::span<const MapChunk> maps() const { return maps_; }
    [[nodiscard]] trace::Reader& reader() { return reader_; }

    /// Reads the map again, this time for its content.
    Result<void> load_map(const trace::ChunkRef& chunk, std::vector<trace::MapLine>& out);

private:
    Result<bool> load(const trace::ChunkRef& chunk);
    template <class Item, class Decode>
    std::vector<Item> decode(const trace::ChunkRef& chunk, Decode decode_items);
    std::vector<trace::StackNode> decode_nodes(const trace::ChunkRef& chunk);

    trace::Reader& reader_;
    std::vector<std::uint8_t> plain_;
    std::vector<trace::Sample> samples_;
    std::vector<MapChunk> maps_;
    std::uint32_t nodes_ = 0;
};

}  // namespace detail

/// Fails:    io_failed. Damage is no failure: it is left out, and reader.health() tells how much.
/// Cost:     memory for the samples and what EventMerger needs; time O(events * log running threads).
template <class Sink>
Result<Played> play(trace::Reader& reader, Sink& sink, const Progress& progress = {});

}  // namespace heapwright::study

#include <heapwright/study/timeline/detail/play_impl.hpp>
