// What dies in groups comes back: survivors of different deaths join new groups, pages that empty leave theirs.
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/mesh_record.hpp>
#include <heapwright/alloc/heap/detail/mesher.hpp>

namespace heapwright::test {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

std::uint64_t word_of(const void* block) { return reinterpret_cast<std::uintptr_t>(block) * 0x9E3779B97F4A7C15U; }

/// Blocks with a word each; every sixteenth of so many MiB is left.
std::vector<std::uint64_t*> survivors(std::size_t mib) {
    std::vector<std::uint64_t*> made(mib * kMiB / 256);
    for (std::uint64_t*& block : made) {
        block = static_cast<std::uint64_t*>(default_heap::allocate(256));
        block[7] = word_of(block);
    }
    std::vector<std::uint64_t*> left;
    for (std::size_t i = 0; i < made.size(); ++i) {
        if (i % 16 == 0) {
            left.push_back(made[i]);
        } else {
            default_heap::release(made[i]);
        }
    }
    return left;
}

/// Frees all but one of so many spans' blocks, by where the spans lie.
void thin(std::vector<std::uint64_t*>& blocks, std::size_t share) {
    std::erase_if(blocks, [share](std::uint64_t* block) {
        const bool dies = (reinterpret_cast<std::uintptr_t>(block) >> 16) % share != 0;
        if (dies) {
            default_heap::release(block);
        }
        return dies;
    });
}

bool are_intact(const std::vector<std::uint64_t*>& blocks) {
    bool is_good = true;
    for (const std::uint64_t* block : blocks) {
        is_good = is_good && block[7] == word_of(block);
    }
    return is_good;
}

void release_all(std::vector<std::uint64_t*>& blocks) {
    for (std::uint64_t* block : blocks) {
        default_heap::release(block);
    }
    blocks.clear();
    default_heap::trim();
    CHECK(heap::meshed_spans() == 0);
    CHECK(heap::mesh_saved_bytes() == 0);
    CHECK(heap::mesh_mappings() == 0);
}

/// Memory of the spans in use, less what they share: what their pages need.
std::size_t needed_bytes() {
    const HeapStatistics now = default_heap::statistics();
    return now.active_bytes - now.absent_bytes - now.shared_bytes;
}

TEST_CASE("spans whose group mates died join new groups") {
    if (!default_heap::begin_meshing()) {
        MESSAGE("this process may not mesh");
        return;
    }
    std::vector<std::uint64_t*> left = survivors(64);
    default_heap::trim();
    REQUIRE(heap::mesh_saved_bytes() > 48 * kMiB);
    CHECK(needed_bytes() < 8 * kMiB);
    thin(left, 8);  // of each group of sixteen, two are left: their file is the same as before
    CHECK(are_intact(left));
    default_heap::trim();
    CHECK(are_intact(left));
    // An eighth of the blocks, in an eighth of the memory: not all of it, because spans were joined as they came.
    CHECK(needed_bytes() < 2 * kMiB);
    CHECK(heap::g_default_core.broken_invariant() == nullptr);
    release_all(left);
}

TEST_CASE("a page that was written to since it was shared stays where it is") {
    if (!default_heap::begin_meshing()) {
        return;
    }
    std::vector<std::uint64_t*> left = survivors(16);
    default_heap::trim();
    for (std::size_t i = 0; i < left.size(); i += 2) {
        left[i][9] = i;
    }
    thin(left, 8);
    default_heap::trim();
    default_heap::trim();
    CHECK(are_intact(left));
    CHECK(heap::g_default_core.broken_invariant() == nullptr);
    release_all(left);
}

TEST_CASE("pages of a meshed span leave their group when nothing lives in them") {
    if (!default_heap::begin_meshing()) {
        return;
    }
    std::vector<std::uint64_t*> left = survivors(64);
    default_heap::trim();
    const std::uint32_t before = heap::meshed_spans();
    // Of every span the blocks of its first half die.
    std::erase_if(left, [](std::uint64_t* block) {
        const bool dies = (reinterpret_cast<std::uintptr_t>(block) & 0xFFFF) < 0x8000;
        if (dies) {
            default_heap::release(block);
        }
        return dies;
    });
    default_heap::trim();
    default_heap::trim();
    CHECK(heap::meshed_spans() <= before);
    CHECK(needed_bytes() < 4 * kMiB);
    CHECK(are_intact(left));
    release_all(left);
}

}  // namespace
}  // namespace heapwright::test
