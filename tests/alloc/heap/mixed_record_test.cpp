// The bits of a mixed span, against a model.
#include <heapwright/alloc/heap/detail/mixed_record.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <iterator>
#include <map>
#include <thread>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

namespace heapwright::test {
namespace {

using heap::kGranulesOfSlice;
using heap::MixedRecord;

/// What a record should say: blocks by their first granule.
using Model = std::map<std::uint32_t, std::uint32_t>;

std::uint32_t first_fit(const Model& model, std::uint32_t granules) {
    std::uint32_t free = 0;
    for (const auto& [first, count] : model) {
        if (first - free >= granules) {
            return free;
        }
        free = first + count;
    }
    return kGranulesOfSlice - free >= granules ? free : kGranulesOfSlice;
}

TEST_CASE("a record finds the first room there is, knows each block's length, and joins what is free") {
    Random random(1);
    MixedRecord record;
    record.describe(nullptr, 0, 16);
    Model model;
    for (unsigned step = 0; step < 30'000; ++step) {
        const bool is_filling = step / 2'000 % 2 == 0;
        if (model.empty() || random.below(100) < (is_filling ? 70 : 30)) {
            const auto granules = static_cast<std::uint32_t>(random.between(1, random.one_in(10) ? 600 : 40));
            const std::uint32_t found = record.find(granules);
            REQUIRE(found == first_fit(model, granules));
            if (found != kGranulesOfSlice) {
                REQUIRE(record.is_free(found, granules));
                record.take(found, granules);
                model.emplace(found, granules);
            } else {
                REQUIRE(record.longest_free() < granules);
            }
        } else {
            const auto chosen = std::next(model.begin(), static_cast<std::ptrdiff_t>(random.below(model.size())));
            REQUIRE(record.is_block(chosen->first));
            REQUIRE((chosen->second == 1 || !record.is_block(chosen->first + 1)));
            REQUIRE(record.granules_of_block(chosen->first) == chosen->second);
            record.give(chosen->first);
            model.erase(chosen);
        }
        const char* const broken = record.broken_invariant();
        REQUIRE_MESSAGE(broken == nullptr, broken);
        REQUIRE(record.blocks() == model.size());
    }
}

TEST_CASE("a record knows which pages have no block in them") {
    MixedRecord record;
    record.describe(nullptr, 0, 16);
    CHECK(record.free_pages() == 0xFFFF);
    record.take(0, 1);
    record.take(255, 2);          // the last of the first page, and the first of the second
    record.take(5 * 256 - 1, 1);  // the last of the fifth
    record.take(15 * 256, 256);   // the last page
    CHECK(record.free_pages() == 0x7FEC);
    record.give(255);
    CHECK(record.free_pages() == 0x7FEE);
    record.give(15 * 256);
    record.give(0);
    CHECK(record.free_pages() == 0xFFEF);
}

TEST_CASE("a record is made of the blocks of a span that live") {
    std::array<std::uint64_t, 4> live{};
    live[0] = 0b1001;  // of 200 blocks of 48 bytes
    live[3] = std::uint64_t{1} << 7;
    MixedRecord record;
    record.describe(live.data(), 200, 48);
    CHECK(record.blocks() == 3);
    CHECK(record.used_granules() == 9);
    CHECK((record.is_block(0) && record.is_block(9) && record.is_block(199 * 3)));
    CHECK_FALSE((record.is_block(1) || record.is_block(3) || record.is_block(8)));
    CHECK(record.find(6) == 3);
    CHECK(record.find(7) == 12);
    CHECK(record.longest_free() == kGranulesOfSlice - 200 * 3);
    CHECK(record.broken_invariant() == nullptr);
}

TEST_CASE("whoever looks between two instructions, as a child of fork does, finds a count of live blocks that once was right") {
    heap::Span span;
    span.set_live(100, 0);
    std::atomic<bool> is_over{false};
    std::thread owner([&] {
        for (std::uint32_t step = 0; !is_over; ++step) {
            span.set_live(100, step % 2 == 0 ? 68 : 0);
        }
    });
    using Both [[gnu::may_alias]] = std::uint64_t;
    unsigned wrong = 0;
    for (unsigned look = 0; look < 200'000; ++look) {
        const auto seen = std::bit_cast<std::array<std::uint32_t, 2>>(
            std::uint64_t{__atomic_load_n(reinterpret_cast<const Both*>(&span.countdown), __ATOMIC_RELAXED)});
        wrong += seen[0] + seen[1] == 100 ? 0U : 1U;
    }
    is_over = true;
    owner.join();
    CHECK(wrong == 0);
}

}  // namespace
}  // namespace heapwright::test
