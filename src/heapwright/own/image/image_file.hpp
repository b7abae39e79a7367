// An image's bytes, with a header that fits: what Image and LazyImage stand on, whatever their types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <heapwright/base/error.hpp>
#include <heapwright/os/file_mapping.hpp>
#include <heapwright/own/image/fault.hpp>

namespace heapwright {

/// How the bytes of an image come into the program.
enum class ImageLoad : std::uint8_t {
    map,   // at once, read as they are touched; whoever truncates or changes the file meanwhile breaks this program
    copy,  // read whole into memory of their own, safe from everybody
};

/// How much of an image is checked before it is used. Whatever is chosen, bounds are.
enum class ImageVerify : std::uint8_t {
    all,        // checksums of all blocks, then that every reference leads to a value of its type
    structure,  // the latter alone: any bytes are survived, but a changed number is not noticed
};

struct ImageOptions {
    std::uint32_t version = 0;  // what ImageWriter::save was given
    ImageVerify verify = ImageVerify::all;
    ImageLoad load = ImageLoad::map;
};

/// What a header tells, before anybody decides whether the types fit.
struct ImageInfo {
    std::uint64_t schema;
    std::uint32_t version;
    std::uint64_t payload_bytes;
};

/// A file or bytes of somebody's whose header is sound and promises the length that is there.
class ImageFile {
public:
    ImageFile() noexcept = default;

    /// Fails:    unsupported, unsupported_version or damaged_data with an ImageFault; what opening and mapping fail with.
    [[nodiscard]] static Result<ImageFile> open(const char* path, ImageLoad load) noexcept;
    /// Bytes that stay the caller's, and as they are.
    ///
    /// Requires: they start at a multiple of 64, else invalid_argument.
    [[nodiscard]] static Result<ImageFile> from_bytes(std::span<const std::byte> bytes) noexcept;

    [[nodiscard]] ImageInfo info() const noexcept;
    /// Whether these types, of this version.
    ///
    /// Fails:    unsupported_version with other_schema or other_version.
    [[nodiscard]] Result<void> expect(std::uint64_t schema, std::uint32_t version) const noexcept;

    [[nodiscard]] std::span<const std::byte> payload() const noexcept { return payload_; }
    [[nodiscard]] std::uint64_t blocks() const noexcept;
    /// Compares one block with its checksum.
    ///
    /// Requires: block < blocks().
    /// Fails:    damaged_data with damaged_block and the file offset.
    [[nodiscard]] Result<void> verify_block(std::uint64_t block) const noexcept;
    [[nodiscard]] Result<void> verify_blocks() const noexcept;

private:
    [[nodiscard]] Result<void> accept(std::span<const std::byte> bytes) noexcept;

    os::FileMapping mapping_;  // empty where the bytes are somebody's
    std::span<const std::byte> bytes_;
    std::span<const std::byte> payload_;
};

}  // namespace heapwright
