// What branded pointers and indices promise: they cost nothing, and only their owner follows them.
#include <heapwright/own/cell/brand.hpp>

#include <concepts>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/alloc/pool/pool.hpp>
#include <heapwright/os/report.hpp>
#include <heapwright/own/cell/branded.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

struct Node {
    int value = 0;
    BrandedPtr<Node, Brand<struct NodesTag>> next;
};
using Nodes = Branded<Arena, Brand<struct NodesTag>>;

template <class Owner, class Ptr>
concept Follows = requires(Owner& owner, Ptr pointer) { owner[pointer]; };
template <class Owner, class Ptr>
concept Ends = requires(Owner& owner, Ptr pointer) { owner.destroy(pointer); };

using Mine = Branded<Arena, Brand<>>;
using Other = Branded<Arena, Brand<>>;

static_assert(!std::same_as<Mine, Other>, "each Brand<> that is written is another");
static_assert(Follows<Mine, Mine::Ptr<int>> && !Follows<Mine, Other::Ptr<int>>);
static_assert(!Follows<Mine, int*> && !std::constructible_from<Mine::Ptr<int>, int*>, "nobody but the owner makes one");
static_assert(!Ends<Mine, Mine::Ptr<int>> && Ends<Branded<Pool, Brand<>>, BrandedPtr<int, Brand<void>>> == false);
static_assert(sizeof(Nodes) == sizeof(Arena), "the brand of an owner takes no room either");
static_assert(sizeof(Mine::Ptr<std::string>) == sizeof(void*) && std::is_trivially_copyable_v<Mine::Ptr<std::string>>);
static_assert(std::convertible_to<Mine::Ptr<int>, Mine::Ptr<const int>> && !std::convertible_to<Mine::Ptr<const int>, Mine::Ptr<int>>);
static_assert(sizeof(DynamicBrand<void, true>) == 4 && std::is_empty_v<DynamicBrand<void, false>>);

TEST_CASE("an owner follows its pointers, and a const one gives const access") {
    FailingSource source;
    Nodes nodes{SourceRef{source}};
    const auto last = nodes.create<Node>(2, Nodes::Ptr<Node>{});
    const auto first = nodes.create<Node>(1, last);
    nodes[first].value += 10;
    CHECK(nodes[first].value == 11);
    CHECK(nodes[nodes[first].next].value == 2);
    CHECK(!nodes[last].next);
    const Nodes& readable = nodes;
    static_assert(std::same_as<decltype(readable[first]), const Node&>);
    CHECK(readable[first].value == 11);
    CHECK(first != last);
    CHECK(nodes[first].next == last);
    CHECK(nodes.below().stats().used_bytes >= 2 * sizeof(Node));
}

TEST_CASE("objects of an arena end with it, objects of other sources when told") {
    FailingSource source;
    {
        Branded<Arena, Brand<>> arena{SourceRef{source}};
        static_cast<void>(arena.create<std::string>(std::size_t{100}, 'x'));  // its 100 bytes are a leak unless it is destroyed
    }
    {
        Branded<Pool, Brand<struct PoolTag>> pool{Layout::of<std::string>(), SourceRef{source}};
        const auto text = pool.create<std::string>(std::size_t{100}, 'y');
        CHECK(pool[text].size() == 100);
        pool.destroy(text);
        CHECK(pool.below().stats().live_blocks == 0);
    }
    CHECK(source.outstanding() == 0);
    struct Fails {
        Fails() { throw std::runtime_error("told to"); }
    };
    Branded<SourceRef, Brand<>> direct{SourceRef{source}};
    CHECK_THROWS_AS(static_cast<void>(direct.create<Fails>()), std::runtime_error);
    CHECK(source.outstanding() == 0);
}

TEST_CASE("a refused object is a pointer that names nothing") {
    FailingSource source{1};
    Branded<Arena, Brand<>> arena{SourceRef{source}};
    CHECK(!arena.try_create<int>(1));
    Branded<SourceRef, Brand<>> direct{SourceRef{source}};
    CHECK(!direct.try_create<int>(1));
}

