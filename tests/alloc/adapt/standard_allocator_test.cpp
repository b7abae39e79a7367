// Standard containers over every allocator of the library, without a virtual call.
#include <heapwright/alloc/adapt/standard_allocator.hpp>

#include <array>
#include <list>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/adapt/compose.hpp>
#include <heapwright/alloc/adapt/tracked.hpp>
#include <heapwright/alloc/arena/inline_arena.hpp>
#include <heapwright/alloc/pool/multi_pool.hpp>
#include <heapwright/alloc/pool/pool.hpp>
#include <heapwright/alloc/pool/shared_pool.hpp>
#include <heapwright/alloc/slab/slab.hpp>
#include <heapwright/alloc/tlsf/tlsf.hpp>

#include <tests/alloc/adapt/workout.hpp>
#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

template <class A>
struct For {
    template <class T>
    using Rebind = StandardAllocator<T, A>;
};

template <class A>
void work_out(A& allocator) {
    test::Workout<For<A>::template Rebind, A&>{allocator}.run();
}

constexpr std::array<SizeClassOptions, 8> kClasses{{{16}, {32}, {64}, {128}, {256}, {1024}, {4096}, {65536}}};

TEST_CASE("whole containers work on an arena, and every byte comes home") {
    FailingSource source;
    {
        Arena arena{source};
        work_out(arena);
        CHECK(arena.broken_invariant() == nullptr);
        PlainArena plain{source};
        work_out(plain);
        InlineArena<4096> with_buffer{source};
        work_out(with_buffer);
        SharedArena shared{source};
        work_out(shared);
        ScopeAccount account{"containers"};
        Scope scope{account, source};
        work_out(scope);
    }
    CHECK(source.outstanding() == 0);
}

TEST_CASE("whole containers work on pools of several sizes") {
    FailingSource source;
    {
        MultiPool pool{kClasses, source, {.fallback = source}};
        work_out(pool);
        CHECK(pool.broken_invariant() == nullptr);
    }
    CHECK(source.outstanding() == 0);
}

TEST_CASE("whole containers work on a heap in constant time") {
    FailingSource source;
    {
        Tlsf heap{source};
        work_out(heap);
        CHECK(heap.stats().live_blocks == 0);
        CHECK(heap.broken_invariant() == nullptr);
    }
    CHECK(source.outstanding() == 0);
}

TEST_CASE("whole containers work on compositions") {
    FailingSource source;
    {
        Pool pool{{.size = 64, .alignment = 16}, source};
        Tlsf heap{source};
        Segregate<64, Pool, Tlsf> by_size{pool, heap};
        Tracked tracked{by_size};
        Synchronised locked{tracked};
        work_out(locked);
        CHECK(tracked.stats().live_blocks() == 0);
        CHECK(tracked.stats().live_bytes == 0);
        CHECK(tracked.broken_invariant() == nullptr);
        SmallTlsf small;
        alignas(16) static std::array<std::byte, 8000> memory;
        REQUIRE(small.add_region(memory));
        Fallback<SmallTlsf, Tlsf> first_here{small, heap};
        work_out(first_here);
        CHECK(small.stats().live_blocks == 0);
        CHECK(small.stats().refusals > 0);
        CHECK(heap.stats().live_blocks == 0);
    }
    CHECK(source.outstanding() == 0);
}

TEST_CASE("a list's nodes come from a pool of one size, of one thread or of several") {
    FailingSource source;
    Pool pool{{.size = 48, .alignment = 8}, source};
    SharedPool shared{{.size = 48, .alignment = 8}, source};
    {
        std::list<int, StandardAllocator<int, Pool>> numbers(pool);
        std::list<int, StandardAllocator<int, SharedPool>> others(shared);
        for (int value = 0; value < 1000; ++value) {
            numbers.push_back(value);
            others.push_back(value);
        }
        CHECK(pool.stats().live_blocks == 1000);
        CHECK(std::equal(numbers.begin(), numbers.end(), others.begin(), others.end()));
    }
    CHECK(pool.stats().live_blocks == 0);
    std::vector<int, StandardAllocator<int, Pool>> too_large(pool);
    CHECK_THROWS_AS(too_large.resize(100), std::bad_alloc);
}

