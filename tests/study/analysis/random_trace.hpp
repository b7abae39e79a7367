// Random but possible programs: several threads, a small allocator below them, resizes that take time, failures, strays.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <heapwright/trace/event.hpp>

namespace heapwright::test {

/// What happened, in the one true order, and the trace file that says the same, thread by thread.
struct RandomTrace {
    std::vector<trace::Event> events;
    std::vector<std::vector<std::uint64_t>> stacks;  ///< by stack id: return addresses, outermost first; [0] is empty
    std::string path;
};

struct RandomTraceOptions {
    std::size_t steps = 1500;
    std::uint32_t threads = 4;
    bool ties = true;               ///< some neighbours in the order share a tick
    std::size_t chunk_events = 40;  ///< about how many events a chunk has
};

/// The time of one tick in these traces.
inline constexpr std::uint64_t kTestTickNs = 20;

/// What the allocator of these traces gives for a request: 16-byte steps with 8 bytes of header, as in glibc.
[[nodiscard]] constexpr std::uint64_t test_usable(std::uint64_t size) {
    const std::uint64_t chunk = (size + 8 + 15) / 16 * 16;
    return (chunk < 32 ? 32 : chunk) - 8;
}

/// `salt` sets the traces of one test run apart.
[[nodiscard]] RandomTrace make_random_trace(std::uint64_t salt, const RandomTraceOptions& options = {});

}  // namespace heapwright::test
