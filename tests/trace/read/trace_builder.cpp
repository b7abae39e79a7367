// The bytes of traces for tests.
#include <tests/trace/read/trace_builder.hpp>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>

#include <unistd.h>

#include <zstd.h>

#include <heapwright/trace/event_codec.hpp>
#include <heapwright/trace/records.hpp>

namespace heapwright::test {
namespace {

using namespace trace;

/// The folder of this process's traces.
class Folder {
public:
    Folder() : path_(std::filesystem::temp_directory_path() / ("heapwright-test-" + std::to_string(getpid()))) {
        std::filesystem::create_directories(path_);
    }
    ~Folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

private:
    std::filesystem::path path_;
};

/// Payload bytes of any small chunk: `write(out)` writes the records.
template <class Write>
std::vector<std::uint8_t> payload_of(Write write) {
    std::vector<std::uint8_t> room(1 << 20);
    ByteWriter out(room);
    write(out);
    if (out.overflowed()) {
        throw std::runtime_error("a test trace has a chunk over 1 MiB");
    }
    room.resize(out.size());
    return room;
}

std::vector<std::uint8_t> compress(std::span<const std::uint8_t> plain) {
    std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
    std::vector<std::uint8_t> stored(ZSTD_compressBound(plain.size()));
    const std::size_t bytes = ZSTD_compress2(context.get(), stored.data(), stored.size(), plain.data(), plain.size());
    if (ZSTD_isError(bytes) != 0) {
        throw std::runtime_error("zstd cannot compress a test trace");
    }
    stored.resize(bytes);
    return stored;
}

}  // namespace

std::string write_bytes(const std::string& name, std::span<const std::uint8_t> bytes) {
    static const Folder folder;
    const std::string path = folder.file(name + ".hwtrace");
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) {
        throw std::runtime_error("cannot write " + path);
    }
    return path;
}

ChunkHeader sealed(ChunkHeader header) {
    unsigned char bytes[sizeof header];
    std::memcpy(bytes, &header, sizeof header);
    header.header_check = fnv1a(bytes, offsetof(ChunkHeader, header_check));
    return header;
}

TraceBuilder::TraceBuilder(bool compressed) : compressed_(compressed) {
    FileHeader header{};
    std::memcpy(header.magic, kFileMagic, sizeof kFileMagic);
    header.version_major = kVersionMajor;
    header.version_minor = kVersionMinor;
    header.header_bytes = sizeof header;
    bytes_.resize(sizeof header);
    std::memcpy(bytes_.data(), &header, sizeof header);
}

TraceBuilder& TraceBuilder::chunk(ChunkHeader header, std::span<const std::uint8_t> payload) {
    const auto* raw = reinterpret_cast<const std::uint8_t*>(&header);
    bytes_.insert(bytes_.end(), raw, raw + sizeof header);
    bytes_.insert(bytes_.end(), payload.begin(), payload.end());
    return *this;
}

void TraceBuilder::put(ChunkKind kind, std::uint32_t items, std::span<const std::uint8_t> payload, Tick first, Tick last,
                       std::uint32_t thread) {
    const std::vector<std::uint8_t> stored = compressed_ ? compress(payload) : std::vector<std::uint8_t>(payload.begin(), payload.end());
    ChunkHeader header{};
    header.magic = kChunkMagic;
    header.kind = kind;
    header.compression = compressed_ ? Compression::zstd : Compression::none;
    header.stored_bytes = static_cast<std::uint32_t>(stored.size());
    header.plain_bytes = static_cast<std::uint32_t>(payload.size());
    header.items = items;
    header.thread = static_cast<ThreadIndex>(thread);
    header.first_tick = first;
    header.last_tick = last;
    header.payload_check = compressed_ ? 0 : fnv1a(stored.data(), stored.size());
    chunk(sealed(header), stored);
}

TraceBuilder& TraceBuilder::text(ChunkKind kind, const std::map<std::string, std::string>& lines) {
    put(kind, static_cast<std::uint32_t>(lines.size()), payload_of([&](ByteWriter& out) {
            for (const auto& [key, value] : lines) {
                write_pair(out, key, value);
            }
        }));
    return *this;
}

TraceBuilder& TraceBuilder::end(const std::map<std::string, std::string>& lines) {
    flush();
    return text(ChunkKind::end, lines);
}

TraceBuilder& TraceBuilder::modules(const std::vector<ModuleInfo>& modules) {
    flush_stacks();
    put(ChunkKind::modules, static_cast<std::uint32_t>(modules.size()), payload_of([&](ByteWriter& out) {
            ModuleWriter writer;
            for (const ModuleInfo& module : modules) {
                writer.write(
                    out,
                    Module{
                        .begin = module.begin, .end = module.end, .bias = module.bias, .path = module.path, .build_id = module.build_id});
            }
        }));
    return *this;
}

StackId TraceBuilder::stack(const std::vector<std::uint64_t>& pcs) {
    std::uint32_t node = 0;
    for (const std::uint64_t pc : pcs) {
        const auto [place, is_new] = nodes_.try_emplace({node, pc}, static_cast<std::uint32_t>(nodes_.size() + 1));
        if (is_new) {
            new_nodes_.push_back(StackNode{.parent = static_cast<StackId>(node), .pc = pc});
        }
        node = place->second;
    }
    return static_cast<StackId>(node);
}