TEST_CASE("a brand can live in one scope and have no name outside") {
    FailingSource source;
    const int sum = with_brand([&](auto brand) {
        Branded<Arena, decltype(brand)> arena{SourceRef{source}};
        const auto three = arena.template create<int>(3);
        return with_brand([&](auto inner_brand) {
            Branded<Arena, decltype(inner_brand)> inner{SourceRef{source}};
            const auto four = inner.template create<int>(4);
            static_assert(!Follows<decltype(arena), decltype(four)> && !Follows<decltype(inner), decltype(three)>);
            return arena[three] + inner[four];
        });
    });
    CHECK(sum == 7);
}

TEST_CASE("owners of one type made in a loop are told apart by number in debug builds") {
    FailingSource source;
    using Row = BrandedArray<int, DynamicBrand<struct RowTag, true>>;
    Row first{source};
    Row second{source};
    const Row::Index of_first = first.emplace_back(1);
    const Row::Index of_second = second.emplace_back(2);
    CHECK(first[of_first] + second[of_second] == 3);
#ifndef NDEBUG
    const auto death = test::death_of([&] {
        os::report_failures_to_stderr();
        static_cast<void>(first[of_second]);
    });
    CHECK(test::said(death, "a branded index is not of this row"));
    using Texts = Branded<Arena, DynamicBrand<struct TextsTag>>;
    Texts here{SourceRef{source}};
    Texts there{SourceRef{source}};
    const auto text = here.create<std::string>("mine");
    CHECK(here[text] == "mine");
    const auto second_death = test::death_of([&] {
        os::report_failures_to_stderr();
        static_cast<void>(there[text]);
    });
    CHECK(test::said(second_death, "a branded pointer is not of this owner"));
    const auto third_death = test::death_of([&] {
        os::report_failures_to_stderr();
        static_cast<void>(there[Texts::Ptr<std::string>{}]);
    });
    CHECK(test::said(third_death, "names nothing"));
#endif
}

TEST_CASE("indices of a row stay right while it grows, and one past its end stops the program") {
    FailingSource source;
    {
        using Row = BrandedArray<std::string, Brand<struct GrowingTag>>;
        static_assert(sizeof(Row::Index) == 4);
        Row row{source};
        std::vector<Row::Index> indices;
        for (int number = 0; number < 1000; ++number) {
            indices.push_back(row.emplace_back(std::to_string(number)));
            REQUIRE(row.broken_invariant() == nullptr);
        }
        for (int number = 0; number < 1000; ++number) {
            REQUIRE(row[indices[static_cast<std::size_t>(number)]] == std::to_string(number));
        }
        const auto again = row.emplace_back(row[indices[7]]);  // out of the row into a block that may be new
        CHECK(row[again] == "7");
        CHECK(again.value() == 1000);
        CHECK(row.size() == 1001);
        CHECK(*row.begin() == "0");
        CHECK(std::as_const(row)[indices[1]] == "1");
        CHECK(row.end() - row.begin() == 1001);
        CHECK(!Row::Index{});
        CHECK(indices[0] < indices[1]);
        const auto death = test::death_of([&] {
            os::report_failures_to_stderr();
            static_cast<void>(row[Row::Index{}]);
        });
        CHECK(test::said(death, "a branded index is past the end of its row"));
    }
    CHECK(source.outstanding() == 0);
    test::fail_at_every_step([](FailingSource& failing) {
        BrandedArray<std::string, Brand<>> row{failing};
        for (int number = 0; number < 100; ++number) {
            const std::size_t before = row.size();
            if (!row.try_emplace_back("a text that does not fit in place")) {
                CHECK(row.size() == before);
                return false;
            }
        }
        return true;
    });
}

}  // namespace
}  // namespace heapwright
