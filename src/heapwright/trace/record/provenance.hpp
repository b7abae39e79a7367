// The texts at both ends of a trace: what was recorded where, and what came of it.
#pragma once

#include <cstdint>

#include <heapwright/trace/bytes.hpp>
#include <heapwright/trace/record/module_list.hpp>
#include <heapwright/trace/record/options.hpp>

namespace heapwright::trace::record {

/// What the recorder itself knows for the info chunk; the rest is asked of the kernel.
struct Provenance {
    std::uint32_t pid = 0;
    std::uint32_t parent_pid = 0;   ///< 0: ask the kernel
    const char* parent_trace = "";  ///< the file of the process that this one was forked from
    const ModuleOf* allocator = nullptr;
};

/// Appends the lines of the info chunk.
void write_info(ByteWriter& out, const Options& options, const Provenance& provenance) noexcept;

/// What the closing chunk says.
struct Closing {
    const char* reason = "exit";
    std::uint64_t events = 0;
    std::uint64_t dropped_events = 0;
    std::uint64_t wall_ns = 0;
    std::uint64_t chunks = 0;
    std::uint64_t recorder_cpu_ns = 0;
    std::uint64_t recorder_resident_bytes = 0;
};
void write_closing(ByteWriter& out, const Closing& closing) noexcept;

}  // namespace heapwright::trace::record
