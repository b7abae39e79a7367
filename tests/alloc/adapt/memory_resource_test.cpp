// The library's allocators as memory resources, and memory resources under the library's allocators.
#include <heapwright/alloc/adapt/memory_resource.hpp>

#include <array>
#include <list>
#include <memory_resource>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/pool/multi_pool.hpp>
#include <heapwright/alloc/tlsf/tlsf.hpp>

#include <tests/alloc/adapt/workout.hpp>
#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

template <class T>
using Polymorphic = std::pmr::polymorphic_allocator<T>;

void work_out(std::pmr::memory_resource& resource) { test::Workout<Polymorphic, std::pmr::memory_resource*>{&resource}.run(); }

TEST_CASE("whole polymorphic containers work on arenas, pools and heaps") {
    FailingSource source;
    {
        Arena arena{source};
        Resource on_arena{arena};
        work_out(on_arena);
        SharedArena shared{source};
        Resource on_shared{shared};
        work_out(on_shared);
        static constexpr std::array<SizeClassOptions, 5> kClasses{{{32}, {64}, {256}, {1024}, {4096}}};
        MultiPool pool{kClasses, source, {.fallback = source}};
        Resource on_pool{pool};
        work_out(on_pool);
        Tlsf heap{source};
        Resource on_heap{heap};
        work_out(on_heap);
        CHECK(heap.stats().live_blocks == 0);
    }
    CHECK(source.outstanding() == 0);
}

TEST_CASE("a resource that owns its allocator is a drop-in for the standard's") {
    FailingSource source;
    {
        OwningResource<Arena> arena{source};
        work_out(arena);
        OwningResource<Tlsf> heap{source};
        work_out(heap);
        CHECK(heap.allocator().stats().live_blocks == 0);
        OwningResource<Pool> nodes{Layout{.size = 64, .alignment = 8}, source};
        {
            std::pmr::list<int> numbers{&nodes};
            for (int number = 0; number < 1000; ++number) {
                numbers.push_back(number);
            }
            CHECK(nodes.allocator().stats().live_blocks == 1000);
        }
        CHECK(nodes.allocator().stats().live_blocks == 0);
        CHECK_THROWS_AS(static_cast<void>(nodes.allocate(65, 8)), std::bad_alloc);
        CHECK_THROWS_AS(static_cast<void>(nodes.allocate(64, 4096)), std::bad_alloc);
        const OwningResource<Arena> other{source};
        CHECK(arena == arena);
        CHECK(arena != other);
    }
    CHECK(source.outstanding() == 0);
}

TEST_CASE("resources are equal when they stand on the same allocator") {
    FailingSource source;
    Tlsf one{source};
    Tlsf two{source};
    const Resource first{one};
    const Resource again{one};
    const Resource other{two};
    CHECK(first == again);
    CHECK(first != other);
    CHECK(first != *std::pmr::get_default_resource());
    CHECK(&again.allocator() == &one);
}

TEST_CASE("a refusal is std::bad_alloc") {
    Tlsf heap;
    Resource resource{heap};
    std::pmr::vector<int> numbers{&resource};
    CHECK_THROWS_AS(numbers.push_back(1), std::bad_alloc);
    CHECK_THROWS_AS(static_cast<void>(resource.allocate(SIZE_MAX - 100, 1)), std::bad_alloc);
}

TEST_CASE("the library's allocators stand on the standard's resources") {
    std::pmr::unsynchronized_pool_resource below;
    ResourceSource source{below};
    Arena arena{source};
    CHECK(arena.copy("a text").size() == 6);
    Tlsf heap{source, {.region_bytes = 4096}};
    void* const block = heap.try_allocate({.size = 10'000, .alignment = 64});
    CHECK(is_aligned(block, 64));
    heap.deallocate(block);
}

TEST_CASE("what a resource throws is a refusal") {
    ResourceSource source{*std::pmr::null_memory_resource()};
    Arena arena{source};
    CHECK(arena.try_allocate({.size = 10, .alignment = 1}) == nullptr);
    CHECK(arena.why_refused() == Errc::out_of_memory);
}

TEST_CASE("resources stand on each other in both directions") {
    FailingSource source;
    {
        Tlsf heap{source};
        Resource resource{heap};
        std::pmr::monotonic_buffer_resource between{&resource};
        ResourceSource again{between};
        Arena arena{again};
        Resource top{arena};
        std::pmr::string text{"a text that is too long for the small buffer", &top};
        CHECK(text.size() == 44);
    }
    CHECK(source.outstanding() == 0);
}

}  // namespace
}  // namespace heapwright
