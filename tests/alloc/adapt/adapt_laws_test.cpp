// The laws of allocators, over every adaptor and composition.
#include <cstdint>

#include <doctest/doctest.h>

#include <heapwright/alloc/adapt/affix.hpp>
#include <heapwright/alloc/adapt/compose.hpp>
#include <heapwright/alloc/adapt/memory_resource.hpp>
#include <heapwright/alloc/adapt/tracked.hpp>

#include <tests/alloc/laws.hpp>

namespace heapwright::laws {
namespace {

struct Common {
    static constexpr Layout kLargest{.size = 3000, .alignment = 256};
};

struct Parts : Common {
    explicit Parts(SourceRef source)
        : pool({.size = 128, .alignment = 256}, source, {.slab_bytes = 8192, .spare_bytes = 0}), heap(source, {.region_bytes = 8192}) {}
    const char* broken_invariant() noexcept {
        const char* const broken = pool.broken_invariant();
        return broken != nullptr ? broken : heap.broken_invariant();
    }
    Pool pool;
    Tlsf heap;
};

struct FallbackSubject : Parts {
    explicit FallbackSubject(SourceRef source) : Parts(source) {}
    void* try_allocate(Layout layout) noexcept { return both.try_allocate(layout); }
    void deallocate(void* block, Layout layout) noexcept { both.deallocate(block, layout); }
    Fallback<Pool, Tlsf> both{pool, heap};
};

struct SegregateSubject : Parts {
    explicit SegregateSubject(SourceRef source) : Parts(source) {}
    void* try_allocate(Layout layout) noexcept { return both.try_allocate(layout); }
    void deallocate(void* block, Layout layout) noexcept { both.deallocate(block, layout); }
    Segregate<128, Pool, Tlsf> both{pool, heap};
};

struct WrappedSubject : Parts {
    explicit WrappedSubject(SourceRef source) : Parts(source) {}
    void* try_allocate(Layout layout) noexcept { return locked.try_allocate(layout); }
    void deallocate(void* block, Layout layout) noexcept { locked.deallocate(block, layout); }
    const char* broken_invariant() noexcept {
        const char* const broken = tracked.broken_invariant();
        return broken != nullptr ? broken : Parts::broken_invariant();
    }
    Tracked<Tlsf> tracked{heap};
    Limited<Tracked<Tlsf>> limited{tracked, std::size_t{1} << 30};
    Synchronised<Limited<Tracked<Tlsf>>> locked{limited};
};

struct Note {
    std::uint64_t number = 7;
};
struct alignas(16) Guard {
    std::uint64_t word = 0x600D'600D'600D'600D;
    ~Guard() { CHECK(word == 0x600D'600D'600D'600D); }
};
struct AffixedSubject : Parts {
    explicit AffixedSubject(SourceRef source) : Parts(source) {}
    void* try_allocate(Layout layout) noexcept { return affixed.try_allocate(layout); }
    void deallocate(void* block, Layout layout) noexcept { affixed.deallocate(block, layout); }
    Affixed<Tlsf, Note, Guard> affixed{heap};
};

/// There and back: a heap as a resource, the resource as a source.
struct ResourceSubject : Parts {
    explicit ResourceSubject(SourceRef source) : Parts(source) {}
    void* try_allocate(Layout layout) noexcept { return again.try_allocate(layout); }
    void deallocate(void* block, Layout layout) noexcept { again.deallocate(block, layout); }
    Resource<Tlsf> resource{heap};
    ResourceSource again{resource};
};

#define HEAPWRIGHT_ADAPTED FallbackSubject, SegregateSubject, WrappedSubject, AffixedSubject, ResourceSubject

TEST_CASE_TEMPLATE("blocks are aligned, apart and whole, and all bytes come home", Subject, HEAPWRIGHT_ADAPTED) {
    blocks_are_sound_and_bytes_come_home<Subject>();
}
TEST_CASE_TEMPLATE("a block of no bytes has an address of its own", Subject, HEAPWRIGHT_ADAPTED) { nothing_has_an_address<Subject>(); }
TEST_CASE_TEMPLATE("absurd sizes are refused", Subject, HEAPWRIGHT_ADAPTED) { absurd_sizes_are_refused<Subject>(); }
TEST_CASE_TEMPLATE("a refusal changes nothing", Subject, HEAPWRIGHT_ADAPTED) { refusal_changes_nothing<Subject>(); }
TEST_CASE_TEMPLATE("random steps agree with the ledger", Subject, HEAPWRIGHT_ADAPTED) { random_steps_agree_with_the_ledger<Subject>(); }
TEST_CASE_TEMPLATE("memory may run out anywhere", Subject, HEAPWRIGHT_ADAPTED) { memory_may_run_out_anywhere<Subject>(); }
TEST_CASE_TEMPLATE("steady use takes no more memory", Subject, HEAPWRIGHT_ADAPTED) { steady_use_takes_no_more_memory<Subject>(); }

}  // namespace
}  // namespace heapwright::laws
