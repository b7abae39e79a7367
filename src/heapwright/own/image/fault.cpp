#include <heapwright/own/image/fault.hpp>

namespace heapwright {

namespace {

void append_place(TextBuffer& text, const char* what, std::uint64_t offset) noexcept {
    text.append(what).append(" at byte ").append_decimal(offset);
}

void append_fault(const Error& error, std::uint32_t version, TextBuffer& text) noexcept {
    constexpr const char* kCopyAgain = "; copy or build it again";
    switch (image_fault(error)) {
        case ImageFault::none: text.append(name_of(error.kind)); break;
        case ImageFault::no_image: text.append("it does not begin as an image does; give a file that ImageWriter::save wrote"); break;
        case ImageFault::other_machine:
            text.append("its marker reads ").append_hex(error.number);
            text.append(", so it is of a machine with another byte order or width; build it on this kind of machine");
            break;
        case ImageFault::other_format:
            text.append("its format is ").append_decimal(error.number).append(", newer than this library's; update heapwright");
            break;
        case ImageFault::other_schema:
            text.append("its types have the shape ").append_hex(error.number);
            text.append(", which this program does not have; read it with the program that wrote it, or build it again");
            break;
        case ImageFault::other_version:
            text.append("it was written as version ").append_decimal(error.number).append(", this program reads version ");
            text.append_decimal(version).append("; build it again, or read it with a program of that version");
            break;
        case ImageFault::wrong_length:
            text.append("its header promises another length than the ")
                .append_bytes_exact(error.number)
                .append(" it has")
                .append(kCopyAgain);
            break;
        case ImageFault::damaged_header: text.append("its header is damaged").append(kCopyAgain); break;
        case ImageFault::damaged_block:
            append_place(text, "the block", error.number);
            text.append(" is damaged").append(kCopyAgain);
            break;
        case ImageFault::wrong_reference:
            append_place(text, "the value", error.number);
            text.append(" leads out of it or is none of its type").append(kCopyAgain);
            break;
        case ImageFault::too_entangled:
            append_place(text, "the row", error.number);
            text.append(" shares too much with others to be checked; write shared rows once and refer to them");
            break;
        case ImageFault::map_not_sorted:
            append_place(text, "the map", error.number);
            text.append(" is not sorted, or has a key twice; call ImageWriter::sort before saving");
            break;
        case ImageFault::too_large:
            text.append("it needs more than the ").append_bytes_exact(error.number);
            text.append(" that its writer reserved; give ImageWriter a higher limit");
            break;
    }
}

}  // namespace

void describe_image_error(const Error& error, const char* path, std::uint32_t version, TextBuffer& text) noexcept {
    text.append("heapwright: cannot use image '").append(path).append("': ");
    append_fault(error, version, text);
    if (error.system_errno != 0) {
        text.append(" (errno ").append_decimal(std::uint32_t{error.system_errno}).append(")");
    }
}

}  // namespace heapwright
