// Runs the call frame instructions of one function up to one address and says how to leave the frame there.
#pragma once

#include <cstdint>

#include <heapwright/trace/stack/detail/frame_table.hpp>
#include <heapwright/trace/stack/rule.hpp>

namespace heapwright::trace::stack::detail {

/// Where the caller's value of one register is to be found.
struct RegisterRule {
    enum class Kind : std::uint8_t { unchanged, undefined, at_cfa_offset, at_expression, other };
    Kind kind = Kind::unchanged;
    std::int64_t offset = 0;
    ByteRange expression;
};

/// One row of the table that the instructions build.
struct FrameRow {
    std::uint64_t cfa_register = 0;
    std::int64_t cfa_offset = 0;
    bool cfa_is_expression = false;
    ByteRange cfa_expression;
    RegisterRule frame_pointer;  // rbp
    RegisterRule return_address;
};

/// Requires: description.begin <= pc < description.end.
/// Returns:  false when an instruction makes no sense.
[[nodiscard]] bool run_frame_program(const FrameDescription& description, std::uint64_t pc, FrameRow& row) noexcept;

/// The row as a rule; frame_pointer when the row is something a rule cannot say.
[[nodiscard]] Rule rule_of(const FrameRow& row, std::uint64_t pc) noexcept;

}  // namespace heapwright::trace::stack::detail
