// Slabs: objects under keys, at addresses that stay, in chunks that go back.
#include <heapwright/alloc/slab/slab.hpp>

#include <algorithm>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/os/report.hpp>

#include <tests/support/death.hpp>
#include <tests/support/failing_source.hpp>
#include <tests/support/random.hpp>

namespace heapwright {
namespace {

using test::FailingSource;

using TinyKey = BasicSlabKey<std::uint8_t>;  // a place is used up after 126 objects
constexpr std::size_t kSmallChunk = 1024;

TEST_CASE("an object lives under its key and at its address until it is erased") {
    FailingSource source;
    Slab<std::string> slab{source};
    const SlabKey key = slab.insert("the first of them, too long for the small buffer");
    std::string* const address = slab.find(key);
    REQUIRE(address != nullptr);
    std::vector<SlabKey> others;
    for (int count = 0; count < 5000; ++count) {
        others.push_back(slab.insert(std::to_string(count)));
    }
    CHECK(slab.find(key) == address);
    CHECK(slab[key] == "the first of them, too long for the small buffer");
    CHECK(slab.key_of(*address) == key);
    CHECK(slab.size() == 5001);
    CHECK(slab.erase(key));
    CHECK(slab.find(key) == nullptr);
    CHECK_FALSE(slab.contains(key));
    for (std::size_t count = 0; count < others.size(); ++count) {
        REQUIRE(slab[others[count]] == std::to_string(count));
    }
    CHECK(slab.broken_invariant() == nullptr);
}

TEST_CASE("a key of an object that is gone stays dead when another moves into its place") {
    FailingSource source;
    Slab<int> slab{source};
    const SlabKey old = slab.insert(1);
    const int* const address = slab.find(old);
    CHECK(slab.erase(old));
    const SlabKey fresh = slab.insert(2);
    CHECK(slab.find(fresh) == address);
    CHECK(slab.find(old) == nullptr);
    CHECK_FALSE(slab.erase(old));
    CHECK(slab[fresh] == 2);
}

TEST_CASE("a place whose generations are used up is given up, and no key comes alive again") {
    FailingSource source;
    Slab<int, TinyKey, kSmallChunk> slab{source};
    const auto capacity = Slab<int, TinyKey, kSmallChunk>::kSlotsPerChunk;
    std::set<TinyKey> all;
    const std::size_t rounds = capacity * 127 + 500;  // more than the first chunk can ever hold
    for (std::size_t round = 0; round < rounds; ++round) {
        const TinyKey key = slab.insert(static_cast<int>(round));
        REQUIRE(all.insert(key).second);
        REQUIRE(slab.erase(key));
    }
    for (const TinyKey key : all) {
        REQUIRE(slab.find(key) == nullptr);
    }
    CHECK(slab.broken_invariant() == nullptr);
    CHECK(slab.stats().chunks <= 2);
}

TEST_CASE("keys stay dead when their chunk goes back to the source and its number comes again") {
    FailingSource source;
    Slab<int, TinyKey, kSmallChunk> slab{source, {.spare_chunks = 0}};
    std::set<TinyKey> all;
    for (int round = 0; round < 1000; ++round) {
        const TinyKey key = slab.insert(round);
        REQUIRE(all.insert(key).second);
        REQUIRE(slab.erase(key));
        slab.trim();
        REQUIRE(slab.stats().chunks == 0);
        REQUIRE(slab.broken_invariant() == nullptr);
    }
    const TinyKey key = slab.insert(7);
    for (const TinyKey old : all) {
        REQUIRE(slab.find(old) == nullptr);
    }
    CHECK(slab[key] == 7);
}

TEST_CASE("with 64-bit generations no place is ever given up") {
    FailingSource source;
    Slab<int, WideSlabKey> slab{source};
    WideSlabKey last;
    for (int round = 0; round < 100'000; ++round) {
        const WideSlabKey key = slab.insert(round);
        REQUIRE(key.generation() > last.generation());
        REQUIRE(slab.erase(key));
        last = key;
    }
    CHECK(slab.stats().given_up_places == 0);
}

TEST_CASE("a key that was made up finds nothing") {
    FailingSource source;
    Slab<int, SlabKey, kSmallChunk> slab{source};
    const SlabKey key = slab.insert(1);
    CHECK(slab.find(SlabKey{}) == nullptr);
    for (std::uint32_t index = 0; index < 100'000; ++index) {
        const auto made_up = SlabKey::from_parts(index, key.generation());
        REQUIRE((slab.find(made_up) != nullptr) == (made_up == key));
    }
    CHECK(slab.find(SlabKey::from_parts(0xFFFF'FFFF, 3)) == nullptr);
    Slab<int> empty{source};
    CHECK(empty.find(key) == nullptr);
    CHECK_FALSE(empty.erase(key));
}

TEST_CASE("empty chunks go back to the source, all but the spare, and that by trim") {
    FailingSource source;
    Slab<int, SlabKey, kSmallChunk> slab{source, {.spare_chunks = 1}};
    std::vector<SlabKey> keys;
    for (int count = 0; count < 20'000; ++count) {
        keys.push_back(slab.insert(count));
    }
    const std::size_t full = slab.stats().chunks;
    CHECK(full > 50);
    test::Random random{1};
    while (!keys.empty()) {
        std::swap(keys[random.below(keys.size())], keys.back());
        REQUIRE(slab.erase(keys.back()));
        keys.pop_back();
    }
    CHECK(slab.broken_invariant() == nullptr);
    CHECK(slab.stats().chunks <= 2);  // a spare, and the one where the next object goes
    CHECK(slab.trim() > 0);
    CHECK(slab.stats().chunks == 0);
    CHECK(source.outstanding() <= 1);  // the directory
    CHECK(slab.broken_invariant() == nullptr);
}

TEST_CASE("objects are visited once each, in order of address within a chunk") {
    FailingSource source;
    Slab<int, SlabKey, kSmallChunk> slab{source};
    std::set<SlabKey> keys;
    for (int count = 0; count < 1000; ++count) {
        keys.insert(slab.insert(count));
    }
    for (auto at = keys.begin(); at != keys.end();) {
        if (slab[*at] % 3 == 0) {
            CHECK(slab.erase(*at));
            at = keys.erase(at);
        } else {
            ++at;
        }
    }
    std::set<SlabKey> seen;
    slab.for_each([&](SlabKey key, const int& value) {
        CHECK(value % 3 != 0);
        CHECK(seen.insert(key).second);
    });
    CHECK(seen == keys);
    CHECK(static_cast<std::size_t>(std::distance(slab.begin(), slab.end())) == keys.size());
    for (auto at = slab.begin(); at != slab.end(); ++at) {
        CHECK(slab.find(at.key()) == &*at);
    }
    static_assert(std::forward_iterator<Slab<int>::iterator> && std::forward_iterator<Slab<int>::const_iterator>);
    const auto& constant = slab;
    CHECK(std::count_if(constant.begin(), constant.end(), [](int value) { return value % 3 == 0; }) == 0);
    CHECK(Slab<int>{source}.begin() == Slab<int>{source}.end());
}

TEST_CASE("erase_if destroys what it is told, and gives emptied chunks back") {
    FailingSource source;
    Slab<std::string, SlabKey, kSmallChunk> slab{source, {.spare_chunks = 0}};
    for (int count = 0; count < 1000; ++count) {
        slab.insert("a text that is too long for the small buffer " + std::to_string(count));
    }
    CHECK(slab.erase_if([](const std::string& text) { return text.back() == '7'; }) == 100);
    CHECK(slab.size() == 900);
    CHECK(slab.broken_invariant() == nullptr);
    slab.clear();
    CHECK(slab.empty());
    CHECK(slab.stats().chunks <= 1);
    CHECK(slab.broken_invariant() == nullptr);
}

TEST_CASE("clear keeps a chunk whose places are all used up from staying") {
    FailingSource source;
    Slab<int, TinyKey, kSmallChunk> slab{source, {.spare_chunks = 0}};
    for (int round = 0; round < 127; ++round) {
        for (std::size_t count = 0; count < slab.kSlotsPerChunk; ++count) {
            slab.insert(1);
        }
        slab.clear();
        REQUIRE(slab.broken_invariant() == nullptr);
    }
    slab.trim();
    CHECK(slab.stats().chunks == 0);
}

TEST_CASE("what still lives is destroyed with the slab, and every byte comes home") {
    FailingSource source;
    auto witness = std::make_shared<int>(0);
    {
        Slab<std::shared_ptr<int>, SlabKey, kSmallChunk> slab{source};
        for (int count = 0; count < 300; ++count) {
            slab.insert(witness);
        }
        CHECK(witness.use_count() == 301);
    }
    CHECK(witness.use_count() == 1);
    CHECK(source.outstanding() == 0);
}

TEST_CASE("a limit refuses, says so, and changes nothing") {
    FailingSource source;
    Slab<int> slab{source, {.limit_objects = 3}};
    slab.insert(1);
    const SlabKey second = slab.insert(2);
    slab.insert(3);
    CHECK_FALSE(static_cast<bool>(slab.try_insert(4)));
    CHECK(slab.why_refused() == Errc::limit_reached);
    CHECK(slab.stats().refusals == 1);
    CHECK(slab.erase(second));
    CHECK(static_cast<bool>(slab.try_insert(5)));
    CHECK(slab.stats().peak_objects == 3);
}

TEST_CASE("memory may run out at every step of a slab") {
    test::fail_at_every_step([](FailingSource& source) {
        Slab<std::uint64_t, SlabKey, kSmallChunk> slab{source};
        std::vector<SlabKey> keys;
        bool finished = true;
        for (std::uint64_t count = 0; count < 3000 && finished; ++count) {
            const SlabKey key = slab.try_insert(count);
            finished = static_cast<bool>(key);
            if (finished) {
                keys.push_back(key);
            } else {
                CHECK(slab.why_refused() == Errc::out_of_memory);
            }
        }
        for (std::size_t count = 0; count < keys.size(); ++count) {
            REQUIRE(slab[keys[count]] == count);
        }
        CHECK(slab.broken_invariant() == nullptr);
        return finished;
    });
}

struct Throws {
    explicit Throws(bool does) {
        if (does) {
            throw std::runtime_error{"not today"};
        }
    }
};

TEST_CASE("a constructor that throws leaves the slab as it was") {
    FailingSource source;
    Slab<Throws> slab{source};
    const SlabKey key = slab.insert(false);
    CHECK_THROWS(static_cast<void>(slab.try_insert(true)));
    CHECK(slab.size() == 1);
    CHECK(slab.contains(key));
    CHECK(slab.broken_invariant() == nullptr);
}

/// A tree that makes and destroys its children in its own slab.
struct Tree {
    using Slab = heapwright::Slab<Tree, SlabKey, 4096>;
    Slab& slab;
    SlabKey left;
    SlabKey right;
    Tree(Slab& own, int depth) : slab(own) {
        if (depth > 0) {
            left = slab.insert(own, depth - 1);
            right = slab.insert(own, depth - 1);
        }
    }
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;
    ~Tree() {
        slab.erase(left);
        slab.erase(right);
    }
};

TEST_CASE("constructors may insert and destructors may erase") {
    FailingSource source;
    Tree::Slab slab{source};
    const SlabKey root = slab.insert(slab, 9);
    CHECK(slab.size() == 1023);
    CHECK(slab.broken_invariant() == nullptr);
    CHECK(slab.erase(root));
    CHECK(slab.empty());
    CHECK(slab.broken_invariant() == nullptr);
    slab.insert(slab, 9);
    slab.clear();  // the children go with their parents, or before them
    CHECK(slab.empty());
    slab.insert(slab, 9);
    CHECK(slab.broken_invariant() == nullptr);
}

struct alignas(256) Aligned {
    char bytes[300];
};
struct Large {
    char bytes[100'000];
};

TEST_CASE("any size and alignment") {
    FailingSource source;
    Slab<Aligned> aligned{source};
    Slab<Large> large{source};
    Slab<char> small{source};
    for (int count = 0; count < 50; ++count) {
        CHECK(is_aligned(aligned.find(aligned.insert()), 256));
        CHECK(large.find(large.insert()) != nullptr);
        CHECK(*small.find(small.insert('x')) == 'x');
    }
    CHECK(Slab<Large>::kChunkBytes == std::size_t{2} << 20);
    CHECK(Slab<char>::kSlotsPerChunk > (kPoisoning ? 3'000 : 9'000));
}

TEST_CASE("a slab may stand on an arena") {
    FailingSource source;
    Arena arena{source};
    Slab<int> slab{arena};
    const SlabKey key = slab.insert(5);
    CHECK(slab[key] == 5);
}

TEST_CASE("misuse is refused with a sentence") {
    os::report_failures_to_stderr();
    const auto gone = test::death_of([] {
        FailingSource source;
        Slab<int> slab{source};
        const SlabKey key = slab.insert(1);
        slab.erase(key);
        slab[key] = 2;
    });
    CHECK(test::said(gone, "heapwright: no such object: the key's object is gone"));
    const auto refused = test::death_of([] {
        FailingSource source;
        Slab<int> slab{source, {.limit_objects = 1}};
        slab.insert(1);
        slab.insert(2);
    });
    CHECK(test::said(refused, "heapwright: out of memory: the slab's limit or source refused"));
}

#if HEAPWRIGHT_UNDER_ASAN
TEST_CASE("an erased object is poisoned, and so is what lies behind a live one") {
    FailingSource source;
    Slab<int> slab{source};
    const SlabKey key = slab.insert(1);
    const int* const object = slab.find(key);
    CHECK_FALSE(is_poisoned(object, sizeof(int)));
    CHECK(is_poisoned(object + 1, 1));
    slab.erase(key);
    CHECK(is_poisoned(object, sizeof(int)));
}
#endif

}  // namespace
}  // namespace heapwright
