// What every counted handle obeys, whatever its policy.
#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/pool/pool.hpp>
#include <heapwright/os/page_source.hpp>
#include <heapwright/os/report.hpp>
#include <heapwright/own/rc/biased_counts.hpp>
#include <heapwright/own/rc/pool_blocks.hpp>
#include <heapwright/own/rc/rc.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

struct Counted1 {
    static inline int alive = 0;
    explicit Counted1(int n = 0) : number(n) { ++alive; }
    Counted1(const Counted1& other) : number(other.number) { ++alive; }
    Counted1& operator=(const Counted1&) = default;
    ~Counted1() { --alive; }
    int number;
};

struct Thrower {
    static inline int countdown = 0;
    static inline int alive = 0;
    Thrower() {
        if (--countdown == 0) {
            throw std::runtime_error("no");
        }
        ++alive;
    }
    Thrower(const Thrower&) : Thrower() {}
    Thrower(Thrower&&) : Thrower() {}  // NOLINT(*-noexcept-move*): what it is for
    ~Thrower() { --alive; }
};

struct Shape {
    virtual ~Shape() = default;
    int corners = 0;
};
struct Named {
    virtual ~Named() = default;
    std::string name = "a name that is too long for any buffer inside a string";
};
struct Square : Shape, Named {
    explicit Square(int& deaths) : dead(deaths) { corners = 4; }
    ~Square() override { ++dead; }
    int& dead;
};

template <class Policy>
struct Self : CountedFromThis<Self<Policy>, Policy> {
    Self(CountedToken token, int n) : CountedFromThis<Self, Policy>(token), number(n) {}
    int number;
};

template <class Policy>
struct SharesAndThrows : CountedFromThis<SharesAndThrows<Policy>, Policy> {
    SharesAndThrows(CountedToken token, WeakCounted<SharesAndThrows, Policy>& weak) : CountedFromThis<SharesAndThrows, Policy>(token) {
        weak = this->weak_handle();
        throw std::runtime_error("too late");
    }
};

struct alignas(64) Wide {
    char bytes[64];
};

#define HEAPWRIGHT_LAW(sentence) TEST_CASE_TEMPLATE(sentence, Policy, SingleThread, ManyThreads, Biased)

HEAPWRIGHT_LAW("an object lives as long as its last strong handle, and its counts say who is there") {
    Counted1::alive = 0;
    Counted<Counted1, Policy> one = make_counted<Counted1, Policy>(7);
    CHECK(one->number == 7);
    CHECK((*one).number == 7);
    CHECK(one.strong_count() == 1);
    CHECK(one.weak_count() == 0);
    {
        Counted<Counted1, Policy> two = one;
        CHECK(two == one);
        CHECK(one.strong_count() == 2);
        const Counted<const Counted1, Policy> three = two;
        CHECK(three.strong_count() == 3);
        CHECK(three == one);
    }
    CHECK(one.strong_count() == 1);
    Counted<Counted1, Policy> moved = std::move(one);
    CHECK(one == nullptr);  // NOLINT(bugprone-use-after-move): empty is what moving leaves
    CHECK(one.strong_count() == 0);
    CHECK(moved.strong_count() == 1);
    CHECK(Counted1::alive == 1);
    moved.reset();
    CHECK(Counted1::alive == 0);
    CHECK_FALSE(moved);
}

HEAPWRIGHT_LAW("assigning a handle to itself, moving it into itself and swapping it with itself change nothing") {
    Counted1::alive = 0;
    Counted<Counted1, Policy> handle = make_counted<Counted1, Policy>(1);
    auto& again = handle;
    handle = again;
    CHECK(handle.strong_count() == 1);
    handle = std::move(again);
    CHECK(handle.strong_count() == 1);
    handle.swap(again);
    CHECK(handle->number == 1);
    WeakCounted<Counted1, Policy> weak = handle;
    auto& weak_again = weak;
    weak = weak_again;
    weak = std::move(weak_again);
    CHECK(handle.weak_count() == 1);
    CHECK(weak.upgrade() == handle);
    Counted<Counted1, Policy> other = make_counted<Counted1, Policy>(2);
    using std::swap;
    swap(handle, other);
    CHECK(handle->number == 2);
    CHECK(other->number == 1);
    handle = other;
    CHECK(Counted1::alive == 1);
    handle = nullptr;
    other = {};
    CHECK(Counted1::alive == 0);
    CHECK(weak.is_expired());
}

