// What stays where it is: pinned objects, boxes of them, pairs of an owner and its dependent, pointers that may own.
#include <heapwright/own/cell/pinned.hpp>

#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/own/cell/maybe_owned.hpp>
#include <heapwright/own/cell/self_ref.hpp>

#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

/// Knows its own address, as whatever is linked into a list or holds a lock does.
struct Anchored {
    explicit Anchored(int n, bool fails = false) : value(n), self(this) {
        if (fails) {
            throw std::runtime_error("told to");
        }
        ++alive;
    }
    Anchored(const Anchored&) = delete;
    Anchored& operator=(const Anchored&) = delete;
    ~Anchored() { --alive; }
    int value;
    Anchored* self;
    static inline int alive = 0;
};

static_assert(!std::is_copy_constructible_v<Pinned<int>> && !std::is_move_constructible_v<Pinned<int>>);
static_assert(!std::is_copy_assignable_v<Pinned<int>> && !std::is_move_assignable_v<Pinned<int>>);
static_assert(!std::is_copy_constructible_v<PinnedBox<int>> && std::is_nothrow_move_constructible_v<PinnedBox<int>>);

Pinned<Anchored> make_anchored(int value) { return pin<Anchored>(value); }

TEST_CASE("a pinned object is built where the caller of the caller puts it") {
    const Pinned<Anchored> here = make_anchored(3);
    CHECK(here->self == &*here);
    CHECK((*here).value == 3);
    const Pinned<Anchored> from_function{[] { return Anchored{4}; }};
    CHECK(from_function->self == &*from_function);
    struct Holder {
        Pinned<Anchored> member = make_anchored(5);
    } const holder;
    CHECK(holder.member->self == &*holder.member);
}

TEST_CASE("a box moves and its object does not") {
    FailingSource source;
    {
        PinnedBox<Anchored> box = make_pinned<Anchored>(source, 1);
        Anchored* const there = box.get();
        CHECK(box->self == there);
        std::vector<PinnedBox<Anchored>> boxes;
        boxes.push_back(std::move(box));
        CHECK(!box);  // NOLINT(bugprone-use-after-move): that it is empty is the promise
        for (int number = 2; number < 50; ++number) {
            boxes.push_back(make_pinned<Anchored>(source, number));
        }
        std::ranges::reverse(boxes);
        CHECK(boxes.back().get() == there);
        CHECK(std::ranges::all_of(boxes, [](const auto& each) { return each->self == each.get(); }));
        boxes.back() = std::move(boxes.front());
        CHECK(boxes.back()->value == 49);
        boxes.back().reset();
        CHECK(boxes.back().get() == nullptr);
        CHECK(Anchored::alive == 47);
    }
    CHECK(Anchored::alive == 0);
    CHECK(source.outstanding() == 0);
}

TEST_CASE("a refused block and a constructor that throws leave nothing behind") {
    test::fail_at_every_step([](FailingSource& source) {
        const PinnedBox<Anchored> box = try_make_pinned<Anchored>(source, 1);
        return static_cast<bool>(box);
    });
    FailingSource source;
    CHECK_THROWS_AS(static_cast<void>(try_make_pinned<Anchored>(source, 1, true)), std::runtime_error);
    CHECK(source.outstanding() == 0);
}

using Words = std::vector<std::string_view>;
using Line = SelfRef<std::string, Words>;

Words split(std::string_view text) {
    Words words;
    while (!text.empty()) {
        const std::size_t space = std::min(text.find(' '), text.size());
        words.push_back(text.substr(0, space));
        text.remove_prefix(std::min(space + 1, text.size()));
    }
    return words;
}

TEST_CASE("a dependent keeps pointing into its owner wherever the pair goes, short texts included") {
    FailingSource source;
    {
        Line line = Line::make(source, "to be or", [](const std::string& text) { return split(text); });
        std::vector<Line> lines;
        lines.push_back(std::move(line));
        lines.push_back(Line::make(source, "not to be", [](const std::string& text) { return split(text); }));
        CHECK(lines[0].dependent() == Words{"to", "be", "or"});
        CHECK(lines[0].dependent()[0].data() == lines[0].owner().data());
        CHECK(std::move(lines[1]).into_owner() == "not to be");
        CHECK(!lines[1]);
        lines.clear();
        CHECK(source.outstanding() == 0);
        const Line nothing;
        CHECK(!nothing);
    }
}

