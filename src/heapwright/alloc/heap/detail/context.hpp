// Whether a call came by the callers that a plan's entry names: their return addresses are looked for where they must stand.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include <heapwright/alloc/heap/placement.hpp>
#include <heapwright/config/memory_config.hpp>

namespace heapwright::heap {

/// Of one entry with several return addresses, in one module or in several: how to get from each to the next.
struct Context {
    /// The return addresses, the innermost first; 0 where the module is not loaded. They change when modules come and move; who
    /// reads one that is not 0 finds the step that leaves it.
    std::array<std::atomic<std::uintptr_t>, OffsetList::kMost> codes{};
    std::array<placement::FrameStep, OffsetList::kMost - 1> steps{};
    std::uint32_t count = 0;    ///< of codes
    std::uint32_t learned = 0;  ///< of steps; they stay, whatever moves
};

/// The return address of who called the context's first code, whichever that is; 0: it cannot be read. Contexts that begin with
/// the same code agree on it.
[[nodiscard]] std::uintptr_t caller_by(const Context& context, const std::uintptr_t* frame, std::uintptr_t rbp) noexcept;

/// What came of looking for the callers.
struct Arrival {
    bool is_by_these = false;
    std::uintptr_t unknown = 0;  ///< not by these, as far as is known: code of a caller whose module was not loaded at the last look
};

/// The return address of the exported function that asks stands below `frame`; `rbp` is what its caller had there, or 0.
///
/// Cost: five loads a frame. Thread safety: any thread, about its own stack.
[[nodiscard]] Arrival came_by(const Context& context, const std::uintptr_t* frame, std::uintptr_t rbp) noexcept;

/// Takes over where the code is, and learns the steps as far as it is loaded. Requires: the first code is.
///
/// Returns: whether every frame that is loaded can be left by rules that are known.
[[nodiscard]] bool learn(Context& context, std::span<const std::uintptr_t> codes) noexcept;

}  // namespace heapwright::heap
