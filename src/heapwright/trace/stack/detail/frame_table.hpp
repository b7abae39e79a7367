// Finds the description of one function's frames (FDE and CIE) in a loaded file's .eh_frame.
#pragma once

#include <cstdint>

#include <heapwright/trace/stack/code_finder.hpp>
#include <heapwright/trace/stack/detail/byte_reader.hpp>

namespace heapwright::trace::stack::detail {

/// What the tables say of one function, still as programs to be run by FrameProgram.
struct FrameDescription {
    ByteReader common{nullptr, nullptr};    ///< the CIE's instructions
    ByteReader function{nullptr, nullptr};  ///< the FDE's instructions
    std::uint64_t begin = 0;                ///< code addresses
    std::uint64_t end = 0;
    std::uint64_t code_step = 1;
    std::int64_t data_step = 1;
    std::uint64_t return_register = 16;
    std::uint8_t pointer_encoding = 0;
    bool is_signal_frame = false;
};

/// Requires: `file` as code_finder.hpp promises.
/// Returns:  false when no entry covers `pc` or the tables make no sense.
/// Cost:     a binary search; a linear one in the rare file whose .eh_frame_hdr has no table.
[[nodiscard]] bool find_frame_description(const LoadedFile& file, std::uint64_t pc, FrameDescription& found) noexcept;

}  // namespace heapwright::trace::stack::detail
