// What the chunks other than events hold, decoded into values of their own: modules, stack nodes, samples, memory maps,
// usable sizes, threads, text.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <heapwright/trace/chunk.hpp>
#include <heapwright/trace/event.hpp>
#include <heapwright/trace/records.hpp>

namespace heapwright::trace {

/// One loaded file.
struct ModuleInfo {
    std::string path;
    std::vector<std::uint8_t> build_id;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;  ///< one past its last byte
    std::uint64_t bias = 0;
};

/// One line of a memory map.
struct MapLine {
    Mapping where{};
    std::string name;

    [[nodiscard]] std::uint64_t end() const { return where.begin + where.bytes; }
};

struct ThreadInfo {
    ThreadIndex index{};
    std::uint32_t tid = 0;
    std::string name;
    Tick first_tick = 0;
    Tick last_tick = 0;
    bool finished = false;
};

using InfoLines = std::map<std::string, std::string>;

/// Each decoder appends what the payload holds to `out`.
///
/// Returns:  false at the first damage, or when the header promised another number of items; what could be read is in `out`.
/// Keeps:    memory in proportion to the payload, whatever its numbers claim.
[[nodiscard]] bool decode_modules(const ChunkHeader& header, std::span<const std::uint8_t> payload, std::vector<ModuleInfo>& out);
/// `first_number`: the number of the chunk's first node.
[[nodiscard]] bool decode_stacks(const ChunkHeader& header, std::span<const std::uint8_t> payload, std::uint32_t first_number,
                                 std::vector<StackNode>& out);
[[nodiscard]] bool decode_samples(const ChunkHeader& header, std::span<const std::uint8_t> payload, std::vector<Sample>& out);
[[nodiscard]] bool decode_mappings(const ChunkHeader& header, std::span<const std::uint8_t> payload, std::vector<MapLine>& out);
[[nodiscard]] bool decode_usable(const ChunkHeader& header, std::span<const std::uint8_t> payload, std::vector<UsableSize>& out);
[[nodiscard]] bool decode_threads(const ChunkHeader& header, std::span<const std::uint8_t> payload, std::vector<ThreadInfo>& out);
/// Lines without '=' are left out; a key that comes again replaces the earlier one. Any bytes are text.
void decode_text(std::span<const std::uint8_t> payload, InfoLines& out);

}  // namespace heapwright::trace
