#include "placement.hpp"

#include <new>

#include "fixed_memory.hpp"

namespace heapwright::replay_worker {

namespace plan = study::plan;

namespace {

/// Above this an emptied arena gives its chunks back: whoever fills so large a one uses it for one phase and drops it.
constexpr std::size_t kKeptBytes = std::size_t{1} << 20;

}  // namespace

void Placement::prepare(const plan::PlanHeader& header) noexcept {
    groups_ = header.groups;
    lanes_ = header.lanes == 0 ? 1 : header.lanes;
    several_lanes_ = header.lanes > 1;
    bool any_arena = false;
    for (std::uint32_t i = 0; i < groups_; ++i) {
        group_[i] = header.group[i];
        any_arena = any_arena || group_[i].kind == plan::GroupKind::arena;
        if (group_[i].kind == plan::GroupKind::pool) {
            pools_[i] = new (fixed_bytes(sizeof(PoolPlace), "heapwright pools")) PoolPlace(group_[i]);
        }
    }
    if (!any_arena) {
        return;
    }
    arenas_ = fixed_array<ArenaPlace>(std::size_t{lanes_} * groups_, "heapwright arenas");
    for (std::uint32_t i = 0; i < lanes_ * groups_; ++i) {
        new (static_cast<void*>(&arenas_[i])) ArenaPlace({.first_chunk_bytes = group_[i % groups_].chunk_bytes});
    }
}

void Placement::empty(ArenaPlace& place) noexcept {
    place.emptied_at = place.made;
    if (place.arena.stats().owned_bytes > kKeptBytes) {
        place.arena.release();
    } else {
        place.arena.reset();
    }
}

bool Placement::owns(const void* block) const noexcept {
    for (std::uint32_t i = 0; i < groups_; ++i) {
        if (pools_[i] != nullptr && pools_[i]->pool.owns(block)) {
            return true;
        }
    }
    return false;
}

void Placement::release_everything() noexcept {
    note_use();
    for (std::uint32_t i = 0; i < groups_; ++i) {
        if (pools_[i] != nullptr) {
            pools_[i]->pool.release_all();
            static_cast<void>(pools_[i]->pool.trim());
        }
    }
    for (std::uint32_t i = 0; arenas_ != nullptr && i < lanes_ * groups_; ++i) {
        arenas_[i].arena.release();
    }
}

void Placement::note_use() noexcept {
    std::uint64_t held = 0;
    for (std::uint32_t i = 0; i < groups_; ++i) {
        held += pools_[i] == nullptr ? 0 : pools_[i]->pool.stats().owned_bytes;
    }
    for (std::uint32_t i = 0; arenas_ != nullptr && i < lanes_ * groups_; ++i) {
        held += arenas_[i].arena.stats().owned_bytes;
    }
    peak_bytes_ = held > peak_bytes_ ? held : peak_bytes_;
}

}  // namespace heapwright::replay_worker
