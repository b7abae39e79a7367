// What generators promise: an input range whose elements are made when asked for, nested at no price, exceptions included.
#include <heapwright/own/coroutine/generator.hpp>

#include <algorithm>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/report.hpp>
#include <heapwright/own/coroutine/frame_budget.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

static_assert(std::input_iterator<Generator<int>::Iterator>);
static_assert(std::sentinel_for<std::default_sentinel_t, Generator<int>::Iterator>);
static_assert(sizeof(Generator<int>) == sizeof(void*));

Generator<int> below(int end) {
    for (int number = 0; number < end; ++number) {
        co_yield number;
    }
}

template <class G>
auto collected(G generator) {
    std::vector<typename G::Iterator::value_type> all;
    for (const auto& element : generator) {
        all.push_back(element);
    }
    return all;
}

TEST_CASE("elements are made when they are asked for, and only then") {
    int made = 0;
    const auto count = [&made]() -> Generator<int> {
        for (;;) {
            co_yield ++made;
        }
    };
    auto endless = count();
    CHECK(made == 0);
    int sum = 0;
    for (const int number : endless) {
        sum += number;
        if (number == 4) {
            break;
        }
    }
    CHECK(sum == 10);
    CHECK(made == 4);
    CHECK(collected(below(0)).empty());
    CHECK(collected(below(3)) == std::vector{0, 1, 2});
}

TEST_CASE("elements are seen where they are, and not copied") {
    const auto texts = [](std::vector<std::string>& all) -> Generator<std::string&> {
        for (std::string& text : all) {
            co_yield text;
        }
    };
    std::vector<std::string> all{"one", "two"};
    for (std::string& text : texts(all)) {
        text += "!";
    }
    CHECK(all == std::vector<std::string>{"one!", "two!"});
    const auto boxes = []() -> Generator<std::unique_ptr<int>> {
        co_yield std::make_unique<int>(1);
        auto named = std::make_unique<int>(2);
        co_yield named;
    };
    int sum = 0;
    for (const std::unique_ptr<int>& box : boxes()) {
        sum += *box;
    }
    CHECK(sum == 3);
}

TEST_CASE("the standard's algorithms take it") {
    auto numbers = below(100);
    CHECK(std::ranges::count_if(numbers, [](int number) { return number % 7 == 0; }) == 15);
}

struct Tree {
    int key;
    std::unique_ptr<Tree> left;
    std::unique_ptr<Tree> right;
};
std::unique_ptr<Tree> tree(int low, int high) {
    if (low >= high) {
        return nullptr;
    }
    const int middle = low + (high - low) / 2;
    return std::make_unique<Tree>(Tree{middle, tree(low, middle), tree(middle + 1, high)});
}
Generator<int> in_order(const Tree* node) {
    if (node != nullptr) {
        co_yield elements_of(in_order(node->left.get()));
        co_yield node->key;
        co_yield elements_of(in_order(node->right.get()));
    }
}
[[gnu::noinline]] Generator<int> deep(int depth) {
    co_yield depth;
    if (depth > 0) {
        co_yield elements_of(deep(depth - 1));
    }
}

TEST_CASE("nested generators give their elements in order, however deep") {
    const auto root = tree(0, 1000);
    const auto all = collected(in_order(root.get()));
    CHECK(all.size() == 1000);
    CHECK(std::ranges::is_sorted(all));
    int expected = 20'000;
    for (const int depth : deep(20'000)) {
        REQUIRE(depth == expected--);
    }
    CHECK(expected == -1);
}

TEST_CASE("an exception ends the generators it passes through, and an outer one can catch it") {
    const auto fails = [](int after) -> Generator<int> {
        co_yield elements_of(below(after));
        throw std::runtime_error("told to");
    };
    std::vector<int> seen;
    const auto collect = [&seen](Generator<int> generator) {
        for (const int number : generator) {
            seen.push_back(number);
        }
    };
    CHECK_THROWS_AS(collect(fails(2)), std::runtime_error);
    CHECK(seen == std::vector{0, 1});
    const auto outer = [&](bool catches) -> Generator<int> {
        bool failed = false;
        try {
            co_yield elements_of(fails(1));
        } catch (const std::runtime_error&) {
            if (!catches) {
                throw;
            }
            failed = true;
        }
        if (failed) {
            co_yield 77;
        }
    };
    seen.clear();
    collect(outer(true));
    CHECK(seen == std::vector{0, 77});
    seen.clear();
    CHECK_THROWS_AS(collect(outer(false)), std::runtime_error);
    CHECK(seen == std::vector{0});
}

[[gnu::noinline]] Generator<int, FramesFromAny> counted(std::allocator_arg_t, FrameBudget&, int end) {
    for (int number = 0; number < end; ++number) {
        co_yield number;
    }
}
Generator<int, FramesFromAny> counted(int end) { co_yield elements_of(below(end)); }

TEST_CASE("frames come from the source among the parameters, from the cache without one, and may be refused") {
    FailingSource source;
    FrameBudget budget{source, 1 << 12};
    {
        auto generator = counted(std::allocator_arg, budget, 3);
        CHECK(source.outstanding() == 1);
        CHECK(budget.used_bytes() > 0);
        CHECK(collected(std::move(generator)) == std::vector{0, 1, 2});
    }
    CHECK(source.outstanding() == 0);
    CHECK(collected(counted(3)) == std::vector{0, 1, 2});
    CHECK(source.requests() == 1);
    FrameBudget none{source, 0};
    auto refused = counted(std::allocator_arg, none, 3);
    CHECK(!refused);
    const auto death = test::death_of([&] {
        os::report_failures_to_stderr();
        static_cast<void>(collected(std::move(refused)));
    });
    CHECK(test::said(death, "a generator without a frame is walked"));
    const auto second = test::death_of([] {
        os::report_failures_to_stderr();
        static_cast<void>(collected([]() -> Generator<int> { co_yield elements_of(Generator<int>{}); }()));
    });
    CHECK(test::said(second, "the elements of a generator without a frame"));
}

TEST_CASE("a generator left half way ends its locals, nested ones first") {
    std::string log;
    struct Ends {
        std::string& log;
        const char* word;
        ~Ends() { log += word; }
    };
    const auto inner = [&]() -> Generator<int> {
        const Ends ends{log, "inner "};
        co_yield 1;
        co_yield 2;
    };
    const auto outer = [&]() -> Generator<int> {
        const Ends ends{log, "outer "};
        co_yield elements_of(inner());
    };
    {
        auto generator = outer();
        auto at = generator.begin();
        CHECK(*at == 1);
        ++at;
        CHECK(*at == 2);
    }
    CHECK(log == "inner outer ");
}

}  // namespace
}  // namespace heapwright
