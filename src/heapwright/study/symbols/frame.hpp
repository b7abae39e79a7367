// One function on a call stack, as people read it: the word that symbols, analysis, advice and reports share.
#pragma once

#include <cstdint>
#include <string>

namespace heapwright::study {

/// An index into Findings::frames.
enum class FrameId : std::uint32_t {};

/// One (possibly inlined) function on a call stack, resolved after the run.
struct Frame {
    std::string function;  ///< demangled; the function's address ("0x1f20") when nothing is known but that
    std::string file;      ///< empty without debug info
    std::uint32_t line = 0;
    std::uint32_t offset = 0;  ///< bytes from the start of the function to the call, where no line is known
    std::string module;        ///< file name of the executable or library
    bool inlined = false;
    bool runtime = false;  ///< operator new, malloc wrappers, libstdc++ internals: not where a user would look first

    friend bool operator==(const Frame&, const Frame&) = default;
};

}  // namespace heapwright::study
