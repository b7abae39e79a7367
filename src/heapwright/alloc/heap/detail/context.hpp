// Whether a call came by the callers that a plan's entry names: their return addresses are looked for where they must stand.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/placement.hpp>
#include <heapwright/config/memory_config.hpp>

namespace heapwright::heap {

/// Of one entry with several return addresses: how to get from each to the next. Written before the entry's route is published.
struct Context {
    std::array<placement::FrameStep, OffsetList::kMost - 1> steps{};
    OffsetList returns;
    std::atomic<std::uintptr_t> bias{0};  ///< of the module; changes when it is loaded elsewhere
    bool is_known = false;
};

/// The return address of the exported function that asks stands below `frame`; `rbp` is what its caller had there, or 0.
///
/// Cost: five loads a frame. Thread safety: any thread, about its own stack.
[[nodiscard]] bool came_by(const Context& context, const std::uintptr_t* frame, std::uintptr_t rbp) noexcept;

/// Learns the steps of a context. Returns: whether every frame can be left by rules that are known.
[[nodiscard]] bool learn(Context& context, std::uintptr_t bias) noexcept;

}  // namespace heapwright::heap
