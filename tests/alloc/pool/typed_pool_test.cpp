// Objects of one type from a pool.
#include <heapwright/alloc/pool/typed_pool.hpp>

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/pool/shared_pool.hpp>
#include <heapwright/os/page_source.hpp>
#include <heapwright/os/report.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

TEST_CASE("objects are made, visited and destroyed") {
    FailingSource source;
    TypedPool<std::string> pool{source};
    std::string* const first = pool.create("first, long enough to need the heap");
    std::string* const second = pool.create("second, long enough to need the heap");
    std::vector<std::string> seen;
    pool.for_each([&](const std::string& text) { seen.push_back(text); });
    CHECK(seen.size() == 2);
    CHECK(pool.owns(first));
    pool.destroy(first);
    CHECK_FALSE(pool.owns(first));
    CHECK(pool.stats().live_blocks == 1);
    pool.destroy(second);
}

TEST_CASE("an owner destroys its object") {
    FailingSource source;
    TypedPool<std::string> pool{source};
    {
        const auto owner = pool.try_make(50U, 'x');
        CHECK(owner->size() == 50);
    }
    CHECK(pool.stats().live_blocks == 0);
}

TEST_CASE("what is alive at the end is destroyed, if the pool was told to") {
    static int alive = 0;
    struct Counted {
        Counted() { ++alive; }
        Counted(const Counted&) = delete;
        Counted& operator=(const Counted&) = delete;
        ~Counted() { --alive; }
    };
    {
        TypedPool<Counted> pool{os::kPages, {.leaks = Leaks::forget}};
        for (int count = 0; count < 1000; ++count) {
            static_cast<void>(pool.create());
        }
        CHECK(alive == 1000);
    }
    CHECK(alive == 0);
}

TEST_CASE("a constructor that throws gives its block back") {
    struct Thrower {
        explicit Thrower(bool throws) {
            if (throws) {
                throw std::runtime_error{"no"};
            }
        }
    };
    FailingSource source;
    TypedPool<Thrower> pool{source};
    CHECK_THROWS(static_cast<void>(pool.create(true)));
    CHECK(pool.stats().live_blocks == 0);
    pool.destroy(pool.create(false));
}

TEST_CASE("an object is not destroyed twice: the check comes before the destructor") {
    os::report_failures_to_stderr();
    const auto twice = test::death_of([] {
        TypedPool<std::string> pool{os::kPages};
        std::string* const text = pool.create("long enough to need the heap of the host");
        pool.destroy(text);
        pool.destroy(text);
    });
    CHECK(test::said(twice, "heapwright: double free: block 0x"));
}

TEST_CASE("objects may be made by one thread and destroyed by another") {
    TypedPool<std::string, SharedPool> pool{os::kPages};
    std::string* text = nullptr;
    std::thread{[&] { text = pool.create("long enough to need the heap of the host"); }}.join();
    CHECK(text->starts_with("long"));
    pool.destroy(text);
    CHECK(pool.stats().live_blocks == 0);
}

}  // namespace
}  // namespace heapwright