HEAPWRIGHT_LAW("a weak handle keeps the block but not the object, and never comes alive again") {
    Counted1::alive = 0;
    WeakCounted<Counted1, Policy> weak;
    CHECK(weak.is_expired());
    CHECK_FALSE(weak.upgrade());
    {
        auto handle = make_counted<Counted1, Policy>(3);
        weak = handle.downgrade();
        const WeakCounted<Counted1, Policy> second = weak;
        CHECK(handle.weak_count() == 2);
        CHECK(second == weak);
        const auto kept = weak.upgrade();
        CHECK(kept->number == 3);
        CHECK(handle.strong_count() == 2);
        CHECK_FALSE(weak.is_expired());
    }
    CHECK(Counted1::alive == 0);
    CHECK(weak.is_expired());
    CHECK(weak.strong_count() == 0);
    CHECK(weak.weak_count() == 1);
    CHECK_FALSE(weak.upgrade());
    const auto next = make_counted<Counted1, Policy>(4);
    CHECK_FALSE(weak.upgrade());  // not even if another object moved in, which the block still being there prevents
}

HEAPWRIGHT_LAW("a handle of a base destroys the whole object, and one that is not at its start is refused") {
    int deaths = 0;
    {
        Counted<Shape, Policy> shape = make_counted<Square, Policy>(deaths);
        CHECK(shape->corners == 4);
        const Counted<Square, Policy> back = static_handle_cast<Square>(shape);
        CHECK(back.strong_count() == 2);
        CHECK(back == shape);
        WeakCounted<Shape, Policy> weak = back;
        CHECK(weak.upgrade() == shape);
        const auto death = test::death_of([&] {
            os::report_failures_to_stderr();
            const Counted<Named, Policy> named = back;
        });
        CHECK(death.died);
        CHECK(test::said(death, "a base that does not begin where the object begins has no counts before it; take a view"));
        const CountedView<Named, Square, Policy> named{back, back.get()};
        CHECK(back.strong_count() == 3);
        CHECK(named->name.starts_with("a name"));
    }
    CHECK(deaths == 1);
    test::FailingSource source;
    Counted<Shape, Policy> foreign = make_counted_in<Square, Policy>(source, deaths);
    foreign.reset();
    CHECK(deaths == 2);
    CHECK(source.outstanding() == 0);  // with the layout of the derived object: the source checks
}

HEAPWRIGHT_LAW("a view keeps its owner alive and points where it likes") {
    struct Person {
        std::string name;
        int years[3];
    };
    CountedView<int, Person, Policy> age;
    CHECK_FALSE(age);
    {
        const auto person = make_counted<Person, Policy>(Person{"Ada", {1, 2, 3}});
        age = CountedView<int, Person, Policy>{person, &person->years[1]};
        const CountedView<std::string, Person, Policy> name{person, &Person::name};
        CHECK(*name == "Ada");
        CHECK(person.strong_count() == 3);
    }
    CHECK(*age == 2);
    CHECK(age.strong_count() == 1);
    auto other = age.to(&age.get()[1]);
    CHECK(*other == 3);
    auto moved = std::move(other);
    CHECK(other == nullptr);  // NOLINT(bugprone-use-after-move)
    moved = {};
    CHECK(age.strong_count() == 1);
}

