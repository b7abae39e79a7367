// What pointers by distance promise: they survive copies, moves and the relocation of the block they are in.
#include <heapwright/own/cell/self_ptr.hpp>

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/pages.hpp>
#include <heapwright/os/report.hpp>

#include <tests/support/death.hpp>
#include <tests/support/random.hpp>

namespace heapwright {
namespace {

TEST_CASE_TEMPLATE("copied or moved it points at the same object from where it is now", Offset, std::int32_t, std::int64_t) {
    using Ptr = SelfPtr<int, Offset>;
    struct Block {  // 32 bits reach from one member to the other, and not from the heap to the stack
        int target = 5;
        int other = 6;
        Ptr first;
        Ptr second;
        Ptr third;
    } block;
    CHECK(block.first == nullptr);
    CHECK(!block.first);
    CHECK(block.first.get() == nullptr);
    block.first = &block.target;
    block.second = block.first;
    CHECK(block.second.get() == &block.target);
    CHECK(block.first == block.second);
    CHECK(block.first.raw_offset() != block.second.raw_offset());
    *block.second = 7;
    CHECK(block.target == 7);
    block.third = std::move(block.first);
    CHECK(*block.third == 7);
    block.third = &block.other;
    swap(block.second, block.third);
    CHECK(block.second.get() == &block.other);
    CHECK(block.third.get() == &block.target);
    CHECK(block.third < block.second);
    block.third = nullptr;
    CHECK(block.third == nullptr);
    CHECK((block.second <=> block.third) > 0);
    const Block copy = block;
    CHECK(copy.second.get() == &block.other);  // the same object, as a plain pointer
}

TEST_CASE("it can point at its own beginning, so that a ring of one node is no null") {
    struct Node {
        SelfPtr<Node> next{this};
    };
    const Node node;
    CHECK(static_cast<bool>(node.next));
    CHECK(node.next.get() == &node);
    CHECK(node.next->next.get() == &node);
}

struct Tree {
    std::uint32_t key = 0;
    SelfPtr<Tree> left;
    SelfPtr<Tree> right;
};
static_assert(sizeof(Tree) == 12);

std::uint64_t sum(const Tree* node) { return node == nullptr ? 0 : node->key + sum(node->left.get()) + sum(node->right.get()); }

TEST_CASE("a block copied as bytes is a working structure of its own") {
    test::Random random;
    std::vector<Tree> nodes(1000);
    std::uint64_t expected = 0;
    for (std::size_t index = 0; index < nodes.size(); ++index) {
        nodes[index].key = static_cast<std::uint32_t>(random.below(1U << 20));
        expected += nodes[index].key;
        if (index > 0) {
            Tree& parent = nodes[(index - 1) / 2];
            (index % 2 == 1 ? parent.left : parent.right) = &nodes[index];
        }
    }
    std::vector<std::byte> image(nodes.size() * sizeof(Tree) + 16);
    for (const std::size_t shift : {std::size_t{0}, std::size_t{4}, std::size_t{12}}) {
        std::memcpy(image.data() + shift, static_cast<const void*>(nodes.data()), nodes.size() * sizeof(Tree));
        CHECK(sum(reinterpret_cast<const Tree*>(image.data() + shift)) == expected);
    }
}

TEST_CASE("what is out of reach is refused, and 64 bits reach everything") {
    constexpr std::size_t kGap = (std::size_t{1} << 31) + (std::size_t{1} << 20);
    // Address space only: two pages of it are touched.
    auto* const memory = static_cast<std::byte*>(os::reserve(kGap + 2 * os::kPageBytes, os::kPageBytes, "self_ptr test"));
    REQUIRE(memory != nullptr);
    REQUIRE(os::commit(memory, os::kPageBytes));
    auto* const near = ::new (memory) SelfPtr<std::byte>;
    auto* const wide = ::new (memory + 8) SelfPtr<std::byte, std::int64_t>;
    CHECK(near->try_set(memory + 0x7FFFFFFF));
    CHECK(near->get() == memory + 0x7FFFFFFF);
    CHECK(!near->try_set(memory + 0x80000000U));
    CHECK(near->get() == memory + 0x7FFFFFFF);  // nothing changed
    CHECK(wide->try_set(memory + kGap));
    CHECK(wide->get() == memory + kGap);
    auto* const high = memory + 0x80000000U;
    REQUIRE(os::commit(high, os::kPageBytes));
    auto* const back = ::new (high) SelfPtr<std::byte>;
    CHECK(back->try_set(memory));  // 2 GiB back exactly
    CHECK(back->get() == memory);
    auto* const past = ::new (high + 8) SelfPtr<std::byte>;
    CHECK(!past->try_set(memory));
    CHECK(!near->try_set(memory + 1));  // inside the pointer itself, which is how null is written
    const auto death = test::death_of([&] {
        os::report_failures_to_stderr();
        near->set(memory + kGap);
    });
    CHECK(test::said(death, "a self-relative pointer cannot reach so far"));
    os::release(memory, kGap + 2 * os::kPageBytes);
}

TEST_CASE("a row by distance is walked over plain pointers, and moves with its block") {
    struct Block {
        SelfSpan<const std::uint32_t> row;
        std::uint32_t values[64];
    };
    auto first = std::make_unique<Block>();
    for (std::uint32_t index = 0; index < 64; ++index) {
        first->values[index] = index;
    }
    first->row.set(first->values, 64);
    auto second = std::make_unique<Block>();
    // NOLINTNEXTLINE(bugprone-undefined-memory-manipulation): a distance that is copied with what it leads to is what this is about
    std::memcpy(static_cast<void*>(second.get()), first.get(), sizeof(Block));
    first.reset();
    std::uint32_t total = 0;
    for (const std::uint32_t value : second->row) {
        total += value;
    }
    CHECK(total == 63 * 64 / 2);
    CHECK(second->row.data() == second->values);
    CHECK(second->row[63] == 63);
    CHECK(second->row.size() == 64);
    const SelfSpan<int> none;
    CHECK(none.empty());
    CHECK(none.begin() == none.end());
    const auto death = test::death_of([&] {
        os::report_failures_to_stderr();
        static_cast<void>(second->row[64]);
    });
    CHECK(test::said(death, "an index is past the end of its row"));
}

}  // namespace
}  // namespace heapwright
