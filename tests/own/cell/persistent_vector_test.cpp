// What versions of a vector promise: each stays as it was, they share what they can, and no node is lost.
#include <heapwright/own/cell/persistent_vector.hpp>

#include <algorithm>
#include <iterator>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/os/report.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>
#include <tests/support/random.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

static_assert(std::random_access_iterator<PersistentVector<int>::Iterator>);

/// 40 bytes, so that a leaf holds few, and the tree grows high soon.
struct Wide {
    std::uint64_t number;
    std::uint64_t padding[4]{};
    Wide(std::uint64_t n) : number(n) {}  // NOLINT(google-explicit-constructor): the model test makes them from numbers
    friend bool operator==(const Wide& left, const Wide& right) { return left.number == right.number; }
};

template <class T>
struct MakeElement {
    T operator()(std::uint64_t number) const { return T(number); }
};
template <>
struct MakeElement<std::string> {
    std::string operator()(std::uint64_t number) const { return "element number " + std::to_string(number); }
};

template <class T, Sharing S>
void check_same(const PersistentVector<T, S>& vector, const std::vector<T>& model) {
    REQUIRE(vector.broken_invariant() == nullptr);
    REQUIRE(vector.size() == model.size());
    std::size_t index = 0;
    vector.for_each_leaf([&](std::span<const T> leaf) {
        for (const T& element : leaf) {
            REQUIRE(element == model[index++]);
        }
    });
    REQUIRE(index == model.size());
}

template <class T, Sharing S = Sharing::one_thread>
void random_steps(std::size_t steps, std::size_t largest) {
    struct Version {
        PersistentVector<T, S> vector;
        std::vector<T> model;
    };
    FailingSource source;
    test::Random random{sizeof(T)};
    {
        const MakeElement<T> make;
        std::vector<Version> versions;
        versions.push_back({PersistentVector<T, S>{source}, {}});
        for (std::size_t step = 0; step < steps; ++step) {
            Version& version = versions[random.below(versions.size())];
            const std::uint64_t dice = random.below(100);
            const std::uint64_t run = random.one_in(10) ? random.below(largest / 4) : random.below(20);
            if (dice < 40) {
                for (std::uint64_t count = 0; count < run && version.model.size() < largest; ++count) {
                    const T element = make(random.next());
                    version.vector.push_back(element);
                    version.model.push_back(element);
                }
            } else if (dice < 65) {
                for (std::uint64_t count = 0; count < run && !version.model.empty(); ++count) {
                    version.vector.pop_back();
                    version.model.pop_back();
                }
            } else if (dice < 85) {
                for (std::uint64_t count = 0; count < run % 20 && !version.model.empty(); ++count) {
                    const std::size_t index = random.below(version.model.size());
                    const T element = make(random.next());
                    version.vector.set(index, element);
                    version.model[index] = element;
                    REQUIRE(version.vector[index] == element);
                }
            } else if (dice < 97 && versions.size() < 40) {
                Version copy = version;
                versions.push_back(std::move(copy));
            } else {
                std::swap(version, versions.back());
                if (versions.size() > 1) {
                    versions.pop_back();
                }
            }
            const Version& looked_at = versions[random.below(versions.size())];
            REQUIRE(looked_at.vector.broken_invariant() == nullptr);
            if (step % 16 == 0) {
                check_same(looked_at.vector, looked_at.model);
                const Version& other = versions[random.below(versions.size())];
                REQUIRE((looked_at.vector == other.vector) == (looked_at.model == other.model));
            }
        }
        for (const Version& version : versions) {
            check_same(version.vector, version.model);
        }
    }
    REQUIRE(source.outstanding() == 0);
}

