#include "trace_facts.hpp"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include <heapwright/trace/read/metadata.hpp>
#include <heapwright/trace/read/reader.hpp>

namespace heapwright::cli {
namespace {

std::string value_of(const trace::InfoLines& lines, const std::string& key) {
    const auto found = lines.find(key);
    return found != lines.end() ? found->second : std::string{};
}

}  // namespace

std::optional<TraceFile> read_trace_facts(const std::string& path) {
    auto reader = trace::Reader::open(path);
    if (!reader) {
        return std::nullopt;
    }
    trace::InfoLines lines;
    std::vector<std::uint8_t> plain;
    for (const trace::ChunkRef& chunk : reader->chunks()) {
        if (chunk.header.kind == trace::ChunkKind::info || chunk.header.kind == trace::ChunkKind::end) {
            if (const auto payload = reader->load(chunk, plain)) {
                trace::decode_text(*payload, lines);
            }
        }
    }
    TraceFile facts;
    facts.path = path;
    const std::string called = value_of(lines, "arguments");  // its file may be a link to a program of another name
    facts.program = std::filesystem::path{called.substr(0, called.find(' '))}.filename().string();
    facts.pid = std::strtoull(value_of(lines, "pid").c_str(), nullptr, 10);
    facts.events = reader->outline().events;
    facts.file_bytes = reader->file_bytes();
    facts.complete = reader->outline().has_end;
    facts.stopped_by = value_of(lines, "reason");
    return facts;
}

}  // namespace heapwright::cli
