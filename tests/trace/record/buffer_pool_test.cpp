// The buffers: bounded, reused, and all found again after fork.
#include <heapwright/trace/record/buffer_pool.hpp>

#include <memory>
#include <vector>

#include <doctest/doctest.h>

using heapwright::trace::record::Buffer;
using heapwright::trace::record::BufferPool;

TEST_CASE("the pool gives one buffer a thread and so many spare ones, not more") {
    const auto pool = std::make_unique<BufferPool>();
    std::vector<Buffer*> taken;
    while (Buffer* buffer = pool->take(3)) {
        REQUIRE(taken.size() <= BufferPool::kMaxSpare + 3);
        taken.push_back(buffer);
    }
    CHECK(taken.size() == BufferPool::kMaxSpare + 3);
    CHECK(pool->broken_invariant() == nullptr);
    CHECK(pool->take(4) != nullptr);
    for (Buffer* buffer : taken) {
        pool->give(buffer);
    }
    CHECK(pool->taken() == 1);
    CHECK(pool->broken_invariant() == nullptr);
}

TEST_CASE("the buffer given back last is taken first, and is empty") {
    const auto pool = std::make_unique<BufferPool>();
    Buffer* first = pool->take(1);
    Buffer* second = pool->take(1);
    REQUIRE(first != nullptr);
    REQUIRE(second != nullptr);
    first->filled = first->words + 100;
    pool->give(first);
    Buffer* again = pool->take(1);
    CHECK(again == first);
    CHECK(again->filled == again->words);
    CHECK(again->drained == again->words);
}

TEST_CASE("every buffer comes back at once in a child of fork") {
    const auto pool = std::make_unique<BufferPool>();
    for (int time = 0; time < 40; ++time) {
        REQUIRE(pool->take(1) != nullptr);
    }
    pool->take_all_back();
    CHECK(pool->taken() == 0);
    CHECK(pool->broken_invariant() == nullptr);
}
