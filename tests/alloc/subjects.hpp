// The allocators of the library as the laws see them: each on a source of the test's.
#pragma once

#include <array>

#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/alloc/arena/inline_arena.hpp>
#include <heapwright/alloc/arena/plain_arena.hpp>
#include <heapwright/alloc/arena/scope.hpp>
#include <heapwright/alloc/arena/shared_arena.hpp>
#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/planned.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/heap.hpp>
#include <heapwright/alloc/heap/heap_source.hpp>
#include <heapwright/alloc/heap/placement.hpp>
#include <heapwright/alloc/pool/multi_pool.hpp>
#include <heapwright/alloc/pool/pool.hpp>
#include <heapwright/alloc/pool/shared_pool.hpp>
#include <heapwright/alloc/tlsf/tlsf.hpp>

namespace heapwright::laws {

/// The members that most allocators give as they are.
template <class Allocator>
struct Forward {
    Allocator allocator;
    void* try_allocate(Layout layout) noexcept { return allocator.try_allocate(layout); }
    void deallocate(void* block, Layout layout) noexcept { allocator.deallocate(block, layout); }
    const char* broken_invariant() noexcept { return allocator.broken_invariant(); }
};

struct ArenaSubject : Forward<Arena> {
    static constexpr Layout kLargest{.size = 5000, .alignment = 4096};
    static constexpr bool kReclaims = false;
    static constexpr bool kRefusesDoubleFree = false;
    explicit ArenaSubject(SourceRef source) : Forward{Arena{source, {.first_chunk_bytes = 1024}}} {}
};

struct PlainArenaSubject : Forward<PlainArena> {
    static constexpr Layout kLargest{.size = 5000, .alignment = 4096};
    static constexpr bool kReclaims = false;
    static constexpr bool kRefusesDoubleFree = false;
    explicit PlainArenaSubject(SourceRef source) : Forward{PlainArena{source, {.first_chunk_bytes = 1024}}} {}
};

struct InlineArenaSubject : Forward<InlineArena<512>> {
    static constexpr Layout kLargest{.size = 1000, .alignment = 64};
    static constexpr bool kReclaims = false;
    static constexpr bool kRefusesDoubleFree = false;
    explicit InlineArenaSubject(SourceRef source) : Forward{InlineArena<512>{source}} {}
};

/// The other end of the arena: blocks whose size is known when the program is compiled.
struct FixedArenaSubject : Forward<Arena> {
    static constexpr Layout kLargest{.size = 40, .alignment = 16};
    static constexpr bool kReclaims = false;
    static constexpr bool kRefusesDoubleFree = false;
    explicit FixedArenaSubject(SourceRef source) : Forward{Arena{source, {.first_chunk_bytes = 1024}}} {}
    void* try_allocate(Layout layout) noexcept {
        return layout.size > kLargest.size ? nullptr : allocator.try_allocate_fixed<kLargest.size, kLargest.alignment>();
    }
    void deallocate(void* block, Layout /*layout*/) noexcept { allocator.deallocate(block, kLargest); }
};

struct SharedArenaSubject : Forward<SharedArena> {
    static constexpr Layout kLargest{.size = 5000, .alignment = 4096};
    static constexpr bool kReclaims = false;
    static constexpr bool kRefusesDoubleFree = false;
    explicit SharedArenaSubject(SourceRef source) : Forward{SharedArena{source, {.chunk_bytes = 16384, .first_run_bytes = 1024}}} {}
};

struct ScopeSubject {
    static constexpr Layout kLargest{.size = 5000, .alignment = 4096};
    static constexpr bool kReclaims = false;
    static constexpr bool kRefusesDoubleFree = false;
    explicit ScopeSubject(SourceRef source) : scope{account, source} {}
    void* try_allocate(Layout layout) noexcept { return scope.try_allocate(layout); }
    void deallocate(void* block, Layout layout) noexcept { scope.deallocate(block, layout); }
    const char* broken_invariant() noexcept { return scope.arena().broken_invariant(); }
    ScopeAccount account{"laws"};
    Scope scope;
};

struct PoolSubject : Forward<Pool> {
    static constexpr Layout kLargest{.size = 200, .alignment = 8};
    static constexpr bool kReclaims = true;
    static constexpr bool kRefusesDoubleFree = true;
    explicit PoolSubject(SourceRef source) : Forward{Pool{kLargest, source, {.slab_bytes = 4096, .spare_bytes = 0}}} {}
};

struct AlignedPoolSubject : Forward<Pool> {
    static constexpr Layout kLargest{.size = 300, .alignment = 512};
    static constexpr bool kReclaims = true;
    static constexpr bool kRefusesDoubleFree = true;
    explicit AlignedPoolSubject(SourceRef source) : Forward{Pool{kLargest, source}} {}
};

struct SharedPoolSubject : Forward<SharedPool> {
    static constexpr Layout kLargest{.size = 200, .alignment = 8};
    static constexpr bool kReclaims = true;
    static constexpr bool kRefusesDoubleFree = true;
    explicit SharedPoolSubject(SourceRef source) : Forward{SharedPool{kLargest, source, {.slab_bytes = 4096, .spare_bytes = 0}}} {}
};

struct MultiPoolSubject : Forward<MultiPool> {
    static constexpr Layout kLargest{.size = 4096, .alignment = 128};
    static constexpr bool kReclaims = true;
    static constexpr bool kRefusesDoubleFree = true;
    static constexpr std::array<SizeClassOptions, 6> kClasses{{{16}, {64}, {128}, {512}, {1024}, {4096}}};
    explicit MultiPoolSubject(SourceRef source) : Forward{MultiPool{kClasses, source}} {}
};

struct TlsfSubject : Forward<Tlsf> {
    static constexpr Layout kLargest{.size = 5000, .alignment = 4096};
    static constexpr bool kReclaims = true;
    static constexpr bool kRefusesDoubleFree = true;
    explicit TlsfSubject(SourceRef source) : Forward{Tlsf{source, {.region_bytes = 16384}}} {}
};

struct SmallTlsfSubject : Forward<SmallTlsf> {
    static constexpr Layout kLargest{.size = 1000, .alignment = 64};
    static constexpr bool kReclaims = true;
    static constexpr bool kRefusesDoubleFree = true;
    explicit SmallTlsfSubject(SourceRef source) : Forward{SmallTlsf{source, {.region_bytes = 4096, .spare_regions = 2}}} {}
};

/// The process's heap has its memory from the kernel, and nothing from the test's source.
struct HeapSubject {
    static constexpr Layout kLargest{.size = 70'000, .alignment = 4096};
    static constexpr bool kReclaims = true;
    static constexpr bool kRefusesDoubleFree = false;
    explicit HeapSubject(SourceRef /*source*/) {}
    static void* try_allocate(Layout layout) noexcept { return kHeap.try_allocate(layout); }
    static void deallocate(void* block, Layout layout) noexcept { kHeap.deallocate(block, layout); }
    static const char* broken_invariant() noexcept {
        const char* broken = nullptr;
        heap::for_each_region([&](heap::Region& region) {
            const os::LockGuard guard(region.lock());
            broken = broken == nullptr ? region.broken_invariant() : broken;
        });
        return broken;
    }
};

/// A heap of one's own, which has its memory from the kernel, too.
struct OwnHeapSubject {
    static constexpr Layout kLargest{.size = 70'000, .alignment = 4096};
    static constexpr bool kReclaims = true;
    static constexpr bool kRefusesDoubleFree = false;
    explicit OwnHeapSubject(SourceRef /*source*/) {}
    void* try_allocate(Layout layout) noexcept { return allocator.try_allocate(layout); }
    void deallocate(void* block, Layout layout) noexcept { allocator.deallocate(block, layout); }
    const char* broken_invariant() noexcept { return allocator.broken_invariant(); }
    Heap allocator;
};

/// A place of a placement plan, told by its number. The plan stays in force: what follows in this program is under it.
template <SitePlace Kind>
struct PlaceSubject {
    static constexpr Layout kLargest{.size = 16'000, .alignment = 4096};
    static constexpr bool kReclaims = true;
    static constexpr bool kRefusesDoubleFree = false;
    explicit PlaceSubject(SourceRef /*source*/) {
        static const std::array<placement::PlaceId, 3> all = [] {
            const std::array made{placement::add_place(SitePlace::pool, "laws"), placement::add_place(SitePlace::bump, "laws"),
                                  placement::add_place(SitePlace::heap, "laws")};
            static_cast<void>(placement::begin());
            return made;
        }();
        place = all[static_cast<std::size_t>(Kind) - 1];
    }
    void* try_allocate(Layout layout) const noexcept { return placement::allocate_aligned_at(place, layout.size, layout.alignment); }
    static void deallocate(void* block, Layout /*layout*/) noexcept { default_heap::release(block); }
    [[nodiscard]] const char* broken_invariant() const noexcept {
        heap::Place& checked = *heap::g_places[static_cast<std::uint32_t>(place)];
        const char* const broken = checked.bump.broken_invariant();
        return broken == nullptr ? checked.core.broken_invariant() : broken;
    }
    placement::PlaceId place{};
};
using PoolPlaceSubject = PlaceSubject<SitePlace::pool>;
using BumpPlaceSubject = PlaceSubject<SitePlace::bump>;
using HeapPlaceSubject = PlaceSubject<SitePlace::heap>;

}  // namespace heapwright::laws
