// Checks of the two headers, apart from any file, so that tests and the fuzzer can ask them about any bytes.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include <heapwright/base/error.hpp>
#include <heapwright/trace/chunk.hpp>

namespace heapwright::trace {

/// The largest file header that a newer minor version may have.
inline constexpr std::uint32_t kMaxFileHeaderBytes = 4096;

/// Requires: `bytes` are the first bytes of the file.
/// Fails:    damaged_data when this is no trace or its header is cut; unsupported_version, number: the major version.
[[nodiscard]] inline Result<FileHeader> check_file_header(std::span<const std::uint8_t> bytes, std::uint64_t file_bytes) {
    FileHeader header{};
    if (bytes.size() < sizeof header) {
        return fail_with(Errc::damaged_data, file_bytes);
    }
    std::memcpy(&header, bytes.data(), sizeof header);
    if (std::memcmp(header.magic, kFileMagic, sizeof kFileMagic) != 0) {
        return fail_with(Errc::damaged_data, file_bytes);
    }
    if (header.version_major != kVersionMajor) {
        return fail_with(Errc::unsupported_version, header.version_major);
    }
    if (header.header_bytes < sizeof header || header.header_bytes > kMaxFileHeaderBytes || header.header_bytes > file_bytes) {
        return fail_with(Errc::damaged_data, file_bytes);
    }
    return header;
}

/// True when the header is intact and every length in it keeps its limit and fits into the `room` bytes that follow it.
[[nodiscard]] inline bool chunk_header_is_sound(const ChunkHeader& header, std::uint64_t room) {
    unsigned char bytes[sizeof header];
    std::memcpy(bytes, &header, sizeof header);
    if (header.magic != kChunkMagic || header.header_check != fnv1a(bytes, offsetof(ChunkHeader, header_check))) {
        return false;
    }
    if (header.stored_bytes > kMaxStoredBytes || header.plain_bytes > kMaxPlainBytes || header.stored_bytes > room) {
        return false;
    }
    if (header.first_tick > header.last_tick) {
        return false;
    }
    return header.compression != Compression::none || header.stored_bytes == header.plain_bytes;
}

[[nodiscard]] constexpr bool is_known(ChunkKind kind) { return kind >= ChunkKind::info && kind <= ChunkKind::end; }

}  // namespace heapwright::trace
