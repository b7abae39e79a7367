// An image mapped back: checked once, then as fast to walk as the structure it was made from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <heapwright/base/error.hpp>
#include <heapwright/own/image/detail/checker.hpp>
#include <heapwright/own/image/image_file.hpp>
#include <heapwright/own/image/schema.hpp>

namespace heapwright {

/// The values of an image, read-only, for as long as this lives.
///
/// Nothing is checked while they are walked: open() has made sure that every reference leads to a value of its type. A mapped file
/// must not be written or truncated meanwhile: replace images by renaming, as ImageWriter::save does, or load a copy.
/// Thread safety: any number of readers.
/// Example:  `auto world = Image<World>::open("world.img", {.version = 1}); (*world)->name.view();`
template <class Root>
class Image {
public:
    static constexpr std::uint64_t kSchema = kImageSchema<Root>;

    /// Fails:    not_found, permission_denied, io_failed, out_of_memory; unsupported, unsupported_version or damaged_data with an
    ///           ImageFault, which describe_image_error() tells in a sentence.
    /// Cost:     O(bytes of the image) for checksums, O(values that lead to others) for structure.
    [[nodiscard]] static Result<Image> open(const char* path, ImageOptions options) noexcept {
        auto file = ImageFile::open(path, options.load);
        return file ? check(std::move(*file), options) : std::unexpected(file.error());
    }
    /// Bytes that stay the caller's, for as long as the image.
    [[nodiscard]] static Result<Image> from_bytes(std::span<const std::byte> bytes, ImageOptions options) noexcept {
        auto file = ImageFile::from_bytes(bytes);
        return file ? check(std::move(*file), options) : std::unexpected(file.error());
    }

    [[nodiscard]] const Root& root() const noexcept { return *reinterpret_cast<const Root*>(file_.payload().data()); }
    [[nodiscard]] const Root& operator*() const noexcept { return root(); }
    [[nodiscard]] const Root* operator->() const noexcept { return &root(); }
    [[nodiscard]] std::size_t size_bytes() const noexcept { return file_.payload().size(); }

private:
    explicit Image(ImageFile file) noexcept : file_(std::move(file)) {}

    [[nodiscard]] static Result<Image> check(ImageFile file, ImageOptions options) noexcept {
        if (const auto fine = file.expect(kSchema, options.version); !fine) {
            return std::unexpected(fine.error());
        }
        if (options.verify == ImageVerify::all) {
            if (const auto fine = file.verify_blocks(); !fine) {
                return std::unexpected(fine.error());
            }
        }
        if (const auto fine = detail::ImageChecker<Root>(file.payload()).check(); !fine) {
            return std::unexpected(fine.error());
        }
        return Image(std::move(file));
    }

    ImageFile file_;
};

}  // namespace heapwright
