// The bytes of an image file.
//
//   │ header, 128 bytes │ payload: the arena as it was, the root first │ a checksum of 8 bytes for each 64 KiB of payload │
//
// A mapping starts at an OS page and the payload 128 bytes after it, so what was aligned in the arena is aligned in the file.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapwright::detail {

inline constexpr std::size_t kImageHeaderBytes = 128;
inline constexpr unsigned kImageBlockBits = 16;
inline constexpr std::size_t kImageBlockBytes = std::size_t{1} << kImageBlockBits;
/// What a type in an image may be aligned to, and what the payload's length is a multiple of.
inline constexpr std::size_t kImageAlignment = 64;

inline constexpr std::uint16_t kImageFormat = 1;
/// Read backwards by a machine of the other byte order.
inline constexpr std::uint32_t kImageEndian = 0x0102'0304;
inline constexpr std::uint16_t kImageReferenceBytes = 8;

/// All of it is written, and what is not named is zero. A line feed and a carriage return in the magic show files that were sent as text.
struct ImageHeader {
    unsigned char magic[8];
    std::uint32_t endian;
    std::uint16_t format;
    std::uint16_t reference_bytes;
    std::uint64_t schema;
    std::uint32_t version;  // the user's
    std::uint32_t block_bits;
    std::uint64_t payload_bytes;
    std::uint64_t root_bytes;
    std::uint64_t unused[9];
    std::uint64_t checksum;  // of the bytes before it
};
static_assert(sizeof(ImageHeader) == kImageHeaderBytes && offsetof(ImageHeader, checksum) == 120);

inline constexpr unsigned char kImageMagic[8] = {0x89, 'H', 'W', 'I', 'M', 'G', '\r', '\n'};

[[nodiscard]] constexpr std::uint64_t image_blocks(std::uint64_t payload_bytes) noexcept {
    return (payload_bytes >> kImageBlockBits) + ((payload_bytes & (kImageBlockBytes - 1)) != 0 ? 1U : 0U);
}
[[nodiscard]] constexpr std::uint64_t image_file_bytes(std::uint64_t payload_bytes) noexcept {
    return kImageHeaderBytes + payload_bytes + image_blocks(payload_bytes) * sizeof(std::uint64_t);
}

}  // namespace heapwright::detail
