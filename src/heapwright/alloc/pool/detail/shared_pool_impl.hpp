// The bodies of SharedPool that run once per batch: everything under its lock.
// Included at the end of the header that declares them, and nowhere else.
#pragma once

namespace heapwright {

inline SharedPool::~SharedPool() {
    stop_listening();
    const os::LockGuard guard{lock_};
    const std::size_t live_blocks = store_.outstanding_blocks() - waiting_blocks();
    if (live_blocks > 0 && options_.leaks == Leaks::refuse) {
        const void* first = nullptr;
        for_each_live([&](const void* block) { first = first == nullptr ? block : first; });
        detail::refuse_leak(live_blocks, block_bytes(), first);
    }
    while (lanes_ != nullptr) {
        Lane* const lane = lanes_;
        lanes_ = lane->next;
        lane->~Lane();
        source_.deallocate(lane, Layout::of<Lane>());
    }
}

inline void SharedPool::thread_ended(os::LaneOwner& owner, os::ThreadToken thread) noexcept {
    auto& pool = static_cast<SharedPool&>(owner);  // NOLINT(cppcoreguidelines-pro-type-static-cast-downcast): it was given as one
    const os::LockGuard guard{pool.lock_};
    for (Lane* lane = pool.lanes_; lane != nullptr; lane = lane->next) {
        if (lane->thread == thread) {
            pool.put(lane->blocks.data(), lane->count());
            lane->set_count(0);
            lane->thread = os::kNoThread;  // for the next thread that comes
        }
    }
}

// ---- lanes

inline SharedPool::Lane* SharedPool::find_lane() noexcept {
    if (void* const cached = cached_lane()) {
        return static_cast<Lane*>(cached);
    }
    const os::ThreadToken thread = os::current_thread();
    Lane* mine = nullptr;
    Lane* deserted = nullptr;
    for (Lane* lane = lanes_; lane != nullptr && mine == nullptr; lane = lane->next) {
        mine = lane->thread == thread ? lane : nullptr;  // it was displaced from the thread's cache
        deserted = lane->thread == os::kNoThread ? lane : deserted;
    }
    mine = mine == nullptr ? deserted : mine;
    mine = mine == nullptr ? make_lane() : mine;
    if (mine != nullptr) {
        mine->thread = thread;
        remember_lane(mine);
    }
    return mine;
}

inline SharedPool::Lane* SharedPool::make_lane() noexcept {
    void* const memory = source_.try_allocate(Layout::of<Lane>());
    if (memory == nullptr) {
        return nullptr;
    }
    auto* const lane = ::new (memory) Lane;
    lane->next = lanes_;
    lanes_ = lane;
    return lane;
}

HEAPWRIGHT_NOINLINE inline SharedPool::Lane* SharedPool::refill() noexcept {
    const os::LockGuard guard{lock_};
    Lane* const lane = find_lane();
    if (lane == nullptr) {
        ++refusals_;
        return nullptr;
    }
    if (lane->count() == 0) {  // else it was only displaced
        const std::size_t taken = take(lane->blocks.data(), kBatch);
        lane->set_count(static_cast<std::uint32_t>(taken));
        if (taken == 0) {
            ++refusals_;
            return nullptr;
        }
    }
    return lane;
}

HEAPWRIGHT_NOINLINE inline void SharedPool::put_past_magazine(std::byte* block) noexcept {
    const os::LockGuard guard{lock_};
    Lane* const lane = find_lane();
    if (lane == nullptr) {  // a thread without a magazine, and no memory for one: a free cannot fail
        put(&block, 1);
        return;
    }
    if (lane->count() == kMagazine) {
        // The older half goes: the newer blocks are the ones still in this thread's cache.
        put(lane->blocks.data(), kBatch);
        std::copy_n(lane->blocks.data() + kBatch, kMagazine - kBatch, lane->blocks.data());
        lane->set_count(kMagazine - kBatch);
    }
    lane->push(block, lane->count());
}

// ---- depot and slabs

inline std::size_t SharedPool::take(std::byte** blocks, std::size_t count) noexcept {
    if (in_depot_ > 0) {
        const std::size_t taken = in_depot_ < count ? in_depot_ : count;
        in_depot_ -= taken;
        std::copy_n(depot_.data() + in_depot_, taken, blocks);
        return taken;
    }
    const std::size_t room = options_.limit_blocks - store_.outstanding_blocks();
    const std::size_t taken = room == 0 ? 0 : store_.take(blocks, nullptr, room < count ? room : count);
    peak_blocks_ = peak_blocks_ < store_.outstanding_blocks() ? store_.outstanding_blocks() : peak_blocks_;
    return taken;
}

inline void SharedPool::put(std::byte* const* blocks, std::size_t count) noexcept {
    const std::size_t room = kDepot - in_depot_;
    const std::size_t kept = room < count ? room : count;
    std::copy_n(blocks, kept, depot_.data() + in_depot_);
    in_depot_ += kept;
    put_into_slabs(blocks + kept, count - kept);
}

inline void SharedPool::put_into_slabs(std::byte* const* blocks, std::size_t count) noexcept {
    for (std::size_t at = 0; at < count; ++at) {
        const auto [slab, index] = store_.place_of(blocks[at]);
        if (HEAPWRIGHT_UNLIKELY(store_.is_free(slab, index))) {
            store_.refuse(blocks[at]);  // two threads freed it at the same moment
        }
        store_.put(slab, index);
    }
}

inline void SharedPool::release_all() noexcept {
    const os::LockGuard guard{lock_};
    for (Lane* lane = lanes_; lane != nullptr; lane = lane->next) {
        lane->set_count(0);
    }
    in_depot_ = 0;
    store_.release_all();
}

inline std::size_t SharedPool::trim() noexcept {
    const os::LockGuard guard{lock_};
    if (auto* const lane = static_cast<Lane*>(cached_lane())) {
        put_into_slabs(lane->blocks.data(), lane->count());
        lane->set_count(0);
    }
    put_into_slabs(depot_.data(), in_depot_);
    in_depot_ = 0;
    return store_.trim();
}

// ---- facts

inline std::size_t SharedPool::waiting_blocks() const noexcept {
    std::size_t waiting = in_depot_;
    for (const Lane* lane = lanes_; lane != nullptr; lane = lane->next) {
        waiting += lane->count();
    }
    return waiting;
}

inline PoolStats SharedPool::stats() noexcept {
    const os::LockGuard guard{lock_};
    PoolStats stats{};
    stats.block_bytes = block_bytes();
    const std::size_t waiting = waiting_blocks();
    // A magazine may be read a moment before or after the blocks it counts have moved.
    stats.live_blocks = store_.outstanding_blocks() > waiting ? store_.outstanding_blocks() - waiting : 0;
    stats.peak_blocks = peak_blocks_;
    stats.slabs = store_.slabs();
    stats.free_blocks = stats.slabs * store_.slab_slots() - stats.live_blocks;
    stats.spare_slabs = store_.spare_slabs();
    stats.owned_bytes = stats.slabs * store_.slab_bytes();
    stats.refusals = refusals_;
    return stats;
}

inline const char* SharedPool::broken_wait(std::byte* const* blocks, std::size_t count) const noexcept {
    for (std::size_t at = 0; at < count; ++at) {
        const auto [slab, index] = store_.place_of(blocks[at]);
        if (slab->states()[index] == detail::SlotState::live || store_.is_free(slab, index)) {
            return "SP1: a block that waits is live or free in its slab";
        }
    }
    return nullptr;
}

inline const char* SharedPool::broken_invariant() noexcept {
    const os::LockGuard guard{lock_};
    const char* broken = broken_wait(depot_.data(), in_depot_);
    for (const Lane* lane = lanes_; lane != nullptr && broken == nullptr; lane = lane->next) {
        broken = broken_wait(lane->blocks.data(), lane->count());
    }
    if (broken != nullptr) {
        return broken;
    }
    std::size_t live = 0;
    for_each_live([&](const void* /*block*/) { ++live; });
    if (live + waiting_blocks() != store_.outstanding_blocks()) {
        return "SP2: live and waiting blocks are not what the slabs have outstanding";
    }
    return store_.broken_invariant();
}

}  // namespace heapwright
