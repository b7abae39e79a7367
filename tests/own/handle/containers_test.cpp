#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/own/handle/block.hpp>
#include <heapwright/own/handle/box.hpp>
#include <heapwright/own/handle/string.hpp>
#include <heapwright/own/handle/vector.hpp>

namespace heapwright::test {

TEST_CASE("a vector grows, shrinks and moves, and keeps its elements in order") {
    MovableHeapOptions options;
    options.stress = 1;
    MovableHeap heap(options);
    MovableVector<std::uint32_t> numbers;
    CHECK(numbers.empty());
    CHECK(numbers.pin().span().empty());
    for (std::uint32_t i = 0; i < 3000; ++i) {
        REQUIRE(numbers.push_back(heap, i));
    }
    REQUIRE(heap.move_everything());
    CHECK(numbers.size() == 3000);
    {
        const Borrow borrow(heap);
        std::uint32_t expected = 0;
        for (const std::uint32_t number : numbers.in(borrow)) {
            REQUIRE(number == expected++);
        }
        CHECK(expected == 3000);
    }
    const std::uint32_t more[] = {7, 8, 9};
    REQUIRE(numbers.append(heap, more));
    CHECK(numbers.pin()[3002] == 9);
    numbers.pop_back();
    numbers.truncate(10);
    CHECK(numbers.size() == 10);
    const std::size_t before = numbers.capacity();
    REQUIRE(numbers.shrink_to_fit(heap));
    CHECK(numbers.capacity() < before);
    REQUIRE(numbers.reserve(heap, 100'000));
    CHECK(numbers.capacity() >= 100'000);
    REQUIRE(numbers.resize(heap, 20));
    CHECK(numbers.pin()[9] == 9);
    CHECK(numbers.pin()[19] == 0);
    REQUIRE(numbers.resize(heap, 0));
    REQUIRE(numbers.shrink_to_fit(heap));
    CHECK(heap.stats().live_objects == 0);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("elements with move constructors are moved by them, when the vector grows and when it is moved") {
    MovableHeapOptions options;
    options.stress = 1;
    MovableHeap heap(options);
    {
        MovableVector<std::string> words;
        MovableVector<MovableBox<int>> boxes;
        MovableVector<Handle<int>> handles;
        for (int i = 0; i < 300; ++i) {
            REQUIRE(words.push_back(heap, std::to_string(i)));
            REQUIRE(boxes.push_back(heap, *make_box<int>(heap, i)));
            REQUIRE(handles.push_back(heap, *make_handle<int>(heap, -i)));
        }
        REQUIRE(heap.move_everything());
        const Borrow borrow(heap);
        for (int i = 0; i < 300; ++i) {
            const auto index = static_cast<std::size_t>(i);
            REQUIRE(words.in(borrow)[index] == std::to_string(i));
            REQUIRE(borrow[boxes.in(borrow)[index]] == i);
            REQUIRE(borrow[handles.in(borrow)[index]] == -i);
        }
    }
    CHECK(heap.stats().live_objects == 0);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("vectors of vectors are moved as bytes") {
    MovableHeap heap;
    MovableVector<MovableVector<int>> rows;
    for (int row = 0; row < 50; ++row) {
        MovableVector<int> cells;
        for (int cell = 0; cell < row; ++cell) {
            REQUIRE(cells.push_back(heap, row * cell));
        }
        REQUIRE(rows.push_back(heap, std::move(cells)));
    }
    REQUIRE(heap.move_everything());
    const Borrow borrow(heap);
    CHECK(rows.in(borrow)[49].in(borrow)[48] == 49 * 48);
    CHECK(rows.in(borrow)[0].in(borrow).empty());
}

TEST_CASE("a block is bytes with one owner, which may be moved itself") {
    MovableHeapOptions options;
    options.stress = 1;
    MovableHeap heap(options);
    std::vector<MovableBlock> blocks;
    for (std::size_t i = 0; i < 200; ++i) {
        blocks.push_back(*make_block(heap, i * 7));
        CHECK(static_cast<bool>(blocks.back()) == (i != 0));
        const Borrow borrow(heap);
        std::ranges::fill(blocks.back().in(borrow), static_cast<std::byte>(i));
    }
    std::swap(blocks[3], blocks[4]);
    std::swap(blocks[3], blocks[4]);
    auto pin = blocks[100].pin();
    const std::byte* const place = pin.get();
    REQUIRE(heap.move_everything());
    CHECK(pin.get() == place);
    CHECK(heap.broken_invariant() == nullptr);
    {
        const Borrow borrow(heap);
        for (std::size_t i = 0; i < blocks.size(); ++i) {
            const auto bytes = blocks[i].in(borrow);
            REQUIRE(bytes.size() == i * 7);
            REQUIRE(std::ranges::count(bytes, static_cast<std::byte>(i)) == static_cast<std::ptrdiff_t>(bytes.size()));
        }
    }
    pin = {};
    CHECK(blocks[5].emplace(heap, 0));
    CHECK_FALSE(blocks[5]);
    CHECK(blocks[6].emplace(heap, SIZE_MAX).error().kind == Errc::overflow);
    blocks.clear();
    CHECK(heap.stats().live_objects == 0);
}

TEST_CASE("what is refused leaves a vector and a string as they were") {
    MovableHeapOptions options;
    options.limit_bytes = std::size_t{1} << 20;
    MovableHeap heap(options);
    MovableVector<int> numbers;
    REQUIRE(numbers.push_back(heap, 1));
    CHECK(numbers.reserve(heap, std::size_t{1} << 20).error().kind == Errc::limit_reached);
    CHECK(numbers.reserve(heap, SIZE_MAX).error().kind == Errc::overflow);
    CHECK(numbers.resize(heap, SIZE_MAX).error().kind == Errc::overflow);
    CHECK(numbers.pin().span().size() == 1);
    MovableString text;
    REQUIRE(text.assign(heap, "kept"));
    CHECK(text.append(heap, std::string(std::size_t{2} << 20, 'x')).error().kind == Errc::limit_reached);
    CHECK(text.assign(heap, std::string(std::size_t{2} << 20, 'x')).error().kind == Errc::limit_reached);
    const Borrow borrow(heap);
    CHECK(text.in(borrow) == "kept");
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("a string is its letters and a zero") {
    MovableHeapOptions options;
    options.stress = 1;
    MovableHeap heap(options);
    MovableString text;
    {
        const Borrow borrow(heap);
        CHECK(text.in(borrow).empty());
        CHECK(std::string(text.c_str(borrow)).empty());
    }
    std::string model;
    for (int i = 0; i < 500; ++i) {
        REQUIRE(text.append(heap, std::to_string(i)));
        model += std::to_string(i);
    }
    REQUIRE(heap.move_everything());
    CHECK(text.size() == model.size());
    MovableString moved = std::move(text);
    CHECK(text.empty());
    {
        const Borrow borrow(heap);
        CHECK(moved.in(borrow) == model);
        CHECK(model == moved.c_str(borrow));
    }
    CHECK(moved.pin().span().size() == model.size() + 1);
    REQUIRE(moved.assign(heap, "short"));
    {
        const Borrow borrow(heap);
        CHECK(moved.in(borrow) == "short");
    }
    moved.clear();
    CHECK(heap.stats().live_objects == 0);
}

}  // namespace heapwright::test
