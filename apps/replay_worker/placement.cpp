#include "placement.hpp"

#include "fixed_memory.hpp"

namespace heapwright::replay_worker {

void Placement::prepare(const study::plan::PlanHeader& header) noexcept {
    if (header.groups != 0) {
        give_up("cannot replay: this worker was built without arenas and pools");
    }
}
void* Placement::arena_allocate(std::uint32_t, std::uint32_t, std::uint32_t) noexcept { return nullptr; }
void Placement::arena_release(std::uint32_t, std::uint32_t) noexcept {}
void* Placement::pool_allocate(std::uint32_t, std::uint32_t) noexcept { return nullptr; }
void Placement::pool_release(std::uint32_t, std::uint32_t, void*) noexcept {}
bool Placement::owns(const void*) const noexcept { return false; }
void Placement::release_everything() noexcept {}
std::uint64_t Placement::peak_bytes() const noexcept { return 0; }

}  // namespace heapwright::replay_worker