HEAPWRIGHT_LAW("a constructor that throws leaves nothing behind, wherever the block came from") {
    Thrower::alive = 0;
    Thrower::countdown = 1;
    CHECK_THROWS_AS(static_cast<void>(make_counted<Thrower, Policy>()), std::runtime_error);
    test::FailingSource source;
    Thrower::countdown = 1;
    CHECK_THROWS_AS(static_cast<void>(make_counted_in<Thrower, Policy>(source)), std::runtime_error);
    CHECK(source.outstanding() == 0);
    Thrower::countdown = 4;
    CHECK_THROWS_AS(static_cast<void>(make_counted<Thrower[], Policy>(std::size_t{9}, source)), std::runtime_error);
    CHECK(source.outstanding() == 0);
    CHECK(Thrower::alive == 0);
    // A weak handle that the constructor gave away stays, and is expired.
    WeakCounted<SharesAndThrows<Policy>, Policy> weak;
    CHECK_THROWS_AS(static_cast<void>(make_counted<SharesAndThrows<Policy>, Policy>(weak)), std::runtime_error);
    CHECK(weak.is_expired());
    // Taking an object out ends the handle even if the move throws.
    Thrower::countdown = 3;
    auto handle = make_counted<Thrower, Policy>();
    Thrower::countdown = 1;
    CHECK_THROWS_AS(static_cast<void>(std::move(handle).try_unwrap()), std::runtime_error);
    CHECK_FALSE(handle);  // NOLINT(bugprone-use-after-move)
    CHECK(Thrower::alive == 0);
    Thrower::countdown = 2;
    auto first = make_counted<Thrower, Policy>();
    const auto second = first;
    CHECK_THROWS_AS(static_cast<void>(first.make_mut()), std::runtime_error);
    CHECK(first == second);
}

HEAPWRIGHT_LAW("when memory is refused the try form is empty and nothing is constructed") {
    Counted1::alive = 0;
    test::fail_at_every_step([](test::FailingSource& source) {
        auto handle = try_make_counted_in<Counted1, Policy>(source, 5);
        auto array = try_make_counted<Counted1[], Policy>(std::size_t{3}, source);
        CHECK(Counted1::alive == (handle ? 1 : 0) + (array ? 3 : 0));
        return handle && array;
    });
    CHECK(Counted1::alive == 0);
    const auto death = test::death_of([] {
        os::report_failures_to_stderr();
        test::FailingSource never{1};
        static_cast<void>(make_counted_in<int, Policy>(never, 1));
    });
    CHECK(test::said(death, "out of memory for a counted object: its source refused; call the try_ form to go on without"));
    CHECK_FALSE((try_make_counted<int[], Policy>(SIZE_MAX / 2)));
}

HEAPWRIGHT_LAW("any allocator of the library gives the blocks, and gets them back with their layout") {
    test::FailingSource source;
    Pool pool{{.size = 80, .alignment = 16}, source};
    {
        const auto from_pool = make_counted_in<std::string, Policy>(pool, "in a pool");
        WeakCounted<std::string, Policy> weak = from_pool;
        CHECK(pool.stats().live_blocks == 1);
        const auto wide = make_counted_in<Wide, Policy>(source);
        CHECK(reinterpret_cast<std::uintptr_t>(wide.get()) % 64 == 0);
        CHECK(*weak.upgrade() == "in a pool");
    }
    CHECK(pool.stats().live_blocks == 0);
    const auto wide = make_counted<Wide, Policy>();
    CHECK(reinterpret_cast<std::uintptr_t>(wide.get()) % 64 == 0);
}

HEAPWRIGHT_LAW("what is shared is copied before it is changed, and what is not is changed in place") {
    auto text = make_counted<std::string, Policy>("one");
    CHECK(text.get_mut() == text.get());
    std::string* const before = text.get();
    text.make_mut() += " two";
    CHECK(text.get() == before);
    auto other = text;
    CHECK(text.get_mut() == nullptr);
    other.make_mut() += " three";
    CHECK(*text == "one two");
    CHECK(*other == "one two three");
    CHECK(text.is_unique());
    const WeakCounted<std::string, Policy> weak = text;
    CHECK(text.get_mut() == nullptr);  // a weak handle could become a strong one at any moment
    text.make_mut() += "!";
    CHECK(weak.is_expired());
    CHECK(*text == "one two!");
}

