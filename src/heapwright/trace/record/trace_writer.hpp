// The file: chunks compressed and appended, whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <heapwright/base/error.hpp>
#include <heapwright/os/file.hpp>
#include <heapwright/trace/chunk.hpp>

struct ZSTD_CCtx_s;

namespace heapwright::trace::record {

/// What a chunk's header says besides lengths and checks.
struct ChunkTitle {
    ChunkKind kind;
    std::uint32_t items = 0;
    ThreadIndex thread = ThreadIndex::process;
    Tick first_tick = 0;
    Tick last_tick = 0;
};

/// Appends chunks to one file.
///
///   -    the file ends with a whole chunk: what a failed write left behind is cut off, and nothing is written after it
///
/// Thread safety: one thread at a time; no libc state, so also a thread that libc does not know.
class TraceWriter {
public:
    constexpr TraceWriter() noexcept = default;
    TraceWriter(const TraceWriter&) = delete;
    TraceWriter& operator=(const TraceWriter&) = delete;

    /// Takes the memory for compression and for one chunk; once a process.
    ///
    /// Fails: out_of_memory.
    [[nodiscard]] Result<void> prepare() noexcept;

    /// Creates the file, which must not exist, and writes its header.
    [[nodiscard]] Result<void> create(const char* path) noexcept;

    /// Continues a file that this process created, on another descriptor.
    void adopt(os::File file) noexcept { file_ = static_cast<os::File&&>(file); }
    [[nodiscard]] os::File& file() noexcept { return file_; }

    /// Forgets the file without touching it: the child of fork, whose parent goes on writing.
    void abandon() noexcept;

    /// Compresses and appends one chunk.
    ///
    /// Requires: prepare() and create() succeeded; plain.size() <= kMaxPlainBytes.
    /// Returns:  false when the file cannot take it, now or before: see failure().
    bool write(const ChunkTitle& title, std::span<const std::uint8_t> plain) noexcept;

    /// After a failure: forgets it, so that the closing chunk may fit where a large one did not.
    void try_again() noexcept { failed_ = false; }

    /// The next chunk is the end chunk, which take_back_end() can remove again.
    void mark_end() noexcept { end_at_ = bytes_; }
    [[nodiscard]] bool has_end() const noexcept { return end_at_ != 0; }
    void take_back_end() noexcept;

    [[nodiscard]] bool is_open() const noexcept { return file_.is_open(); }
    [[nodiscard]] bool has_failed() const noexcept { return failed_; }
    [[nodiscard]] const Error& failure() const noexcept { return failure_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::uint64_t chunks() const noexcept { return chunks_; }

private:
    [[nodiscard]] bool append(std::span<const std::uint8_t> bytes) noexcept;
    void cut_to(std::uint64_t bytes) noexcept;

    os::File file_;
    std::uint64_t bytes_ = 0;
    std::uint64_t chunks_ = 0;
    std::uint64_t end_at_ = 0;
    Error failure_{};
    bool failed_ = false;
    void* workspace_ = nullptr;
    ZSTD_CCtx_s* compressor_ = nullptr;
    std::uint8_t* out_ = nullptr;  // header and stored payload of one chunk
    std::size_t out_bytes_ = 0;
};

}  // namespace heapwright::trace::record
