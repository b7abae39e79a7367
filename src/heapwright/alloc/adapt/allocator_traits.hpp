// What an allocator can do besides giving and taking back: found out when the program is compiled.
#pragma once

#include <concepts>
#include <cstddef>

#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/alloc/arena/plain_arena.hpp>
#include <heapwright/alloc/arena/scope.hpp>
#include <heapwright/alloc/arena/shared_arena.hpp>
#include <heapwright/base/block_source.hpp>
#include <heapwright/base/layout.hpp>

namespace heapwright {

/// Whether giving a block back to A achieves nothing that a container would notice, so that adaptors leave it out. May be
/// specialised for one's own arenas.
template <class A>
inline constexpr bool kFreesNothing = std::derived_from<A, Arena>;
template <>
inline constexpr bool kFreesNothing<PlainArena> = true;
template <>
inline constexpr bool kFreesNothing<SharedArena> = true;
template <>
inline constexpr bool kFreesNothing<Scope> = true;

/// Knows its own blocks: needed wherever a block must find its way back to one of two.
template <class A>
concept Owner = BlockSource<A> && requires(const A& allocator, const void* block) {
    { allocator.owns(block) } noexcept -> std::same_as<bool>;
};

/// Says how large a block really is.
template <class A>
concept SizesBlocks = BlockSource<A> && requires(A& allocator, Layout layout) {
    { allocator.try_allocate_at_least(layout) } noexcept -> std::same_as<SizedBlock>;
};

/// Has a shorter way for sizes that are known when the program is compiled.
template <class A>
concept FixesSizes = requires(A& allocator) { allocator.template try_allocate_fixed<std::size_t{8}, std::size_t{8}>(); };

/// Has a short way that gives up, with nullptr, as soon as anything is unusual: try_allocate may still succeed. Callers of it
/// need no stack frame, which is worth as much as the whole way.
template <class A>
concept HasShortWay = requires(A& allocator, Layout layout) {
    { allocator.try_allocate_fast(layout) } noexcept -> std::same_as<void*>;
};

/// The same for giving back: false when anything is unusual, and then nothing changed.
template <class A>
concept HasShortWayBack = requires(A& allocator, void* block) {
    { allocator.deallocate_fast(block) } noexcept -> std::same_as<bool>;
    { allocator.deallocate(block) } noexcept;
};

/// A block of at least `layout.size`, with all that it has where the allocator says so.
template <BlockSource A>
[[nodiscard]] SizedBlock allocate_at_least_from(A& allocator, Layout layout) noexcept {
    if constexpr (SizesBlocks<A>) {
        return allocator.try_allocate_at_least(layout);
    } else {
        void* const block = allocator.try_allocate(layout);
        return {.start = block, .size_bytes = block == nullptr ? 0 : layout.size};
    }
}

}  // namespace heapwright
