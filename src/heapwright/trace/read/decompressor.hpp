// Undoes what a chunk's compression byte says, inside fixed limits.
#pragma once

#include <cstdint>
#include <span>

#include <heapwright/trace/chunk.hpp>

struct ZSTD_DCtx_s;

namespace heapwright::trace {

/// Keeps one zstd context for all chunks of a file.
///
/// Thread safety: one caller.
class Decompressor {
public:
    Decompressor();
    ~Decompressor();
    Decompressor(const Decompressor&) = delete;
    Decompressor& operator=(const Decompressor&) = delete;

    /// Fills `plain`, which has header.plain_bytes bytes, from `stored`, which has header.stored_bytes.
    ///
    /// Returns:  false when the payload fails its check or has another length; `plain` is then garbage.
    [[nodiscard]] bool expand(const ChunkHeader& header, std::span<const std::uint8_t> stored, std::span<std::uint8_t> plain);

private:
    ZSTD_DCtx_s* context_;
};

}  // namespace heapwright::trace
