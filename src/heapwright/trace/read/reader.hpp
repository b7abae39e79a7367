// Opens a trace, checks its frame and hands out its chunks; nothing in the file is believed before it was checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include <heapwright/base/error.hpp>
#include <heapwright/os/file.hpp>
#include <heapwright/trace/chunk.hpp>
#include <heapwright/trace/event.hpp>

namespace heapwright::trace {

/// One whole, valid chunk header and where it stands.
struct ChunkRef {
    std::uint64_t offset = 0;  ///< of the header; the payload follows it
    ChunkHeader header{};
};

/// What the headers alone say about a trace.
struct Outline {
    std::uint64_t chunks = 0;
    std::uint64_t events = 0;  ///< as the headers promise
    Tick first_tick = 0;       ///< over all event chunks; 0 when there is none
    Tick last_tick = 0;
    std::uint64_t valid_bytes = 0;  ///< the file up to the end of its last whole chunk
    bool damaged = false;           ///< something follows that is not a whole chunk
    bool has_end = false;           ///< the recorder closed the file in an orderly way
};

/// How much of the file could be used. Filled in by outline() and by each load().
struct Health {
    std::uint64_t file_bytes = 0;
    std::uint64_t used_bytes = 0;      ///< header and whole chunks, less the chunks below
    std::uint64_t damaged_at = 0;      ///< offset of the first damage; meaningful when damaged()
    std::uint64_t damaged_chunks = 0;  ///< whole chunks whose payload does not stand up to its check
    std::uint64_t lost_events = 0;     ///< promised by the headers of those chunks
    std::uint64_t skipped_chunks = 0;  ///< of a kind that this version does not know
    std::uint64_t tail_bytes = 0;      ///< after the last whole chunk
    bool has_end = false;

    [[nodiscard]] bool damaged() const { return damaged_chunks > 0 || tail_bytes > 0; }
};

class Decompressor;

/// A trace file, read by position, so that a file that shrinks meanwhile is an error and not a signal.
///
/// Thread safety: one caller.
/// Example:
///   auto reader = Reader::open("a.hwtrace");
///   for (const ChunkRef& chunk : reader->chunks()) { if (auto payload = reader->load(chunk, buffer)) { ... } }
class Reader {
public:
    /// Checks the file header and walks the chunk headers, without decompressing anything.
    ///
    /// Fails:    not_found, permission_denied, invalid_argument (a folder), io_failed from the system;
    ///           damaged_data (number: file bytes) when this is no trace;
    ///           unsupported_version (number: its major version) for another major version.
    ///           A trace that is damaged behind its file header opens: health() tells.
    /// Cost:     one small read a chunk.
    [[nodiscard]] static Result<Reader> open(const std::string& path);

    Reader(Reader&&) noexcept;
    Reader& operator=(Reader&&) noexcept;
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader();

    [[nodiscard]] std::uint64_t file_bytes() const { return health_.file_bytes; }
    /// Payload bytes that load() has read so far.
    [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }
    [[nodiscard]] const Outline& outline() const { return outline_; }
    /// All valid chunks in file order, those of unknown kinds left out.
    [[nodiscard]] std::span<const ChunkRef> chunks() const { return chunks_; }
    [[nodiscard]] const Health& health() const { return health_; }

    /// Reads and decompresses one payload into `plain`.
    ///
    /// Returns:  what `plain` holds now: exactly header.plain_bytes bytes.
    /// Fails:    damaged_data (number: the chunk's offset) when the payload fails its check; counted in health() once.
    ///           io_failed when the file cannot be read.
    [[nodiscard]] Result<std::span<const std::uint8_t>> load(const ChunkRef& chunk, std::vector<std::uint8_t>& plain);

    /// A decoder found that a payload, though intact, breaks the grammar: counts the chunk as damaged.
    void report_damage(const ChunkRef& chunk, std::uint64_t lost_events);

    using ChunkVisitor = std::function<void(const ChunkRef& chunk, std::span<const std::uint8_t> payload)>;
    /// Loads each chunk in file order. Chunks with damaged payloads are counted and left out.
    ///
    /// Fails:    io_failed.
    [[nodiscard]] Result<void> for_each_chunk(const ChunkVisitor& visit);

private:
    Reader();
    Result<void> walk();

    os::File file_;
    std::vector<ChunkRef> chunks_;
    Outline outline_;
    Health health_;
    std::uint64_t bytes_read_ = 0;
    std::vector<std::uint8_t> stored_;
    std::unordered_set<std::uint64_t> reported_;  // offsets of the chunks already counted as damaged
    std::unique_ptr<Decompressor> decompressor_;
};

}  // namespace heapwright::trace