HEAPWRIGHT_LAW("an object can be taken out by its only owner") {
    auto one = make_counted<std::unique_ptr<int>, Policy>(std::make_unique<int>(5));
    auto two = one;
    auto refused = std::move(one).try_unwrap();
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == two);
    refused.error().reset();
    const WeakCounted<std::unique_ptr<int>, Policy> weak = two;
    const auto taken = std::move(two).try_unwrap();
    REQUIRE(taken);
    CHECK(**taken == 5);
    CHECK(weak.is_expired());
}

HEAPWRIGHT_LAW("an object can hand out handles to itself, and knows when it is too late") {
    auto self = make_counted<Self<Policy>, Policy>(9);
    auto again = self->handle();
    CHECK(again == self);
    CHECK(self.strong_count() == 2);
    CHECK(self->weak_handle().upgrade()->number == 9);
    struct Clings : CountedFromThis<Clings, Policy> {
        explicit Clings(CountedToken token) : CountedFromThis<Clings, Policy>(token) {}
        ~Clings() { static_cast<void>(this->handle()); }
    };
    const auto death = test::death_of([] {
        os::report_failures_to_stderr();
        static_cast<void>(make_counted<Clings, Policy>());
    });
    CHECK(test::said(death, "an object that is being destroyed cannot be kept any longer"));
}

HEAPWRIGHT_LAW("handles compare and hash by the object they name") {
    auto one = make_counted<int, Policy>(1);
    auto two = make_counted<int, Policy>(1);
    CHECK(one != two);
    CHECK((one < two) == (one.get() < two.get()));
    std::unordered_set<Counted<int, Policy>> hashed{one, two, one};
    CHECK(hashed.size() == 2);
    std::set<Counted<int, Policy>> sorted{two, one, two};
    CHECK(sorted.size() == 2);
    CHECK(one.strong_count() == 3);
}

HEAPWRIGHT_LAW("a handle travels as a raw pointer and comes back") {
    Counted1::alive = 0;
    auto handle = make_counted<Counted1, Policy>(6);
    Counted1* const raw = std::move(handle).into_raw();
    CHECK(Counted1::alive == 1);
    auto back = Counted<Counted1, Policy>::from_raw(raw);
    const auto second = Counted<Counted1, Policy>::from_alive(*raw);
    CHECK(back.strong_count() == 2);
}

HEAPWRIGHT_LAW("a type may be incomplete where no handle is dropped") {
    struct Incomplete;
    struct Holder {
        Counted<Incomplete, Policy>* never = nullptr;
    };
    CHECK(sizeof(Counted<Incomplete, Policy>) == 8);
    CHECK(Holder{}.never == nullptr);
}

HEAPWRIGHT_LAW("the overhead is 8 bytes an object, 16 an array, and 8 more where counts are biased") {
    struct Sixteen {
        std::uint64_t words[2];
    };
    constexpr std::size_t kMore = std::is_same_v<Policy, Biased> ? 8 : 0;
    CHECK(detail::Shape<Sixteen, Policy>::layout().size - sizeof(Sixteen) == 8 + kMore);
    CHECK((detail::Shape<int, Policy, std::size_t>::offset()) == 16 + kMore);
    CHECK(sizeof(typename Policy::Counts) == 8 + kMore);
}

/// Objects of one type in a pool of their own, by policy.
struct PooledPolicy : ManyThreads {
    using Blocks = PoolBlocks<sizeof(Square) + 8, Square>;
};

TEST_CASE("a policy may give its objects a pool of their own, which knows how many are alive") {
    SharedPool& pool = PooledPolicy::Blocks::pool();
    int deaths = 0;
    {
        Counted<Shape, PooledPolicy> shape = make_counted<Square, PooledPolicy>(deaths);
        const WeakCounted<Shape, PooledPolicy> weak = shape;
        CHECK(pool.stats().live_blocks == 1);
        shape.reset();
        CHECK(deaths == 1);
        CHECK(pool.stats().live_blocks == 1);  // the weak handle keeps the block
    }
    CHECK(pool.stats().live_blocks == 0);
    CHECK_FALSE((try_make_counted<Wide, PooledPolicy>()));  // neither its size nor its alignment
}

}  // namespace
}  // namespace heapwright
