// When the clock meshes: a pass that found nothing is not begun again with the next round, where nothing changed since.
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/mesh_record.hpp>
#include <heapwright/alloc/heap/detail/mesher.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>

namespace heapwright::test {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::uint64_t kLong = 20'000'000'000;
constexpr std::uint64_t kShort = 1;  // a pass begins, and does not end
constexpr std::uint32_t kTurn = 100;

/// Blocks of so many MiB, but for those that `dies(offset in its page)` names.
template <class Dies>
std::vector<void*> survivors(std::size_t mib, std::size_t bytes, Dies dies) {
    std::vector<void*> made(mib * kMiB / bytes);
    for (void*& block : made) {
        block = default_heap::allocate(bytes);
    }
    std::erase_if(made, [&](void* block) {
        const bool is_dead = dies(reinterpret_cast<std::uintptr_t>(block) % 4096);
        if (is_dead) {
            default_heap::release(block);
        }
        return is_dead;
    });
    return made;
}

TEST_CASE("rounds of the clock after a vain pass begin none, until one was worth it") {
    default_heap::set_clock(500'000'000, true, false);  // the turns are this test's
    if (!default_heap::begin_meshing()) {
        MESSAGE("this process may not mesh");
        return;
    }
    heap::g_turn.store(kTurn, std::memory_order_relaxed);  // there is no other thread
    // Half empty, and all alike: no two of them fit.
    std::vector<void*> alike = survivors(16, 256, [](std::uintptr_t offset) { return offset >= 7 * 256; });
    heap::mesh_by_clock(1, kTurn + 1, kLong);
    CHECK(heap::meshed_spans() == 0);
    CHECK_FALSE(heap::is_mesh_under_way());
    for (std::uint32_t round = 2; round < 6; ++round) {
        heap::mesh_by_clock(round, kTurn + 1, kShort);
        CHECK_FALSE(heap::is_mesh_under_way());
    }
    // Who asks for it has it all the same. The others are of another size, so that they come into spans of their own.
    std::vector<void*> others = survivors(16, 512, [](std::uintptr_t offset) { return offset < 5 * 512; });
    default_heap::trim();
    CHECK(heap::meshed_spans() > 400);
    for (const std::vector<void*>* blocks : {&others, &alike}) {
        for (void* block : *blocks) {
            default_heap::release(block);
        }
    }
    default_heap::trim();
    CHECK(heap::meshed_spans() == 0);
}

}  // namespace
}  // namespace heapwright::test
