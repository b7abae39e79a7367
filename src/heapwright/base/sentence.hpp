// How a misuse is told: a sentence made on the stack, and the end of the program.
#pragma once

#include <heapwright/base/check.hpp>
#include <heapwright/base/text.hpp>

namespace heapwright::detail {

/// Long enough for what is wrong, an address, two sizes and what to do.
using Sentence = Text<256>;

/// Says it as a failed check does, without a place in the source: the mistake is the caller's.
[[noreturn]] inline void stop(const Sentence& sentence) noexcept { fail_check(sentence.c_str(), nullptr, nullptr, 0); }

}  // namespace heapwright::detail
