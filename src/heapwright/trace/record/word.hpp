// The hot path's notes: what a thread writes into its buffer and the background thread turns into columns.
//
//   63      59 58          48 47                                   0
//   +---------+--------------+--------------------------------------+
//   |   op    |     step     |  address, or the value of a prefix   |
//   +---------+--------------+--------------------------------------+
//
// An allocation is such a word and a second one: size (low half) and stack (high half). A release is one word.
// A prefix says something about the next event. Words live in memory only, for milliseconds: no part of the format.
#pragma once

#include <cstdint>

#include <heapwright/trace/event.hpp>

namespace heapwright::trace::record {

using Word = std::uint64_t;

enum class Op : std::uint8_t {
    // 0 to 10: the values of Call; realloc stands for resize_to
    resize_from = 11,
    tick = 16,       // prefix: the next event's tick, all 59 bits; its step counts from there
    touched = 17,    // prefix: resident bytes of the block that is released
    alignment = 18,  // prefix: log2
    claimed = 19,    // prefix: the size that a sized release gave
    wide = 20,       // prefix: the next word, whole, is the size (4 GiB and more) of the next event
    usable = 21,     // no event: usable size; the next word is the size that was requested
};

inline constexpr unsigned kOpShift = 59;
inline constexpr unsigned kStepShift = 48;
inline constexpr Word kAddressMask = (Word{1} << kStepShift) - 1;
inline constexpr Word kTickMask = (Word{1} << kOpShift) - 1;
/// Step 0: the event carries no stamp. Step n: n - 1 ticks after the last stamp of the thread.
inline constexpr Word kStepMask = 0x7FF;
inline constexpr Word kStepUnit = Word{1} << kStepShift;
inline constexpr std::uint64_t kLargestSmallSize = 0xFFFFFFFF;

/// The most words an event with all its prefixes takes: usable (2), tick, touched, alignment, claimed, wide (2), event (2).
inline constexpr unsigned kMaxEventWords = 10;

constexpr Word word_of(Op op, std::uint64_t value) noexcept { return static_cast<Word>(op) << kOpShift | value; }
constexpr Word word_of(Call call, std::uint64_t address) noexcept { return static_cast<Word>(call) << kOpShift | (address & kAddressMask); }
constexpr Op op_of(Word word) noexcept { return static_cast<Op>(word >> kOpShift); }
constexpr Word step_of(Word word) noexcept { return word >> kStepShift & kStepMask; }
constexpr std::uint64_t address_of(Word word) noexcept { return word & kAddressMask; }

}  // namespace heapwright::trace::record