TEST_CASE("a slab keeps containers whose elements lie elsewhere") {
    FailingSource source;
    Arena arena{source};
    using Numbers = std::vector<int, StandardAllocator<int, Arena>>;
    Slab<Numbers> slab{source};
    const SlabKey key = slab.insert(arena);
    slab[key].assign(1000, 7);
    CHECK(slab[key].back() == 7);
}

TEST_CASE("a refusal is std::bad_alloc, an impossible size std::bad_array_new_length, and nothing is lost") {
    FailingSource source{3};
    Tlsf heap{source, {.region_bytes = 4096}};
    std::vector<int, StandardAllocator<int, Tlsf>> numbers(heap);
    CHECK_THROWS_AS(
        [&] {
            for (int value = 0;; ++value) {
                numbers.push_back(value);
            }
        }(),
        std::bad_alloc);
    for (std::size_t index = 0; index < numbers.size(); ++index) {
        REQUIRE(numbers[index] == static_cast<int>(index));
    }
    StandardAllocator<long, Tlsf> allocator{heap};
    CHECK_THROWS_AS(static_cast<void>(allocator.allocate(SIZE_MAX / 4)), std::bad_array_new_length);
    CHECK_THROWS_AS(static_cast<void>(allocator.allocate_at_least(SIZE_MAX)), std::bad_array_new_length);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("allocate_at_least says what there really is, and it goes back with either count") {
    FailingSource source;
    MultiPool pool{kClasses, source};
    StandardAllocator<char, MultiPool> allocator{pool};
    const auto block = allocator.allocate_at_least(33);
    CHECK(block.count == 64);
    std::fill_n(block.ptr, block.count, 'x');
    allocator.deallocate(block.ptr, block.count);
    Tlsf heap{source};
    StandardAllocator<int, Tlsf> from_heap{heap};
    const auto few = from_heap.allocate_at_least(1);
    CHECK(few.count >= 4);
    std::fill_n(few.ptr, few.count, 1);
    from_heap.deallocate(few.ptr, few.count);
    CHECK(heap.stats().live_blocks == 0);
    Arena arena{source};
    CHECK(StandardAllocator<int, Arena>{arena}.allocate_at_least(3).count >= 3);
}

TEST_CASE("a container takes its allocator along when it is moved or swapped, and keeps it when it is copied") {
    FailingSource source;
    Tlsf one{source};
    Tlsf two{source};
    using Numbers = std::vector<int, StandardAllocator<int, Tlsf>>;
    Numbers first({1, 2, 3}, one);
    Numbers second({4, 5}, two);
    const int* const elements = first.data();
    CHECK(first.get_allocator() != second.get_allocator());
    second = std::move(first);
    CHECK(second.data() == elements);  // no element was copied
    CHECK(&second.get_allocator().allocator() == &one);
    Numbers third({6}, two);
    third = second;
    CHECK(&third.get_allocator().allocator() == &two);
    swap(second, third);
    CHECK(&third.get_allocator().allocator() == &one);
    CHECK(third.data() == elements);
    const Numbers copied = third;
    CHECK(&copied.get_allocator().allocator() == &one);
}

TEST_CASE("giving back to an arena does nothing, and to all others it gives back") {
    static_assert(kFreesNothing<Arena> && kFreesNothing<PlainArena> && kFreesNothing<SharedArena> && kFreesNothing<Scope>);
    static_assert(kFreesNothing<InlineArena<64>> && !kFreesNothing<Pool> && !kFreesNothing<Tlsf>);
    FailingSource source;
    Arena arena{source};
    StandardAllocator<int, Arena> allocator{arena};
    int* const block = allocator.allocate(10);
    const std::size_t used = arena.stats().used_bytes;
    allocator.deallocate(block, 10);
    CHECK(arena.stats().used_bytes == used);
}

}  // namespace
}  // namespace heapwright
