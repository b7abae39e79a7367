// What room for objects promises, and who destroys what when a constructor throws.
#include <heapwright/own/cell/uninit.hpp>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/report.hpp>

#include <tests/support/death.hpp>

namespace heapwright {
namespace {

/// Writes down its life, and throws when its number is the one to throw at.
struct Tracked {
    static inline std::vector<int> ended;
    static inline int alive = 0;
    static inline int throw_at = -1;

    explicit Tracked(int n) : number(n) {
        if (n == throw_at) {
            throw std::runtime_error("told to");
        }
        ++alive;
    }
    Tracked(const Tracked& other) : Tracked(other.number) {}
    Tracked& operator=(const Tracked&) = delete;
    ~Tracked() {
        --alive;
        ended.push_back(number);
    }
    int number;

    static void restart(int at) {
        ended.clear();
        alive = 0;
        throw_at = at;
    }
};

/// Stays where it is made, so only a call can make one in its place.
struct Immovable {
    explicit Immovable(int n) : value(n), self(this) {}
    Immovable(const Immovable&) = delete;
    Immovable& operator=(const Immovable&) = delete;
    ~Immovable() = default;
    int value;
    Immovable* self;
};

TEST_CASE("room builds nothing and ends nothing by itself") {
    Tracked::restart(-1);
    {
        Uninit<Tracked> room;
        CHECK(Tracked::alive == 0);
        room.construct(4);
        CHECK(room->number == 4);
        CHECK((*room).number == 4);
        CHECK(Tracked::alive == 1);
        room.destroy();
        CHECK(Tracked::ended == std::vector{4});
        room.construct(5);
    }
    CHECK(Tracked::alive == 1);  // nobody was told to end it
}

TEST_CASE("taking the object out ends what is left of it") {
    Uninit<std::string> room;
    room.construct(std::size_t{100}, 'x');
    const std::string taken = room.take();
    CHECK(taken == std::string(100, 'x'));
    room.construct("again");
    CHECK(room.take() == "again");
}

TEST_CASE("what a function returns is built in its place") {
    Uninit<Immovable> room;
    const Immovable& made = room.construct_from([] { return Immovable{7}; });
    CHECK(made.value == 7);
    CHECK(made.self == room.place());
    room.destroy();
}

TEST_CASE("debug builds show what was never built and what has ended") {
#ifndef NDEBUG
    Uninit<std::uint32_t> room;
    std::uint32_t seen = 0;
    __builtin_memcpy(&seen, room.place(), sizeof(seen));
    CHECK(seen == 0xCBCBCBCB);
    room.construct(7U);
    room.destroy();
    __builtin_memcpy(&seen, room.place(), sizeof(seen));
    CHECK(seen == 0xDFDFDFDF);
#endif
}

constexpr int sum_in_constant_expression() {
    Uninit<int> room;
    room.construct(5);
    int row[4];
    const int* const first = construct_array_guarded(row, 4);
    const int before = first[0] + first[3];
    return before + room.take();
}
static_assert(sum_in_constant_expression() == 5);

TEST_CASE("a row is built from the first to the last, and ended from the last to the first") {
    Tracked::restart(-1);
    Uninit<std::array<Tracked, 4>> room;
    auto* const row = reinterpret_cast<Tracked*>(room.place());
    CHECK(construct_array_guarded(row, 4, [](std::size_t index) { return Tracked{static_cast<int>(index)}; }) == row);
    CHECK(Tracked::alive == 4);
    CHECK(row[3].number == 3);
    destroy_array(row, 4);
    CHECK(Tracked::ended == std::vector{3, 2, 1, 0});
    CHECK(Tracked::alive == 0);
}

TEST_CASE("when a constructor throws at any place of the row, what was built is ended in reverse and nothing else") {
    for (int at = 0; at < 6; ++at) {
        Tracked::restart(at);
        alignas(Tracked) std::byte room[6 * sizeof(Tracked)];
        auto* const row = reinterpret_cast<Tracked*>(room);
        CHECK_THROWS_AS(construct_array_guarded(row, 6, [](std::size_t index) { return Tracked{static_cast<int>(index)}; }),
                        std::runtime_error);
        CHECK(Tracked::alive == 0);
        std::vector<int> reversed;
        for (int number = at - 1; number >= 0; --number) {
            reversed.push_back(number);
        }
        CHECK(Tracked::ended == reversed);
    }
}

TEST_CASE("copies of a row are guarded as well, and the row copied from is untouched") {
    Tracked::restart(-1);
    const std::vector<Tracked> from(3, Tracked{9});
    Tracked::restart(9);
    Tracked::alive = 3;
    alignas(Tracked) std::byte room[3 * sizeof(Tracked)];
    CHECK_THROWS_AS(construct_array_guarded(reinterpret_cast<Tracked*>(room), from.data(), 3), std::runtime_error);
    CHECK(Tracked::alive == 3);
    Tracked::throw_at = -1;
    Tracked* const row = construct_array_guarded(reinterpret_cast<Tracked*>(room), from.data(), 3);
    CHECK(row[2].number == 9);
    destroy_array(row, 3);
}

TEST_CASE("a row of no objects is fine, and one too long stops the program") {
    CHECK(construct_array_guarded(static_cast<Tracked*>(nullptr), 0, [](std::size_t) { return Tracked{1}; }) == nullptr);
    const auto death = test::death_of([] {
        os::report_failures_to_stderr();
        int row[2];
        ArrayGuard<int> guard{row, 2};
        for (int number = 0; number < 3; ++number) {
            guard.emplace(number);
        }
    });
    CHECK(test::said(death, "a row of objects is full"));
    int row[2];
    ArrayGuard<int> guard{row, 2};
    guard.emplace(1);
    CHECK(guard.built() == 1);
    CHECK(guard.broken_invariant() == nullptr);
    CHECK(guard.finish() == row);
}

}  // namespace
}  // namespace heapwright
