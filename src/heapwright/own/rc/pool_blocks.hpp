// Blocks for counted objects from a pool of their own: each free checked, and how many are alive to be asked.
#pragma once

#include <cstddef>
#include <new>

#include <heapwright/alloc/pool/shared_pool.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/os/page_source.hpp>
#include <heapwright/own/rc/policy.hpp>

namespace heapwright {

/// One pool in the program for each `Tag`, of blocks of `Bytes`, for any thread. Never destroyed, so that handles in static
/// objects may end last. Requests that do not fit are refused; a collector, whose lists grow, wants other Blocks.
///
/// Example:
///   struct OrderPolicy : SingleThread { using Blocks = PoolBlocks<sizeof(Order) + 8, Order>; };
///   auto order = make_counted<Order, OrderPolicy>();   // PoolBlocks<...>::pool().stats() says how many are alive
/// Cost:     about 55 instructions for a pair, against 22 of HeapBlocks.
template <std::size_t Bytes, class Tag = void>
struct PoolBlocks {
    static constexpr bool kFindsLayout = true;

    [[nodiscard]] static SharedPool& pool() noexcept {
        alignas(SharedPool) static std::byte memory[sizeof(SharedPool)];
        static auto* const made = ::new (static_cast<void*>(memory)) SharedPool(Layout{.size = Bytes, .alignment = 16}, os::kPages);
        return *made;
    }
    [[nodiscard]] static void* try_allocate(Layout layout) noexcept { return pool().try_allocate(layout); }
    static void deallocate(void* block, Layout layout) noexcept { pool().deallocate(block, layout); }
};
static_assert(StaticBlocks<PoolBlocks<64>>);

}  // namespace heapwright
