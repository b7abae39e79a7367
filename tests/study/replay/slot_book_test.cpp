#include <heapwright/study/replay/slot_book.hpp>

#include <set>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

namespace heapwright::test {

using study::SlotBook;

TEST_CASE("a slot given back is used again by the same lane at once") {
    SlotBook book;
    const std::uint32_t first = book.take(0);
    book.give_back(0, first);
    CHECK(book.take(0) == first);
    CHECK(book.count() == 1);
}

TEST_CASE("another lane gets it only after the epoch") {
    SlotBook book;
    const std::uint32_t first = book.take(0);
    book.give_back(0, first);
    CHECK(book.take(1) != first);
    book.give_back(1, 1);
    book.end_epoch();
    const std::set<std::uint32_t> again{book.take(2), book.take(2)};
    CHECK(again == std::set<std::uint32_t>{0, 1});
}

TEST_CASE("no slot is given to two owners, and none is lost") {
    SlotBook book;
    Random random;
    std::set<std::uint32_t> taken;
    for (int step = 0; step < 20'000; ++step) {
        const auto lane = static_cast<std::uint32_t>(random.below(5));
        if (taken.empty() || random.below(3) != 0) {
            REQUIRE(taken.insert(book.take(lane)).second);
        } else {
            const std::uint32_t slot = *taken.begin();
            taken.erase(taken.begin());
            book.give_back(lane, slot);
        }
        if (random.one_in(50)) {
            book.end_epoch();
        }
        REQUIRE(book.count() == taken.size() + book.free_slots());
        if (step % 1000 == 0) {
            REQUIRE(book.broken_invariant() == nullptr);
        }
    }
}

}  // namespace heapwright::test
