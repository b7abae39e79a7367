#include "placement.hpp"

#include <new>

#include <dlfcn.h>

#include "fixed_memory.hpp"

namespace heapwright::replay_worker {

namespace plan = study::plan;

namespace {

/// Above this an emptied arena gives its chunks back: whoever fills so large a one uses it for one phase and drops it.
constexpr std::size_t kKeptBytes = std::size_t{1} << 20;

/// A function of the malloc that is tried, which has to be ours.
template <class Signature>
Signature* function(const char* name) noexcept {
    void* const found = dlsym(RTLD_DEFAULT, name);
    if (found == nullptr) {
        give_up("cannot replay: the malloc that is tried knows no placement plan: ", name);
    }
    return reinterpret_cast<Signature*>(found);
}

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
    prepare_places();
    if (!any_arena) {
        return;
    }
    arenas_ = fixed_array<ArenaPlace>(std::size_t{lanes_} * groups_, "heapwright arenas");
    for (std::uint32_t i = 0; i < lanes_ * groups_; ++i) {
        new (static_cast<void*>(&arenas_[i])) ArenaPlace({.first_chunk_bytes = group_[i % groups_].chunk_bytes});
    }
}

void Placement::prepare_places() noexcept {
    bool any = false;
    for (std::uint32_t i = 0; i < groups_; ++i) {
        any = any || group_[i].kind == plan::GroupKind::planned;
    }
    if (!any) {
        return;
    }
    const auto add_place = function<unsigned(int kind, const char* name)>("heapwright_add_place");
    const auto follow_plan = function<int()>("heapwright_follow_plan");
    malloc_at_ = function<void*(unsigned, std::size_t)>("heapwright_malloc_at");
    calloc_at_ = function<void*(unsigned, std::size_t, std::size_t)>("heapwright_calloc_at");
    for (std::uint32_t i = 0; i < groups_; ++i) {
        if (group_[i].kind == plan::GroupKind::planned) {
            places_[i] = add_place(static_cast<int>(group_[i].block_bytes), "");
        }
    }
    static_cast<void>(follow_plan());
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