void TraceBuilder::flush_stacks() {
    if (new_nodes_.empty()) {
        return;
    }
    put(ChunkKind::stacks, static_cast<std::uint32_t>(new_nodes_.size()), payload_of([&](ByteWriter& out) {
            StackWriter writer(written_nodes_ + 1);
            for (const StackNode& node : new_nodes_) {
                writer.write(out, node);
            }
        }));
    written_nodes_ += static_cast<std::uint32_t>(new_nodes_.size());
    new_nodes_.clear();
}

TraceBuilder& TraceBuilder::samples(const std::vector<Sample>& samples) {
    put(ChunkKind::samples, static_cast<std::uint32_t>(samples.size()), payload_of([&](ByteWriter& out) {
            SampleWriter writer;
            for (const Sample& sample : samples) {
                writer.write(out, sample);
            }
        }));
    return *this;
}

TraceBuilder& TraceBuilder::mappings(Tick tick, const std::vector<MapLine>& lines) {
    put(ChunkKind::mappings, static_cast<std::uint32_t>(lines.size()), payload_of([&](ByteWriter& out) {
            MappingWriter writer;
            for (const MapLine& line : lines) {
                writer.write(out, line.where, line.name);
            }
        }),
        tick, tick);
    return *this;
}

TraceBuilder& TraceBuilder::usable(const std::vector<UsableSize>& pairs) {
    put(ChunkKind::usable, static_cast<std::uint32_t>(pairs.size()), payload_of([&](ByteWriter& out) {
            for (const UsableSize& pair : pairs) {
                write_usable(out, pair);
            }
        }));
    return *this;
}

TraceBuilder& TraceBuilder::threads(const std::vector<ThreadInfo>& threads) {
    put(ChunkKind::threads, static_cast<std::uint32_t>(threads.size()), payload_of([&](ByteWriter& out) {
            for (const ThreadInfo& thread : threads) {
                write_thread(out, ThreadRecord{.thread = thread.index,
                                               .tid = thread.tid,
                                               .first_tick = thread.first_tick,
                                               .last_tick = thread.last_tick,
                                               .finished = thread.finished,
                                               .name = thread.name});
            }
        }));
    return *this;
}

TraceBuilder& TraceBuilder::watermark(Tick tick) {
    put(ChunkKind::watermark, 0, {}, tick, tick);
    return *this;
}

TraceBuilder& TraceBuilder::event(const Event& event) {
    auto& events = pending_[static_cast<std::uint32_t>(event.thread)];
    events.push_back(event);
    if (events.size() == EventEncoder::kMaxEvents) {
        flush(static_cast<std::uint32_t>(event.thread));
    }
    return *this;
}

TraceBuilder& TraceBuilder::allocate(std::uint32_t thread, Tick tick, std::uint64_t address, std::uint64_t size, StackId stack, Call call,
                                     std::uint8_t alignment_log2) {
    Event made;
    made.kind = EventKind::allocate;
    made.call = call;
    made.alignment_log2 = alignment_log2;
    made.thread = static_cast<ThreadIndex>(thread);
    made.stack = stack;
    made.tick = tick;
    made.address = address;
    made.size = size;
    return event(made);
}

TraceBuilder& TraceBuilder::release(std::uint32_t thread, Tick tick, std::uint64_t address, Call call) {
    Event made;
    made.kind = EventKind::release;
    made.call = call;
    made.thread = static_cast<ThreadIndex>(thread);
    made.tick = tick;
    made.address = address;
    return event(made);
}

TraceBuilder& TraceBuilder::resize(std::uint32_t thread, Tick from_tick, Tick to_tick, std::uint64_t old_address, std::uint64_t address,
                                   std::uint64_t size, StackId stack) {
    Event made;
    made.call = Call::realloc;
    made.thread = static_cast<ThreadIndex>(thread);
    if (old_address != 0) {
        made.kind = EventKind::resize_from;
        made.tick = from_tick;
        made.address = old_address;
        event(made);
    }
    made.kind = EventKind::resize_to;
    made.stack = stack;
    made.tick = to_tick;
    made.address = address;
    made.size = size;
    made.old_address = old_address;
    return event(made);
}

TraceBuilder& TraceBuilder::flush(std::uint32_t thread) {
    flush_stacks();
    auto& events = pending_[thread];
    if (events.empty()) {
        return *this;
    }
    static std::vector<std::uint8_t> room(EventEncoder::kRoomBytes);
    static std::vector<std::uint8_t> payload(EventEncoder::kPayloadBytesMax);
    const auto encoder = std::make_unique<EventEncoder>();
    encoder->use_room(room);
    encoder->begin(events.front().tick);
    for (const Event& event : events) {
        encoder->add(event, true);
    }
    const std::size_t bytes = encoder->finish(payload);
    put(ChunkKind::events, static_cast<std::uint32_t>(events.size()), std::span(payload).first(bytes), encoder->first_tick(),
        encoder->last_tick(), thread);
    events.clear();
    return *this;
}

TraceBuilder& TraceBuilder::flush() {
    for (const auto& [thread, events] : pending_) {
        flush(thread);
    }
    return *this;
}

const std::vector<std::uint8_t>& TraceBuilder::bytes() {
    flush();
    return bytes_;
}

std::string TraceBuilder::write(const std::string& name) { return write_bytes(name, bytes()); }

}  // namespace heapwright::test
