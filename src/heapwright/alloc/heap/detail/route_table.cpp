#include <heapwright/alloc/heap/detail/route_table.hpp>

#include <bit>
#include <new>

namespace heapwright::heap {

namespace {

/// Slots where a search can begin: a quarter in use at most, so that most searches look at one.
std::uint32_t beginnings_for(std::uint32_t routes) noexcept { return std::bit_ceil(routes * 4 + 1); }

}  // namespace

std::size_t RouteTable::bytes_for(std::uint32_t routes) noexcept {
    // Behind the last beginning there is room for all, so that no search has to turn round.
    return sizeof(RouteTable) + (std::size_t{beginnings_for(routes)} + routes + 1) * sizeof(Slot);
}

void RouteTable::clear(std::uint32_t routes) noexcept {
    const std::uint32_t beginnings = beginnings_for(routes);
    mask_ = (std::uintptr_t{beginnings} - 1) * sizeof(Slot);
    slots_ = beginnings + routes + 1;
    used_ = 0;
    for (std::uint32_t i = 0; i < slots_; ++i) {
        slots()[i].code.store(0, std::memory_order_relaxed);  // not published yet; a late reader finds nothing
    }
}

void RouteTable::add(const Route& route) noexcept {
    auto* slot = const_cast<Slot*>(begin_of(route.code));      // of this object, which is not const
    while (slot->code.load(std::memory_order_relaxed) != 0) {  // the only writer
        ++slot;
    }
    // Relaxed: who publishes the table orders all of it.
    slot->least.store(route.least, std::memory_order_relaxed);
    slot->more.store(route.most - route.least, std::memory_order_relaxed);
    slot->place.store(route.place, std::memory_order_relaxed);
    slot->context.store(route.context, std::memory_order_relaxed);
    slot->site.store(route.site, std::memory_order_relaxed);
    slot->caller.store(static_cast<std::uint32_t>(route.caller), std::memory_order_relaxed);
    slot->code.store(route.code, std::memory_order_relaxed);
    ++used_;
}

const char* RouteTable::broken_invariant() const noexcept {
    if (slots_ != 0 && slots()[slots_ - 1].code.load(std::memory_order_relaxed) != 0) {  // one look
        return "RT1: the last slot of a route table is in use";
    }
    const std::uintptr_t beginnings = mask_ / sizeof(Slot) + 1;
    return std::uintptr_t{used_} * 2 > beginnings ? "RT2: more than half of a route table is in use" : nullptr;
}

}  // namespace heapwright::heap
