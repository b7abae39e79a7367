// Rows of one type.
#include <heapwright/alloc/arena/typed_arena.hpp>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <tests/support/failing_source.hpp>
#include <tests/support/random.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

struct Item {
    static inline std::vector<int> deaths;
    int name;
    explicit Item(int own_name) : name(own_name) {}
    Item(const Item&) = delete;
    Item& operator=(const Item&) = delete;
    ~Item() { deaths.push_back(name); }
};

TEST_CASE("objects are visited in the order of making, across chunks, and stay where they are") {
    FailingSource source;
    TypedArena<std::string> arena{source, {.first_chunk_bytes = 256, .largest_chunk_bytes = 512}};
    std::vector<std::string*> addresses;
    for (int index = 0; index < 200; ++index) {
        addresses.push_back(&arena.create(std::to_string(index) + " is long enough to need the heap"));
    }
    CHECK(arena.size() == 200);
    CHECK(source.outstanding() > 3);
    std::size_t visited = 0;
    for (const std::string& text : arena) {
        REQUIRE(&text == addresses[visited]);
        REQUIRE(text.starts_with(std::to_string(visited)));
        ++visited;
    }
    CHECK(visited == 200);
    CHECK(std::count_if(arena.begin(), arena.end(), [](const std::string& text) { return text.starts_with("7"); }) == 11);
    CHECK(arena.broken_invariant() == nullptr);
}

TEST_CASE("an empty row has nothing to visit") {
    FailingSource source;
    TypedArena<int> arena{source};
    CHECK(arena.begin() == arena.end());
    arena.create(1);
    arena.clear();
    CHECK(arena.begin() == arena.end());
    CHECK(arena.empty());
}

TEST_CASE("a rewind destroys what is newer, the newest first") {
    FailingSource source;
    Item::deaths.clear();
    TypedArena<Item> arena{source, {.first_chunk_bytes = 64 + 3 * sizeof(Item), .largest_chunk_bytes = 128}};
    arena.create(1);
    const auto mark = arena.mark();
    for (int name = 2; name < 60; ++name) {
        arena.create(name);
    }
    arena.rewind(mark);
    CHECK(Item::deaths.size() == 58);
    CHECK(std::is_sorted(Item::deaths.rbegin(), Item::deaths.rend()));
    CHECK(arena.begin()->name == 1);
    CHECK(arena.broken_invariant() == nullptr);
    arena.create(100);
    CHECK(arena.size() == 2);
}

TEST_CASE("chunks are kept by clear and returned by trim") {
    FailingSource source;
    TypedArena<long> arena{source, {.first_chunk_bytes = 256}};
    for (int round = 0; round < 3; ++round) {
        for (long value = 0; value < 1000; ++value) {
            arena.create(value);
        }
        arena.clear();
    }
    CHECK(source.requests() <= 8);
    CHECK(arena.trim() > 0);
    CHECK(source.outstanding() == 0);
}

TEST_CASE("objects may be moved out of the arena before it is cleared") {
    FailingSource source;
    TypedArena<std::string> arena{source};
    arena.create("one that is too long for the small buffer");
    arena.create("two");
    std::vector<std::string> kept;
    arena.drain([&](std::string&& text) { kept.push_back(std::move(text)); });
    CHECK(kept == std::vector<std::string>{"one that is too long for the small buffer", "two"});
    CHECK(arena.empty());
}

TEST_CASE("random making and rewinding agrees with a model") {
    FailingSource source;
    test::Random random;
    TypedArena<long> arena{source, {.first_chunk_bytes = 128, .largest_chunk_bytes = 300}};
    std::vector<long> model;
    std::vector<std::pair<TypedArena<long>::Mark, std::size_t>> marks;
    for (int step = 0; step < 20'000; ++step) {
        if (random.below(10) < 7) {
            model.push_back(static_cast<long>(random.next() >> 1));
            arena.create(model.back());
        } else if (random.one_in(2)) {
            marks.emplace_back(arena.mark(), model.size());
        } else if (!marks.empty()) {
            marks.resize(random.between(1, marks.size()));
            arena.rewind(marks.back().first);
            model.resize(marks.back().second);
            marks.pop_back();
        }
        REQUIRE(arena.size() == model.size());
        if (random.one_in(50)) {
            REQUIRE(std::equal(arena.begin(), arena.end(), model.begin(), model.end()));
            REQUIRE(arena.broken_invariant() == nullptr);
        }
    }
}

TEST_CASE("memory that runs out at any step leaves nothing behind") {
    test::fail_at_every_step([](FailingSource& source) {
        TypedArena<long> arena{source, {.first_chunk_bytes = 128, .largest_chunk_bytes = 128}};
        for (long value = 0; value < 100; ++value) {
            if (arena.try_create(value) == nullptr) {
                CHECK(arena.size() == static_cast<std::size_t>(value));
                CHECK(arena.broken_invariant() == nullptr);
                return false;
            }
        }
        return true;
    });
}

}  // namespace
}  // namespace heapwright