TEST_CASE("random steps on many live versions agree with vectors that are copied") {
    random_steps<std::uint32_t>(1500, 5000);
    random_steps<Wide>(1500, 1500);
    random_steps<std::string>(800, 1000);
    random_steps<std::uint8_t, Sharing::many_threads>(500, 20'000);
}

TEST_CASE("a copy costs no memory, a change costs one path, and the rest is shared") {
    FailingSource source;
    PersistentVector<std::uint64_t> first{source};  // 32 in a leaf
    for (std::uint64_t number = 0; number < 100'000; ++number) {
        first.push_back(number);
    }
    const VersionFootprint alone = first.footprint();
    CHECK(alone.nodes == source.outstanding());
    CHECK(alone.bytes == source.outstanding_bytes());
    CHECK(alone.shared_nodes == 0);
    CHECK(alone.bytes < 100'000 * 8 * 12 / 10);  // 3125 leaves of 264 bytes, and 101 inner nodes

    PersistentVector<std::uint64_t> second = first;
    CHECK(source.outstanding() == alone.nodes);
    CHECK(second.footprint().shared_nodes == alone.nodes);
    second.set(50'000, 1);
    CHECK(source.outstanding() == alone.nodes + 4);  // three inner nodes and a leaf
    CHECK(second.footprint().shared_nodes == alone.nodes - 4);
    const std::size_t before = source.requests();
    for (std::uint64_t number = 0; number < 32; ++number) {
        second.set(50'000 - 16 + number, number);  // now its own: the leaf is written in place
    }
    CHECK(source.requests() - before <= 1);
    CHECK(first[50'000] == 50'000);
    CHECK(second[50'000] == 16);
    CHECK(first != second);
    second = {};
    CHECK(source.outstanding() == alone.nodes);
}

TEST_CASE("a version that nobody shares is edited in place") {
    FailingSource source;
    PersistentVector<int> vector{source};
    for (int number = 0; number < 10'000; ++number) {
        vector.push_back(number);
    }
    const std::size_t before = source.requests();
    for (std::size_t index = 0; index < 10'000; ++index) {
        vector.edit(index) += 1;
    }
    CHECK(source.requests() == before);
    CHECK(vector[9999] == 10'000);
    CHECK(vector.front() == 1);
    CHECK(vector.back() == 10'000);
}

TEST_CASE("taking elements away needs no memory, also where they are shared") {
    FailingSource source;
    PersistentVector<std::uint64_t> vector{source};
    for (std::uint64_t number = 0; number < 5000; ++number) {
        vector.push_back(number);
    }
    const PersistentVector<std::uint64_t> kept = vector;
    const std::size_t before = source.requests();
    while (!vector.empty()) {
        vector.pop_back();
        REQUIRE(vector.broken_invariant() == nullptr);
    }
    CHECK(source.requests() == before);
    CHECK(kept[4999] == 4999);
    CHECK(kept.footprint().shared_nodes == 0);
}

TEST_CASE("memory that runs out at any step leaves every version as it was") {
    test::fail_at_every_step([](FailingSource& source) {
        PersistentVector<Wide> vector{source};
        PersistentVector<Wide> older{source};
        std::vector<Wide> model;
        std::vector<Wide> older_model;
        for (std::uint64_t number = 0; number < 400; ++number) {
            if (number % 50 == 0) {
                older = vector;
                older_model = model;
            }
            const bool is_pushed = vector.try_push_back(number);
            if (is_pushed) {
                model.emplace_back(number);
            }
            const bool is_set = is_pushed && vector.try_set(number / 2, 7 * number);
            if (is_set) {
                model[number / 2] = 7 * number;
            }
            if (!is_set) {
                check_same(vector, model);
                check_same(older, older_model);
                return false;
            }
        }
        return true;
    });
}

TEST_CASE("a copy that throws leaves the version as it was and loses nothing") {
    struct Fragile {
        int value = 0;
        int* left = nullptr;
        Fragile(int number, int* copies_left) : value(number), left(copies_left) {}
        Fragile(const Fragile& other) : value(other.value), left(other.left) {
            if ((*left)-- == 0) {
                throw std::runtime_error("told to");
            }
        }
        Fragile& operator=(const Fragile&) = default;
        ~Fragile() = default;
    };
    FailingSource source;
    {
        int left = 1'000'000;
        PersistentVector<Fragile> vector{source};
        for (int number = 0; number < 100; ++number) {
            CHECK(vector.try_emplace_back(number, &left));
        }
        const PersistentVector<Fragile> other = vector;
        for (int allowed = 0; allowed < 5; ++allowed) {
            left = allowed;
            CHECK_THROWS_AS(static_cast<void>(vector.try_edit(40)), std::runtime_error);
            left = allowed == 0 ? 0 : 2;
            CHECK_THROWS_AS(static_cast<void>(vector.try_edit(99)), std::runtime_error);
            CHECK(vector.broken_invariant() == nullptr);
            CHECK(vector[40].value == 40);
        }
    }
    CHECK(source.outstanding() == 0);
}

TEST_CASE("its iterators walk, jump and meet as those of a vector do") {
    FailingSource source;
    PersistentVector<int> vector{source};
    for (int number = 0; number < 1000; ++number) {
        vector.push_back(2 * number);
    }
    CHECK(std::equal(vector.begin(), vector.end(), std::vector<int>(vector.begin(), vector.end()).begin()));
    CHECK(std::lower_bound(vector.begin(), vector.end(), 777) - vector.begin() == 389);
    auto at = vector.end();
    --at;
    CHECK(*at == 1998);
    at -= 999;
    CHECK(at == vector.begin());
    CHECK(at++[5] == 10);
    CHECK(*(500 + at--) == 1002);
    CHECK(*(at + 63) == 126);
    CHECK((at <=> vector.end()) < 0);
    std::vector<int> reversed(std::make_reverse_iterator(vector.end()), std::make_reverse_iterator(vector.begin()));
    CHECK(reversed.front() == 1998);
    CHECK(reversed.back() == 0);
    const PersistentVector<int> none;
    CHECK(none.begin() == none.end());
}

TEST_CASE("what is past the end stops the program, and a vector without a source refuses") {
    const auto death = test::death_of([] {
        os::report_failures_to_stderr();
        FailingSource source;
        PersistentVector<int> vector{source};
        vector.push_back(1);
        static_cast<void>(vector[1]);
    });
    CHECK(test::said(death, "an index is past the end of its vector"));
    PersistentVector<int> refusing;
    CHECK(!refusing.try_push_back(1));
    const auto second = test::death_of([] {
        os::report_failures_to_stderr();
        PersistentVector<int>{}.pop_back();
    });
    CHECK(test::said(second, "an empty vector has no last element"));
}

/// FailingSource behind a lock.
struct LockedSource {
    FailingSource below;
    std::mutex lock;
    void* try_allocate(Layout layout) noexcept {
        const std::lock_guard guard{lock};
        return below.try_allocate(layout);
    }
    void deallocate(void* block, Layout layout) noexcept {
        const std::lock_guard guard{lock};
        below.deallocate(block, layout);
    }
};

TEST_CASE("versions in several threads share nodes, change and end independently") {
    LockedSource source;
    {
        PersistentVector<std::uint64_t, Sharing::many_threads> origin{source};
        for (std::uint64_t number = 0; number < 3000; ++number) {
            origin.push_back(number);
        }
        std::vector<std::thread> threads;
        threads.reserve(3);
        for (std::uint64_t thread = 0; thread < 3; ++thread) {
            threads.emplace_back([mine = origin, thread]() mutable {
                test::Random random{thread};
                for (int round = 0; round < 300; ++round) {
                    auto kept = mine;
                    const std::size_t index = random.below(mine.size());
                    mine.set(index, thread);
                    if (random.one_in(3)) {
                        mine.pop_back();
                    } else {
                        mine.push_back(thread);
                    }
                    if (random.one_in(5)) {
                        mine = std::move(kept);
                    }
                }
                if (mine.broken_invariant() != nullptr) {
                    std::terminate();
                }
            });
        }
        const auto ours = std::move(origin);
        for (std::thread& thread : threads) {
            thread.join();
        }
        for (std::uint64_t number = 0; number < 3000; ++number) {
            REQUIRE(ours[number] == number);
        }
        CHECK(ours.footprint().shared_nodes == 0);
    }
    CHECK(source.below.outstanding() == 0);
}

}  // namespace
}  // namespace heapwright
