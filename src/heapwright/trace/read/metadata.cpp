// Copies the records of the small chunks out of their payloads.
#include <heapwright/trace/read/metadata.hpp>

#include <string_view>

namespace heapwright::trace {
namespace {

/// Reads all records, turns each into an Item, and compares their number with the header's.
template <class Record, class Reader, class Item, class Turn>
bool read_all(const ChunkHeader& header, Reader reader, std::vector<Item>& out, Turn turn) {
    std::uint32_t count = 0;
    for (Record record{}; reader.next(record); ++count) {
        out.push_back(turn(record));
    }
    return !reader.is_damaged() && count == header.items;
}

constexpr auto as_it_is = [](const auto& record) { return record; };

}  // namespace

bool decode_modules(const ChunkHeader& header, std::span<const std::uint8_t> payload, std::vector<ModuleInfo>& out) {
    return read_all<Module>(header, ModuleReader(payload), out, [](const Module& module) {
        return ModuleInfo{.path = std::string(module.path),
                          .build_id = {module.build_id.begin(), module.build_id.end()},
                          .begin = module.begin,
                          .end = module.end,
                          .bias = module.bias};
    });
}

bool decode_stacks(const ChunkHeader& header, std::span<const std::uint8_t> payload, std::uint32_t first_number,
                   std::vector<StackNode>& out) {
    return read_all<StackNode>(header, StackReader(payload, {.next = first_number}), out, as_it_is);
}

bool decode_samples(const ChunkHeader& header, std::span<const std::uint8_t> payload, std::vector<Sample>& out) {
    return read_all<Sample>(header, SampleReader(payload), out, as_it_is);
}

bool decode_mappings(const ChunkHeader& header, std::span<const std::uint8_t> payload, std::vector<MapLine>& out) {
    return read_all<NamedMapping>(header, MappingReader(payload), out, [](const NamedMapping& mapping) {
        return MapLine{.where = mapping.mapping, .name = std::string(mapping.name)};
    });
}

bool decode_usable(const ChunkHeader& header, std::span<const std::uint8_t> payload, std::vector<UsableSize>& out) {
    return read_all<UsableSize>(header, UsableReader(payload), out, as_it_is);
}

bool decode_threads(const ChunkHeader& header, std::span<const std::uint8_t> payload, std::vector<ThreadInfo>& out) {
    return read_all<ThreadRecord>(header, ThreadReader(payload), out, [](const ThreadRecord& thread) {
        return ThreadInfo{.index = thread.thread,
                          .tid = thread.tid,
                          .name = std::string(thread.name),
                          .first_tick = thread.first_tick,
                          .last_tick = thread.last_tick,
                          .finished = thread.finished};
    });
}

void decode_text(std::span<const std::uint8_t> payload, InfoLines& out) {
    TextReader reader(payload);
    std::string_view key;
    std::string_view value;
    while (reader.next(key, value)) {
        std::string plain(value);
        plain.resize(unescape(value, plain.data()));
        out[std::string(key)] = std::move(plain);
    }
}

}  // namespace heapwright::trace
