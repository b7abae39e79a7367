// Arenas and pools of an experiment: the library's own, standing in for malloc at the sites that the plan names.
#pragma once

#include <cstdint>

#include <heapwright/study/replay/plan/format.hpp>

namespace heapwright::replay_worker {

class Placement {
public:
    void prepare(const study::plan::PlanHeader& header) noexcept;
    [[nodiscard]] void* arena_allocate(std::uint32_t lane, std::uint32_t group, std::uint32_t bytes) noexcept;
    void arena_release(std::uint32_t lane, std::uint32_t group) noexcept;
    [[nodiscard]] void* pool_allocate(std::uint32_t lane, std::uint32_t group) noexcept;
    void pool_release(std::uint32_t lane, std::uint32_t group, void* block) noexcept;
    [[nodiscard]] bool owns(const void* block) const noexcept;
    void release_everything() noexcept;
    [[nodiscard]] std::uint64_t peak_bytes() const noexcept;
};

}  // namespace heapwright::replay_worker
