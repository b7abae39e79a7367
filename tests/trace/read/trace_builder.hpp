// Makes traces for tests: events and metadata in, the bytes of a file out, through the same codec that the recorder uses.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <heapwright/trace/chunk.hpp>
#include <heapwright/trace/event.hpp>
#include <heapwright/trace/read/metadata.hpp>

namespace heapwright::test {

/// Events of a thread are buffered and become a chunk at flush(); everything else becomes a chunk at once.
///
/// Example:
///   TraceBuilder builder;
///   builder.allocate(1, 10, 0x1000, 48);
///   builder.release(1, 20, 0x1000);
///   const std::string path = builder.write("freed");
class TraceBuilder {
public:
    explicit TraceBuilder(bool compressed = true);

    TraceBuilder& info(const std::map<std::string, std::string>& lines) { return text(trace::ChunkKind::info, lines); }
    TraceBuilder& end(const std::map<std::string, std::string>& lines = {});
    TraceBuilder& modules(const std::vector<trace::ModuleInfo>& modules);
    /// A stack from its return addresses, outermost first. Its new nodes are written before the next event chunk.
    trace::StackId stack(const std::vector<std::uint64_t>& pcs);
    TraceBuilder& samples(const std::vector<trace::Sample>& samples);
    TraceBuilder& mappings(trace::Tick tick, const std::vector<trace::MapLine>& lines);
    TraceBuilder& usable(const std::vector<trace::UsableSize>& pairs);
    TraceBuilder& threads(const std::vector<trace::ThreadInfo>& threads);
    TraceBuilder& watermark(trace::Tick tick);
    /// Any chunk, sound or not.
    TraceBuilder& chunk(trace::ChunkHeader header, std::span<const std::uint8_t> payload);

    /// Requires: the ticks of a thread do not run backwards.
    TraceBuilder& event(const trace::Event& event);
    TraceBuilder& allocate(std::uint32_t thread, trace::Tick tick, std::uint64_t address, std::uint64_t size,
                           trace::StackId stack = trace::StackId::none, trace::Call call = trace::Call::malloc,
                           std::uint8_t alignment_log2 = 0);
    TraceBuilder& release(std::uint32_t thread, trace::Tick tick, std::uint64_t address, trace::Call call = trace::Call::free);
    TraceBuilder& resize(std::uint32_t thread, trace::Tick from_tick, trace::Tick to_tick, std::uint64_t old_address, std::uint64_t address,
                         std::uint64_t size, trace::StackId stack = trace::StackId::none);
    TraceBuilder& flush(std::uint32_t thread);
    /// All threads.
    TraceBuilder& flush();

    /// Flushes; the file as it stands.
    const std::vector<std::uint8_t>& bytes();
    /// Flushes and writes the file into a folder of the test's own. Returns its path.
    std::string write(const std::string& name);

private:
    TraceBuilder& text(trace::ChunkKind kind, const std::map<std::string, std::string>& lines);
    void put(trace::ChunkKind kind, std::uint32_t items, std::span<const std::uint8_t> payload, trace::Tick first = 0, trace::Tick last = 0,
             std::uint32_t thread = 0);
    void flush_stacks();

    bool compressed_;
    std::vector<std::uint8_t> bytes_;
    std::map<std::uint32_t, std::vector<trace::Event>> pending_;
    std::map<std::pair<std::uint32_t, std::uint64_t>, std::uint32_t> nodes_;  // (parent, pc) -> number
    std::vector<trace::StackNode> new_nodes_;
    std::uint32_t written_nodes_ = 0;
};

/// Writes bytes to a fresh file in a folder that is removed when the program ends.
std::string write_bytes(const std::string& name, std::span<const std::uint8_t> bytes);

/// A header with its check, for chunks made by hand.
trace::ChunkHeader sealed(trace::ChunkHeader header);

}  // namespace heapwright::test
