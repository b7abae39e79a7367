// Which heaps mesh: each Heap object has its own word, and where it has none, the process's setting counts.
#include <cstdint>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/mesh_record.hpp>
#include <heapwright/alloc/heap/detail/mesher.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>
#include <heapwright/alloc/heap/heap.hpp>

namespace heapwright::test {
namespace {

constexpr std::size_t kBlocks = 8192;  // of 256 bytes: 32 spans
constexpr std::size_t kShare = 16;

std::uint64_t word_of(std::size_t number) { return (number + 1) * 0x9E3779B97F4A7C15U; }

/// Every sixteenth block of a source, with a word in it.
template <class Make, class Release>
std::vector<std::uint64_t*> survivors(Make make, Release release) {
    std::vector<std::uint64_t*> made(kBlocks);
    for (std::uint64_t*& block : made) {
        block = static_cast<std::uint64_t*>(make(256));
        REQUIRE(block != nullptr);
    }
    std::vector<std::uint64_t*> left;
    for (std::size_t i = 0; i < kBlocks; ++i) {
        if (i % kShare == 0) {
            made[i][5] = word_of(left.size());
            left.push_back(made[i]);
        } else {
            release(made[i]);
        }
    }
    return left;
}

std::vector<std::uint64_t*> survivors_of(Heap& heap) {
    return survivors([&](std::size_t bytes) { return heap.allocate(bytes); }, [&](void* block) { heap.release(block); });
}

std::vector<std::uint64_t*> survivors_of_default() {
    return survivors([](std::size_t bytes) { return default_heap::allocate(bytes); }, [](void* block) { default_heap::release(block); });
}

bool are_intact(const std::vector<std::uint64_t*>& blocks) {
    bool is_good = true;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        is_good = is_good && blocks[i][5] == word_of(i);
    }
    return is_good;
}

// The order of the cases counts: the process says nothing of meshing in the first, and asks for it in the second.

TEST_CASE("a heap that asks for meshing is meshed where the process does not ask") {
    Heap heap({.compaction = Compaction::mesh});
    if (!heap.is_meshing()) {
        MESSAGE("this process may not mesh");
        return;
    }
    Heap silent;
    CHECK_FALSE(silent.is_meshing());
    std::vector<std::uint64_t*> meshed = survivors_of(heap);
    const std::vector<std::uint64_t*> others[] = {survivors_of(silent), survivors_of_default()};
    CHECK(default_heap::trim() > 1'000'000);
    CHECK(heap::meshed_spans() > 24);
    CHECK(heap::meshed_spans() <= 33);
    CHECK(are_intact(meshed));
    CHECK(are_intact(others[0]));
    for (std::uint64_t* block : others[1]) {
        default_heap::release(block);
    }
    for (std::uint64_t* block : meshed) {
        heap.release(block);
    }
    default_heap::trim();
    CHECK(heap::meshed_spans() == 0);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("what Heap objects stir counts, however small the default heap is") {
    Heap heap;
    std::vector<std::uint64_t*> left = survivors_of(heap);
    default_heap::trim();  // puts aside what the thread allocates from
    const std::size_t of_default = heap::g_default_core.span_bytes();
    for (std::size_t i = 0; i < 1000; ++i) {  // so many spans as the default heap does not have
        heap::note_stirred();
    }
    CHECK(heap::stirred_bytes() >= of_default + heap.span_bytes());
    CHECK(heap::stirred_bytes() <= 1000 * heap::kSliceBytes);
    for (std::uint64_t* block : left) {
        heap.release(block);
    }
}

TEST_CASE("a heap that refuses meshing stays as it is where the process asks for it") {
    if (!default_heap::begin_meshing()) {
        return;
    }
    Heap off({.compaction = Compaction::off});
    CHECK_FALSE(off.is_meshing());
    const std::vector<std::uint64_t*> plain = survivors_of(off);
    default_heap::trim();
    CHECK(heap::meshed_spans() == 0);
    {
        Heap silent;
        CHECK(silent.is_meshing());
        const std::vector<std::uint64_t*> meshed = survivors_of(silent);
        default_heap::trim();
        CHECK(heap::meshed_spans() > 24);
        CHECK(are_intact(meshed));
        CHECK(are_intact(plain));
    }
    CHECK(heap::meshed_spans() == 0);  // a heap that ends gives back what it shared
    CHECK(heap::mesh_mappings() == 0);
}

}  // namespace
}  // namespace heapwright::test
