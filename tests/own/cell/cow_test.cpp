// What a Cow promises: nothing is copied before the first write, and nothing after it.
#include <heapwright/own/cell/cow.hpp>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/own/cell/cow_hosted.hpp>

namespace heapwright {
namespace {

struct Counted {
    int value = 0;
    static inline int copies = 0;
    static inline bool fails = false;
    Counted() = default;
    explicit Counted(int n) : value(n) {}
    Counted(const Counted& other) : value(other.value) {
        if (fails) {
            throw std::runtime_error("told to");
        }
        ++copies;
    }
    Counted(Counted&& other) noexcept : value(std::exchange(other.value, -1)) {}
    Counted& operator=(const Counted&) = default;
    Counted& operator=(Counted&&) = default;
    ~Counted() = default;
    friend bool operator==(const Counted& left, const Counted& right) { return left.value == right.value; }
};

TEST_CASE("a borrowed value is copied at the first write and never again") {
    Counted::copies = 0;
    const Counted original{5};
    auto cow = Cow<Counted>::borrow(original);
    CHECK(cow.is_borrowed());
    CHECK(&*cow == &original);
    CHECK(cow->value == 5);
    CHECK(Counted::copies == 0);
    cow.to_mut().value = 6;
    CHECK(cow.is_owned());
    cow.to_mut().value += 1;
    CHECK(Counted::copies == 1);
    CHECK(cow->value == 7);
    CHECK(original.value == 5);
    const Counted out = std::move(cow).into_owned();
    CHECK(out.value == 7);
    CHECK(Counted::copies == 1);  // moved out
    CHECK(Cow<Counted>::borrow(original).into_owned().value == 5);
    CHECK(Counted::copies == 2);
}

TEST_CASE("copies of a borrowed one are borrowed, copies of an owned one are copies") {
    Counted::copies = 0;
    const Counted original{1};
    const auto borrowed = Cow<Counted>::borrow(original);
    const auto second = borrowed;
    CHECK(second.is_borrowed());
    CHECK(Counted::copies == 0);
    auto owned = Cow<Counted>::own(Counted{2});
    auto copy = owned;
    CHECK(Counted::copies == 1);
    CHECK(copy.is_owned());
    auto moved = std::move(owned);
    CHECK(moved->value == 2);
    CHECK(Counted::copies == 1);
    const auto reborrowed = moved.reborrow();
    CHECK(reborrowed.is_borrowed());
    CHECK(&*reborrowed == &*moved);
    // Each way round of assignment.
    copy = borrowed;
    CHECK(&*copy == &original);
    copy = moved;
    CHECK(copy->value == 2);
    copy = Cow<Counted>::own(Counted{3});
    CHECK(copy->value == 3);
    copy = Cow<Counted>::borrow(original);
    copy = Cow<Counted>::own(Counted{4});
    CHECK(copy->value == 4);
    const auto& itself = copy;
    copy = itself;
    CHECK(copy->value == 4);
    CHECK(copy != borrowed);
    CHECK(second == borrowed);
    CHECK(Cow<Counted>{}.is_owned());
}

TEST_CASE("a copy that throws leaves it borrowed") {
    const Counted original{5};
    auto cow = Cow<Counted>::borrow(original);
    Counted::fails = true;
    CHECK_THROWS_AS(static_cast<void>(cow.to_mut()), std::runtime_error);
    CHECK(cow.is_borrowed());
    CHECK(&*cow == &original);
    const auto owned = Cow<Counted>::own(Counted{1});
    CHECK_THROWS_AS(cow = owned, std::runtime_error);
    CHECK(&*cow == &original);
    Counted::fails = false;
    CHECK(cow.to_mut().value == 5);
}

/// Doubles quotes, as few texts need it.
Cow<std::string> quoted(std::string_view text) {
    auto result = Cow<std::string>::borrow(text);
    for (std::size_t index = text.find('"'); index < result.view().size(); index = result.view().find('"', index + 2)) {
        result.to_mut().insert(index, 1, '"');
    }
    return result;
}

TEST_CASE("texts are borrowed as views and owned as strings") {
    const std::string plain = "nothing to double in this rather long text";
    const auto same = quoted(plain);
    CHECK(same.is_borrowed());
    CHECK(same.view().data() == plain.data());
    CHECK(same->size() == plain.size());
    const auto changed = quoted(R"(say "yes" or "no")");
    CHECK(changed.is_owned());
    CHECK(changed == R"(say ""yes"" or ""no"")");
    CHECK(same == plain);
    CHECK(same < changed);
    CHECK((same <=> changed) == std::strong_ordering::less);
    CHECK(*quoted("literal") == "literal");
    const auto copied = changed;
    CHECK(copied == changed);
    CHECK(copied.view().data() != changed.view().data());
}

TEST_CASE("rows are borrowed as spans and owned as vectors") {
    const std::vector<int> numbers{1, 2, 3};
    auto cow = Cow<std::vector<int>>::borrow(numbers);
    CHECK(cow->size() == 3);
    CHECK(cow.view().data() == numbers.data());
    const auto same = cow;
    CHECK(cow == same);
    cow.to_mut().push_back(4);
    CHECK(cow->size() == 4);
    CHECK(cow != same);
    cow.to_mut().pop_back();
    CHECK(cow == same);
    cow.to_mut()[0] = 9;
    CHECK(cow != same);
    CHECK(numbers[0] == 1);
    static constexpr int kFixed[]{7, 8};
    CHECK(Cow<std::vector<int>>::borrow(kFixed).into_owned() == std::vector{7, 8});
}

constexpr int doubled_if_odd(const int& number) {
    auto cow = Cow<int>::borrow(number);
    if (number % 2 != 0) {
        cow.to_mut() *= 2;
    }
    return *cow;
}
static_assert(doubled_if_odd(3) == 6 && doubled_if_odd(4) == 4);

}  // namespace
}  // namespace heapwright
