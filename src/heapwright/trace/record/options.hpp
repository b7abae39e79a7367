// What the user asked of the recorder: one environment variable, and the names of the files that follow from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <heapwright/base/text.hpp>
#include <heapwright/trace/stack/stack_capture.hpp>

namespace heapwright::trace::record {

inline constexpr std::size_t kPathBytesMax = 4096;
inline constexpr const char* kOptionsVariable = "HEAPWRIGHT_RECORD";
inline constexpr unsigned kDefaultDepth = 32;

/// `HEAPWRIGHT_RECORD="out=PATH,first=PID,stack=full,depth=32,sample=0,max_size=0,duration_ms=0,mappings=0,children=1,fallback=DIR"`
/// in any order; what is missing keeps its default. A comma ends a value.
struct Options {
    char out[kPathBytesMax] = "heapwright.%p.hwtrace";  ///< absolute once the recorder has started
    char fallback[512] = "";                            ///< folder for processes that may not write to `out`
    std::uint32_t first_pid = 0;                        ///< this process writes to `out` as it stands
    stack::StackMode stack = stack::StackMode::full;
    unsigned depth = kDefaultDepth;
    std::uint64_t sample_interval_bytes = 0;  ///< 0: record every event
    std::uint64_t max_file_bytes = 0;         ///< 0: no limit
    std::uint64_t duration_ns = 0;            ///< 0: no limit
    bool mappings = false;
    bool children = true;

    /// Fails: false when a key is unknown or a value makes no sense; the rest is taken all the same.
    bool parse(std::string_view text) noexcept;

    /// Puts the working directory before a relative `out` and `fallback`.
    void make_absolute() noexcept;

    /// The file that process `pid` is to create at its `attempt`-th try, counted from 1: a taken name leads to the next.
    ///
    ///   out           process   file
    ///   a.hwtrace     first     a.hwtrace, then a.PID-2.hwtrace (the same process after exec) ...
    ///   a.hwtrace     other     a.PID.hwtrace, a.PID-2.hwtrace ...
    ///   a.%p.hwtrace  any       a.PID.hwtrace, a.PID-2.hwtrace ...
    void append_path(TextBuffer& path, std::uint32_t pid, unsigned attempt) const noexcept;

    /// The same file name in the fallback folder.
    void append_fallback_path(TextBuffer& path, std::uint32_t pid, unsigned attempt) const noexcept;
};

}  // namespace heapwright::trace::record
