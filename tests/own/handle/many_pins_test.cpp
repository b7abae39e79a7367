// Pins beyond those that a short header counts, where the kernel refuses memory.
#include <cstddef>
#include <vector>

#include <sys/resource.h>

#include <doctest/doctest.h>

#include <heapwright/own/handle/handle.hpp>
#include <heapwright/own/handle/vector.hpp>

#include <tests/support/death.hpp>

namespace heapwright::test {

namespace {

/// While one lives the kernel refuses mappings.
class NoMoreAddresses {
public:
    NoMoreAddresses() {
        getrlimit(RLIMIT_AS, &former_);
        const rlimit none{.rlim_cur = std::size_t{1} << 20, .rlim_max = former_.rlim_max};  // less than the process has already
        setrlimit(RLIMIT_AS, &none);
    }
    NoMoreAddresses(const NoMoreAddresses&) = delete;
    NoMoreAddresses& operator=(const NoMoreAddresses&) = delete;
    ~NoMoreAddresses() { setrlimit(RLIMIT_AS, &former_); }

private:
    rlimit former_{};
};

}  // namespace

TEST_CASE(
    "pins of 256 objects take no memory from the kernel; where it refuses some for the next, try_pin says so and nothing else fails") {
    MovableHeap heap;
    std::vector<Handle<int>> handles;
    std::vector<Pin<int>> pins;
    pins.reserve(std::size_t{257} * 31);
    const auto pin_often = [&](std::size_t times) {
        handles.push_back(*make_handle<int>(heap, 7));
        for (std::size_t again = 0; again < times; ++again) {
            pins.push_back(handles.back().pin());
        }
    };
    for (int i = 0; i < 255; ++i) {
        pin_often(31);
    }
    pin_often(30);
    MovableVector<int> vector;
    REQUIRE(vector.reserve(heap, 100).has_value());
    REQUIRE(vector.push_back(heap, 1).has_value());
    std::vector<PinnedSpan<int>> spans;
    for (int i = 0; i < 30; ++i) {
        spans.push_back(vector.pin());
    }
    Result<Pin<int>> refused;
    Result<void> pushed;
    Result<void> pushed_again;
    std::size_t capacity = 0;
    {
        const NoMoreAddresses none;
        pushed = vector.push_back(heap, 2);  // the 256th, for as long as that takes
        pins.push_back(handles.back().pin());
        capacity = vector.capacity();
        pushed_again = vector.push_back(heap, 3);
        vector.truncate(1);
    }
    CHECK(pushed.has_value());
    CHECK(store_of(heap).many_pins.rows() == 256);
    CHECK(capacity >= 100);
    CHECK(pushed_again.error() == Error{.kind = Errc::out_of_memory, .number = 8192});
    CHECK(vector.size() == 1);
    pin_often(30);
    {
        const NoMoreAddresses none;
        refused = handles.back().try_pin();
    }
    CHECK(refused.error() == Error{.kind = Errc::out_of_memory, .number = 8192});
    CHECK((heap.broken_invariant() == nullptr));
    const Death death = death_of([&] {
        const NoMoreAddresses none;
        static_cast<void>(handles.back().pin());
    });
    CHECK(death.died);
    CHECK(said(death, "no memory to count the 31st pin of one more object"));
    pins.push_back(handles.back().pin());
    CHECK(store_of(heap).many_pins.rows() == 257);
    CHECK(vector.push_back(heap, 2).has_value());
    pins.clear();
    spans.clear();
    CHECK(store_of(heap).many_pins.rows() == 0);
    CHECK((heap.broken_invariant() == nullptr));
}

}  // namespace heapwright::test
