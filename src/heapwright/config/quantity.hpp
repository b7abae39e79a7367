// Sizes, times and shares as people write them: "64KiB", "250ms", "30%".
#pragma once

#include <cstdint>
#include <string_view>

#include <heapwright/base/text.hpp>
#include <heapwright/config/memory_config.hpp>

namespace heapwright::config {

/// A number and one of B, KiB, MiB, GiB, TiB, or K, M, G, T for short; none: bytes.
///
/// Returns:  false, and then `bytes` is as it was, for anything else and where 64 bits do not suffice.
[[nodiscard]] bool read_size(std::string_view text, std::uint64_t& bytes) noexcept;

/// A number and one of ns, us, ms, s, min, h; 0 needs no unit.
[[nodiscard]] bool read_duration(std::string_view text, std::uint64_t& ns) noexcept;

/// "30%", "12.5%": at most four decimals, at most 100 %.
[[nodiscard]] bool read_share(std::string_view text, Share& share) noexcept;
/// The nearest share to a number from 0 to 1.
[[nodiscard]] bool share_of(double number, Share& share) noexcept;

/// Hexadecimal digits, two a byte.
[[nodiscard]] bool read_build_id(std::string_view text, BuildId& id) noexcept;

/// "83af0e+0x1a2b server": a build id, an offset of at most INT64_MAX, and, where it is known, the module's file name.
[[nodiscard]] bool read_caller(std::string_view text, CallerCode& caller) noexcept;

/// What read_size and so on read back: the largest unit that leaves a whole number.
void append_size(TextBuffer& text, std::uint64_t bytes) noexcept;
void append_duration(TextBuffer& text, std::uint64_t ns) noexcept;
void append_share(TextBuffer& text, Share share) noexcept;
void append_build_id(TextBuffer& text, const BuildId& id) noexcept;
void append_caller_code(TextBuffer& text, const CallerCode& caller) noexcept;

/// Letters to insert, remove or change to make one of the other; names of more than 40 letters are far from all.
[[nodiscard]] std::size_t edit_distance(std::string_view name, std::string_view wanted) noexcept;

}  // namespace heapwright::config
