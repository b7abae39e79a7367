// Poison hooks: seen by ASan where it is on, harmless where nothing listens.
#include <heapwright/base/poison.hpp>

#include <doctest/doctest.h>

#include <tests/support/death.hpp>

namespace heapwright {

TEST_CASE("poisoned bytes are known to the tool that can say so, and only they") {
    alignas(16) static char room[64];
    poison(room + 16, 32);
    CHECK(is_poisoned(room, 64) == kPoisoning);
    CHECK(is_poisoned(room + 16, 1) == kPoisoning);
    CHECK_FALSE(is_poisoned(room, 16));
    CHECK_FALSE(is_poisoned(room + 48, 16));
    unpoison(room + 16, 32);
    CHECK_FALSE(is_poisoned(room, 64));
}

TEST_CASE("bytes that are unpoisoned as defined keep what they held") {
    alignas(16) static char room[32] = "kept";
    poison(room, 32);
    unpoison_defined(room, 32);
    CHECK(room[0] == 'k');
    CHECK(room[3] == 't');
}

TEST_CASE("touching poisoned bytes ends the program under ASan" * doctest::skip(!kPoisoning)) {
    const auto death = test::death_of([] {
        alignas(16) static char room[32];
        poison(room, 32);
        char* hidden = room;
        asm volatile("" : "+r"(hidden));  // else the compiler knows the access to be in bounds and leaves it unchecked
        *static_cast<volatile char*>(hidden + 8) = 'x';
    });
    CHECK(death.died);
    CHECK(test::said(death, "use-after-poison"));
}

}  // namespace heapwright
