// The walk over the chunk headers and the loading of single payloads.
#include <heapwright/trace/read/reader.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <heapwright/trace/read/decompressor.hpp>
#include <heapwright/trace/read/framing.hpp>

namespace heapwright::trace {
namespace {

/// Reads until `room` is full or the file ends.
Result<std::size_t> read_at(os::File& file, std::span<std::uint8_t> room, std::uint64_t offset) {
    std::size_t done = 0;
    while (done < room.size()) {
        const auto got = file.read_some_at(std::as_writable_bytes(room.subspan(done)), offset + done);
        if (!got) {
            return std::unexpected(got.error());
        }
        if (*got == 0) {
            break;
        }
        done += *got;
    }
    return done;
}

/// A window over the file from which the headers are read: most chunks are far smaller than it.
class HeaderWindow {
public:
    explicit HeaderWindow(os::File& file) : file_(file) {}

    Result<bool> read(ChunkHeader& header, std::uint64_t offset) {
        if (offset < begin_ || offset + sizeof header > begin_ + filled_) {
            begin_ = offset;
            const auto got = read_at(file_, room_, offset);
            if (!got) {
                return std::unexpected(got.error());
            }
            filled_ = *got;
        }
        if (offset + sizeof header > begin_ + filled_) {
            return false;
        }
        std::memcpy(&header, room_.data() + (offset - begin_), sizeof header);
        return true;
    }

private:
    os::File& file_;
    std::array<std::uint8_t, 4096> room_{};
    std::uint64_t begin_ = 0;
    std::size_t filled_ = 0;
};

}  // namespace

Reader::Reader() : decompressor_(std::make_unique<Decompressor>()) {}
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;
Reader::~Reader() = default;

Result<Reader> Reader::open(const std::string& path) {
    auto file = os::File::open_read(path.c_str());
    if (!file) {
        return std::unexpected(file.error());
    }
    const auto bytes = file->size();
    if (!bytes) {
        return std::unexpected(bytes.error());
    }
    Reader reader;
    reader.file_ = std::move(*file);
    reader.health_.file_bytes = *bytes;
    if (auto walked = reader.walk(); !walked) {
        return std::unexpected(walked.error());
    }
    return reader;
}

Result<void> Reader::walk() {
    std::array<std::uint8_t, sizeof(FileHeader)> first{};
    const auto got = read_at(file_, first, 0);
    if (!got) {
        return std::unexpected(got.error());
    }
    const auto file_header = check_file_header(std::span(first).first(*got), health_.file_bytes);
    if (!file_header) {
        return std::unexpected(file_header.error());
    }

    HeaderWindow window(file_);
    std::uint64_t offset = file_header->header_bytes;
    bool any_events = false;
    while (offset + sizeof(ChunkHeader) <= health_.file_bytes) {
        ChunkRef chunk{.offset = offset};
        const auto whole = window.read(chunk.header, offset);
        if (!whole) {
            return std::unexpected(whole.error());
        }
        if (!*whole || !chunk_header_is_sound(chunk.header, health_.file_bytes - offset - sizeof(ChunkHeader))) {
            break;
        }
        offset += sizeof(ChunkHeader) + chunk.header.stored_bytes;
        ++outline_.chunks;
        if (!is_known(chunk.header.kind)) {
            ++health_.skipped_chunks;
            continue;
        }
        if (chunk.header.kind == ChunkKind::events && chunk.header.items > 0) {
            outline_.events += chunk.header.items;
            outline_.first_tick = any_events ? std::min(outline_.first_tick, chunk.header.first_tick) : chunk.header.first_tick;
            outline_.last_tick = std::max(outline_.last_tick, chunk.header.last_tick);
            any_events = true;
        }
        outline_.has_end = outline_.has_end || chunk.header.kind == ChunkKind::end;
        chunks_.push_back(chunk);
    }
    outline_.valid_bytes = offset;
    outline_.damaged = offset != health_.file_bytes;
    health_.tail_bytes = health_.file_bytes - offset;
    health_.damaged_at = offset;
    health_.used_bytes = offset;
    health_.has_end = outline_.has_end;
    return {};
}

Result<std::span<const std::uint8_t>> Reader::load(const ChunkRef& chunk, std::vector<std::uint8_t>& plain) {
    stored_.resize(chunk.header.stored_bytes);
    const auto got = read_at(file_, stored_, chunk.offset + sizeof(ChunkHeader));
    if (!got) {
        return std::unexpected(got.error());
    }
    bytes_read_ += *got;
    plain.resize(chunk.header.plain_bytes);
    if (*got != stored_.size() || !decompressor_->expand(chunk.header, stored_, plain)) {
        report_damage(chunk, chunk.header.kind == ChunkKind::events ? chunk.header.items : 0);
        return fail_with(Errc::damaged_data, chunk.offset);
    }
    return std::span<const std::uint8_t>(plain);
}

void Reader::report_damage(const ChunkRef& chunk, std::uint64_t lost_events) {
    if (!reported_.insert(chunk.offset).second) {
        return;
    }
    ++health_.damaged_chunks;
    health_.lost_events += lost_events;
    health_.damaged_at = std::min(health_.damaged_at, chunk.offset);
    health_.used_bytes -= sizeof(ChunkHeader) + chunk.header.stored_bytes;
}

Result<void> Reader::for_each_chunk(const ChunkVisitor& visit) {
    std::vector<std::uint8_t> plain;
    for (const ChunkRef& chunk : chunks_) {
        const auto payload = load(chunk, plain);
        if (payload) {
            visit(chunk, *payload);
        } else if (payload.error().kind != Errc::damaged_data) {
            return std::unexpected(payload.error());
        }
    }
    return {};
}

}  // namespace heapwright::trace
