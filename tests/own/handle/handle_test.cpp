#include <heapwright/own/handle/handle.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/own/handle/box.hpp>

#include <tests/support/death.hpp>

namespace heapwright::test {

namespace {

/// Points at itself, counts itself: wrong as soon as it is moved as bytes.
struct Self {
    explicit Self(int its_value) noexcept : self(this), value(its_value) { ++live; }
    Self(Self&& other) noexcept : self(this), value(std::exchange(other.value, -1)) {
        ++live;
        ++moves;
    }
    Self& operator=(Self&&) = delete;
    Self(const Self&) = delete;
    Self& operator=(const Self&) = delete;
    ~Self() { --live; }
    [[nodiscard]] bool is(int expected) const noexcept { return self == this && value == expected; }
    Self* self;
    int value;
    inline static int live = 0;
    inline static int moves = 0;
};

struct Node {
    explicit Node(int its_value) noexcept : value(its_value) {}
    int value;
    MovableBox<Node> next;
    Handle<Node> child;
};

struct alignas(64) Wide {
    explicit Wide(std::uint64_t its_value) noexcept : value(its_value) {}
    std::uint64_t value;
};

struct Throws {
    Throws() { throw std::runtime_error("as it does"); }
};

}  // namespace

TEST_CASE("an object with a move constructor is moved by it, and ends where it is") {
    Self::moves = 0;
    {
        MovableHeap heap;
        auto handle = *make_handle<Self>(heap, 7);
        auto box = *make_box<Self>(heap, 8);
        const void* const before = handle.pin().get();
        REQUIRE(heap.move_everything());
        CHECK(Self::moves == 2);
        CHECK(Self::live == 2);
        CHECK(handle.pin().get() != before);
        CHECK(handle.pin()->is(7));
        CHECK(box.pin()->is(8));
        CHECK(heap.broken_invariant() == nullptr);
    }
    CHECK(Self::live == 0);
}

TEST_CASE("short strings of the standard library, which point at themselves, survive moves") {
    MovableHeap heap;
    auto handle = *make_handle<std::string>(heap, "short");
    auto box = *make_box<std::string>(heap, std::string(100, 'x'));
    for (int i = 0; i < 10; ++i) {
        REQUIRE(heap.move_everything());
    }
    const Borrow borrow(heap);
    CHECK(borrow[handle] == "short");
    CHECK(borrow[box] == std::string(100, 'x'));
}

TEST_CASE("boxes and handles inside of moved objects go on owning what they own") {
    MovableHeap heap;
    auto head = *make_box<Node>(heap, 0);
    for (int i = 1; i < 500; ++i) {
        auto node = *make_box<Node>(heap, i);
        auto pin = node.pin();
        pin->next = std::move(head);
        pin->child = *make_handle<Node>(heap, -i);
        head = std::move(node);
        if (i % 100 == 0) {
            pin = {};
            REQUIRE(heap.move_everything());
        }
    }
    CHECK(heap.broken_invariant() == nullptr);
    REQUIRE(heap.compact());
    {
        const Borrow borrow(heap);
        int expected = 499;
        for (const MovableBox<Node>* at = &head; *at; at = &borrow[*at].next, --expected) {
            REQUIRE(borrow[*at].value == expected);
            REQUIRE((expected == 0 || borrow[borrow[*at].child].value == -expected));
        }
        CHECK(expected == -1);
    }
    // Taken apart from its head: a chain is not destroyed by recursion here.
    while (head) {
        MovableBox<Node> next = std::move(head.pin()->next);
        head = std::move(next);
    }
    CHECK(heap.stats().live_objects == 0);
}

TEST_CASE("moved, swapped and assigned handles and boxes own what the others did") {
    MovableHeap heap;
    auto first = *make_handle<int>(heap, 1);
    auto second = *make_handle<int>(heap, 2);
    swap(first, second);
    CHECK(*first.pin() == 2);
    first = std::move(second);
    CHECK_FALSE(second);
    CHECK(*first.pin() == 1);
    CHECK(heap.stats().live_objects == 1);
    auto box = *make_box<int>(heap, 3);
    MovableBox<int> other = std::move(box);
    CHECK_FALSE(box);
    CHECK(box.try_pin().error().kind == Errc::not_found);
    CHECK(second.try_pin().error().kind == Errc::not_found);
    box = *make_box<int>(heap, 4);
    std::swap(box, other);
    CHECK(*box.pin() == 3);
    CHECK(*other.pin() == 4);
    std::vector<MovableBox<int>> many;
    for (int i = 0; i < 1000; ++i) {
        many.push_back(*make_box<int>(heap, i));  // growing moves the boxes
    }
    REQUIRE(heap.move_everything());
    for (int i = 0; i < 1000; ++i) {
        REQUIRE(*many[static_cast<std::size_t>(i)].pin() == i);
    }
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("references of a handle follow its object") {
    MovableHeap heap;
    auto handle = *make_handle<Node>(heap, 5);
    const HandleRef<Node> ref(handle);
    CHECK(ref == HandleRef<Node>(handle));
    REQUIRE(heap.move_everything());
    {
        const Borrow borrow(heap);
        CHECK(&borrow[ref] == &borrow[handle]);
    }
    Handle<Node> moved = std::move(handle);
    CHECK(ref.pin()->value == 5);
    CHECK_FALSE(HandleRef<Node>());
}

TEST_CASE("pins are counted: an object stays until the last is gone, and there is an end to them") {
    MovableHeap heap;
    auto handle = *make_handle<int>(heap, 1);
    std::vector<Pin<int>> pins;
    Result<Pin<int>> pin;
    while ((pin = handle.try_pin())) {
        pins.push_back(std::move(*pin));
    }
    CHECK(pin.error() == Error{.kind = Errc::limit_reached, .number = 1022});
    CHECK(pins.size() == 1022);
    int* const place = pins[0].get();
    pins.resize(1);
    REQUIRE(heap.move_everything());
    CHECK(handle.pin().get() == place);
    pins.clear();
    REQUIRE(heap.move_everything());
    CHECK(handle.pin().get() != place);
}

TEST_CASE("over-aligned objects are aligned, wherever they move") {
    MovableHeap heap;
    std::vector<Handle<Wide>> all;
    for (std::uint64_t i = 0; i < 5000; ++i) {
        all.push_back(*make_handle<Wide>(heap, i));
    }
    for (std::size_t i = 0; i < all.size(); i += 3) {
        all[i].reset();
    }
    REQUIRE(heap.compact());
    const Borrow borrow(heap);
    for (std::size_t i = 1; i < all.size(); i += 3) {
        REQUIRE(reinterpret_cast<std::uintptr_t>(&borrow[all[i]]) % 64 == 0);
        REQUIRE(borrow[all[i]].value == i);
    }
}

TEST_CASE("an object whose constructor throws was never there") {
    MovableHeap heap;
    CHECK_THROWS_AS(static_cast<void>(make_handle<Throws>(heap)), std::runtime_error);
    CHECK_THROWS_AS(static_cast<void>(make_box<Throws>(heap)), std::runtime_error);
    CHECK(heap.stats().live_objects == 0);
    CHECK(heap.stats().names == 0);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("a constructor that makes others in the same heap is not moved while it runs, even if everything else is") {
    struct Parent {
        explicit Parent(MovableHeap& heap) noexcept : self(this), child(*make_handle<int>(heap, 1)), other(*make_box<int>(heap, 2)) {}
        Parent(Parent&& from) noexcept : self(this), child(std::move(from.child)), other(std::move(from.other)) {}
        ~Parent() = default;
        Parent* self;
        Handle<int> child;
        MovableBox<int> other;
    };
    MovableHeapOptions options;
    options.stress = 1;
    MovableHeap heap(options);
    auto parent = *make_handle<Parent>(heap, heap);
    CHECK(parent.pin()->self == parent.pin().get());
    REQUIRE(heap.move_everything());
    CHECK(*parent.pin()->child.pin() == 1);
    CHECK(*parent.pin()->other.pin() == 2);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("a move constructor that allocates from its heap stops the program") {
    const Death death = death_of([] {
        static MovableHeap* the_heap = nullptr;
        struct Wrong {
            Wrong() = default;
            Wrong(Wrong&& /*other*/) noexcept { static_cast<void>(make_handle<int>(*the_heap, 1)); }
            ~Wrong() {}
        };
        MovableHeap heap;
        the_heap = &heap;
        auto wrong = *make_handle<Wrong>(heap);
        heap.move_everything();
    });
    CHECK(death.died);
    CHECK(said(death, "a move constructor allocates from the heap that moves its object"));
}

}  // namespace heapwright::test
