#include <heapwright/own/image/image_file.hpp>

#include <cstring>
#include <utility>

#include <heapwright/base/bits.hpp>
#include <heapwright/own/image/detail/checksum.hpp>
#include <heapwright/own/image/detail/format.hpp>

namespace heapwright {

namespace {

using detail::ImageHeader;
using detail::kImageHeaderBytes;

ImageHeader header_of(std::span<const std::byte> bytes) {
    ImageHeader header{};
    std::memcpy(&header, bytes.data(), sizeof(header));
    return header;
}

/// What is known of a header before its checksum is worth asking: whether it is one, and of a kind that is read here.
Result<void> judge_kind(const ImageHeader& header) {
    if (std::memcmp(header.magic, detail::kImageMagic, sizeof(header.magic)) != 0) {
        return fail_with(ImageFault::no_image, Errc::unsupported, 0);
    }
    if (header.endian != detail::kImageEndian) {
        return fail_with(ImageFault::other_machine, Errc::unsupported, header.endian);
    }
    if (header.reference_bytes != detail::kImageReferenceBytes) {
        return fail_with(ImageFault::other_machine, Errc::unsupported, header.reference_bytes);
    }
    if (header.format != detail::kImageFormat) {
        return fail_with(ImageFault::other_format, Errc::unsupported_version, header.format);
    }
    return {};
}

}  // namespace

Result<ImageFile> ImageFile::open(const char* path, ImageLoad load) noexcept {
    auto file = os::File::open_read(path);
    if (!file) {
        return std::unexpected(file.error());
    }
    const auto bytes = file->size();
    if (bytes && *bytes == 0) {
        return fail_with(ImageFault::wrong_length, Errc::damaged_data, 0);
    }
    auto mapping = load == ImageLoad::map ? os::FileMapping::map(*file) : os::FileMapping::copy(*file);
    if (!mapping) {
        return std::unexpected(mapping.error());
    }
    ImageFile image;
    if (const auto fine = image.accept(mapping->bytes()); !fine) {
        return std::unexpected(fine.error());
    }
    image.mapping_ = std::move(*mapping);
    return image;
}

Result<ImageFile> ImageFile::from_bytes(std::span<const std::byte> bytes) noexcept {
    if (!is_aligned(bytes.data(), detail::kImageAlignment)) {
        return fail_with(Errc::invalid_argument, reinterpret_cast<std::uintptr_t>(bytes.data()));
    }
    ImageFile image;
    if (const auto fine = image.accept(bytes); !fine) {
        return std::unexpected(fine.error());
    }
    return image;
}

Result<void> ImageFile::accept(std::span<const std::byte> bytes) noexcept {
    if (bytes.size() < kImageHeaderBytes) {
        return fail_with(ImageFault::wrong_length, Errc::damaged_data, bytes.size());
    }
    const ImageHeader header = header_of(bytes);
    if (auto fine = judge_kind(header); !fine) {
        return fine;
    }
    if (detail::image_checksum(bytes.first(offsetof(ImageHeader, checksum)), 0) != header.checksum) {
        return fail_with(ImageFault::damaged_header, Errc::damaged_data, 0);
    }
    // Compared before it is added to anything, so that no sum wraps.
    if (header.payload_bytes > bytes.size() || header.payload_bytes % sizeof(std::uint64_t) != 0 ||
        header.block_bits != detail::kImageBlockBits || detail::image_file_bytes(header.payload_bytes) != bytes.size()) {
        return fail_with(ImageFault::wrong_length, Errc::damaged_data, bytes.size());
    }
    bytes_ = bytes;
    payload_ = bytes.subspan(kImageHeaderBytes, header.payload_bytes);
    return {};
}

ImageInfo ImageFile::info() const noexcept {
    if (bytes_.empty()) {
        return {};
    }
    const ImageHeader header = header_of(bytes_);
    return {.schema = header.schema, .version = header.version, .payload_bytes = header.payload_bytes};
}

Result<void> ImageFile::expect(std::uint64_t schema, std::uint32_t version) const noexcept {
    const ImageInfo found = info();
    if (found.version != version) {
        return fail_with(ImageFault::other_version, Errc::unsupported_version, found.version);
    }
    if (found.schema != schema) {
        return fail_with(ImageFault::other_schema, Errc::unsupported_version, found.schema);
    }
    return {};
}

std::uint64_t ImageFile::blocks() const noexcept { return detail::image_blocks(payload_.size()); }

Result<void> ImageFile::verify_block(std::uint64_t block) const noexcept {
    const std::size_t begin = block * detail::kImageBlockBytes;
    const std::size_t left = payload_.size() - begin;
    const auto bytes = payload_.subspan(begin, left < detail::kImageBlockBytes ? left : detail::kImageBlockBytes);
    std::uint64_t expected = 0;
    std::memcpy(&expected, payload_.data() + payload_.size() + block * sizeof(expected), sizeof(expected));
    if (detail::image_checksum(bytes, block) != expected) {
        return fail_with(ImageFault::damaged_block, Errc::damaged_data, kImageHeaderBytes + begin);
    }
    return {};
}

Result<void> ImageFile::verify_blocks() const noexcept {
    for (std::uint64_t block = 0; block < blocks(); ++block) {
        if (auto fine = verify_block(block); !fine) {
            return fine;
        }
    }
    return {};
}

}  // namespace heapwright
