// What can be wrong with an image, told apart, and told in a sentence.
#pragma once

#include <cstdint>

#include <heapwright/base/error.hpp>
#include <heapwright/base/text.hpp>

namespace heapwright {

/// Error::detail of errors from images. 0: no fault of the image's; the error's kind says all.
enum class ImageFault : std::uint32_t {
    none = 0,
    no_image,         // it does not begin as one
    other_machine,    // another byte order or width; number: what its marker reads as
    other_format,     // of a later library; number: its format
    other_schema,     // of types of another shape; number: their schema
    other_version,    // of another version of the same shape; number: that version
    wrong_length,     // cut off or longer than its header says; number: the bytes there are
    damaged_header,   // its checksum does not fit
    damaged_block,    // number: the file offset of the block whose checksum does not fit
    wrong_reference,  // something in it leads out of it, or is no value of its type; number: the file offset
    too_entangled,    // rows overlap so much that checking would take too long; number: the file offset of the last one
    map_not_sorted,   // number: the file offset of the map
    too_large,        // for the addresses that the writer reserved; number: the limit in bytes
};

[[nodiscard]] inline ImageFault image_fault(const Error& error) noexcept { return static_cast<ImageFault>(error.detail); }

[[nodiscard]] constexpr std::unexpected<Error> fail_with(ImageFault fault, Errc kind, std::uint64_t number) noexcept {
    return std::unexpected<Error>(Error{.kind = kind, .system_errno = 0, .detail = static_cast<std::uint32_t>(fault), .number = number});
}

/// Appends the whole sentence: "heapwright: cannot use image 'world.img': it was written as version 3; ...".
///
/// `version`: what the program asked for; told where versions differ.
void describe_image_error(const Error& error, const char* path, std::uint32_t version, TextBuffer& text) noexcept;

}  // namespace heapwright