TEST_CASE("the dependent ends before its owner, and neither is left when a block is refused or building one throws") {
    static std::string order;
    struct Owner {
        Owner() = default;
        Owner(const Owner&) = delete;
        Owner& operator=(const Owner&) = delete;
        ~Owner() { order += "owner "; }
    };
    struct Dependent {
        explicit Dependent(const Owner& owner) : of(&owner) {}
        Dependent(const Dependent&) = delete;
        Dependent& operator=(const Dependent&) = delete;
        ~Dependent() { order += "dependent "; }
        const Owner* of;
    };
    using Pair = SelfRef<Owner, Dependent>;
    const auto make = [](SourceRef source, bool fails) {
        return Pair::try_make_from(
            source, [] { return Owner{}; },
            [fails](const Owner& owner) {
                if (fails) {
                    throw std::runtime_error("told to");
                }
                return Dependent{owner};
            });
    };
    test::fail_at_every_step([&](FailingSource& source) {
        order.clear();
        return static_cast<bool>(make(source, false));
    });
    CHECK(order == "dependent owner ");
    order.clear();
    FailingSource source;
    CHECK_THROWS_AS(make(source, true), std::runtime_error);
    CHECK(order == "owner ");
    CHECK(source.outstanding() == 0);
}

struct SplitWords {
    Words operator()(const std::string& text) const { return split(text); }
};

TEST_CASE("a pair without a block builds its dependent anew at each copy and move") {
    using Local = LocalSelfRef<std::string, SplitWords>;
    const auto is_right = [](const Local& local, std::size_t words) {
        return local.dependent().size() == words && std::ranges::all_of(local.dependent(), [&](std::string_view word) {
                   return word.data() >= local.owner().data() && word.data() + word.size() <= local.owner().data() + local.owner().size();
               });
    };
    Local first{std::in_place, "a b c"};
    Local copy = first;
    CHECK(is_right(first, 3));
    CHECK(is_right(copy, 3));
    Local moved = std::move(first);
    CHECK(is_right(moved, 3));
    CHECK(is_right(first, split(first.owner()).size()));  // NOLINT(bugprone-use-after-move): its words must not dangle
    copy.update([](std::string& text) { text += " and some more words that do not fit in place"; });
    CHECK(is_right(copy, 13));
    moved = copy;
    CHECK(is_right(moved, 13));
    moved = std::move(copy);
    CHECK(is_right(moved, 13));
}

TEST_CASE("what is owned ends with its pointer, what was lent does not") {
    FailingSource source;
    Anchored::alive = 0;
    Anchored lent{1};
    {
        const auto borrowed = MaybeOwned<Anchored>::borrow(lent);
        auto owned = MaybeOwned<Anchored>::make(2);
        CHECK(borrowed.is_borrowed());
        CHECK(!borrowed.is_owned());
        CHECK(owned.is_owned());
        CHECK(owned->value + borrowed->value == 3);
        CHECK(Anchored::alive == 2);
        auto again = owned.reborrow();
        CHECK(again.get() == owned.get());
        CHECK(again.is_borrowed());
        owned = MaybeOwned<Anchored>{std::make_unique<Anchored>(3)};
        CHECK(Anchored::alive == 2);
        auto moved = std::move(owned);
        CHECK(!owned);  // NOLINT(bugprone-use-after-move): that it is empty is the promise
        CHECK(!owned.is_borrowed());
        CHECK((*moved).value == 3);
        CHECK(moved.broken_invariant() == nullptr);
        const std::unique_ptr<Anchored> back = std::move(moved).into_owner();
        CHECK(back->value == 3);
        CHECK(MaybeOwned<Anchored>::borrow(lent).into_owner() == nullptr);
    }
    CHECK(Anchored::alive == 1);
    CHECK(!MaybeOwned<Anchored>{std::unique_ptr<Anchored>{}}.is_owned());
}

TEST_CASE("an address of any alignment can be lent or owned") {
    const auto letter = std::make_unique<char>('x');
    auto borrowed = MaybeOwned<char>::borrow(*letter);
    CHECK(*borrowed == 'x');
    borrowed = MaybeOwned<char>::make('y');
    CHECK(*borrowed == 'y');
    CHECK(borrowed.is_owned());
}

TEST_CASE("a deleter with state comes along") {
    int ended = 0;
    const auto count = [&ended](const int* object) {
        ++ended;
        delete object;
    };
    using Owned = MaybeOwned<int, std::function<void(int*)>>;
    {
        Owned one{std::unique_ptr<int, std::function<void(int*)>>{new int{1}, count}};
        Owned two{std::unique_ptr<int, std::function<void(int*)>>{new int{2}, count}};
        one = std::move(two);
        CHECK(ended == 1);
        CHECK(*one == 2);
    }
    CHECK(ended == 2);
}

}  // namespace
}  // namespace heapwright
