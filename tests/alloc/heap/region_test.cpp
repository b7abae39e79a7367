// A region of the test's own against a model: one entry a slice.
#include <heapwright/alloc/heap/detail/region.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include <doctest/doctest.h>

#include <tests/support/random.hpp>

namespace heapwright::test {
namespace {

using heap::kSliceBytes;
using heap::Region;
using heap::Span;

constexpr std::size_t kRegionSlices = 256;
constexpr std::size_t kRegionBytes = kRegionSlices * kSliceBytes;

struct Run {
    Span* head = nullptr;
    std::uint32_t slices = 0;
    std::uint64_t mark = 0;
};

/// A region and what must be true of it. Each taken slice bears its run's mark at its first and last word.
class Model {
public:
    Model() {
        REQUIRE(region.reserve(kRegionBytes));
        REQUIRE(region.committed_bytes() == 0);  // neither the addresses nor the records, which count as metadata
        taken_.resize(kRegionSlices);
        std::fill_n(taken_.begin(), region.first_slice(), true);
    }

    bool take(std::uint32_t slices, std::uint32_t alignment) {
        bool is_zero = false;
        Span* const head = region.take(slices, alignment, is_zero);
        if (head == nullptr) {
            return false;
        }
        REQUIRE(head->slices == slices);
        REQUIRE(head->start == start_of(head));
        REQUIRE(reinterpret_cast<std::uintptr_t>(head->start) % (alignment * kSliceBytes) == 0);
        REQUIRE(region.contains(head->start));
        REQUIRE(region.span_at(head->start + slices * kSliceBytes - 1) == head + (slices - 1));
        use(head, slices, is_zero);
        own(head, slices);
        runs.push_back({.head = head, .slices = slices, .mark = ++last_mark_});
        write(runs.back());
        return true;
    }

    void give(std::size_t chosen) {
        const Run run = runs[chosen];
        check(run);
        const std::size_t first = index_of(run.head);
        std::fill_n(taken_.begin() + static_cast<std::ptrdiff_t>(first), run.slices, false);
        region.give(run.head, run.slices);
        runs[chosen] = runs.back();
        runs.pop_back();
    }

    /// Returns whether there was room; that has to be so exactly if the model has room.
    bool extend(std::size_t chosen, std::uint32_t more) {
        Run& run = runs[chosen];
        check(run);
        const std::size_t end = index_of(run.head) + run.slices;
        bool has_room = end + more <= kRegionSlices;
        for (std::size_t index = end; has_room && index < end + more; ++index) {
            has_room = !taken_[index];
        }
        bool is_zero = false;
        REQUIRE(region.extend(run.head, run.slices, run.slices + more, is_zero) == has_room);
        if (!has_room) {
            REQUIRE(run.head->slices == run.slices);
            return false;
        }
        use(run.head + run.slices, more, false);
        run.slices += more;
        own(run.head, run.slices);
        REQUIRE(run.head->slices == run.slices);
        write(run);
        return true;
    }

    void check_sums() {
        const auto taken = static_cast<std::size_t>(std::count(taken_.begin(), taken_.end(), true));
        REQUIRE(std::size_t{region.used_slices()} * kSliceBytes - region.free_bytes() == taken * kSliceBytes);
        REQUIRE(region.dirty_bytes() <= region.free_bytes());
        REQUIRE(region.used_bytes() <= region.committed_bytes());
        const os::LockGuard guard(region.lock());
        const char* const broken = region.broken_invariant();
        REQUIRE_MESSAGE(broken == nullptr, broken);
    }
    void check_all() {
        for (const Run& run : runs) {
            check(run);
        }
        check_sums();
    }

    Region region;
    std::vector<Run> runs;

private:
    [[nodiscard]] std::size_t index_of(const Span* head) const { return static_cast<std::size_t>(head - region.records()); }
    [[nodiscard]] char* start_of(const Span* head) const {
        return reinterpret_cast<char*>(region.records()) + index_of(head) * kSliceBytes;
    }
    [[nodiscard]] static std::uint64_t* words_of(const Run& run, std::uint32_t slice) {
        return reinterpret_cast<std::uint64_t*>(run.head->start + slice * kSliceBytes);
    }
    static constexpr std::size_t kLastWord = kSliceBytes / sizeof(std::uint64_t) - 1;

    void use(const Span* head, std::uint32_t slices, bool is_zero) {
        const std::size_t first = index_of(head);
        REQUIRE(first + slices <= kRegionSlices);
        for (std::size_t index = first; index < first + slices; ++index) {
            REQUIRE_MESSAGE(!taken_[index], "a slice is given twice");
            taken_[index] = true;
        }
        if (is_zero) {
            const char* const start = start_of(head);
            REQUIRE(std::all_of(start, start + slices * kSliceBytes, [](char byte) { return byte == 0; }));
        }
    }
    /// What callers do: the region looks at the first and the last record only.
    static void own(Span* head, std::uint32_t slices) {
        for (std::uint32_t i = 1; i < slices; ++i) {
            head[i].owner.store(heap::owner::kInterior, std::memory_order_relaxed);  // one thread
            head[i].slices = 0;
        }
        head->owner.store(heap::owner::kLarge, std::memory_order_relaxed);  // as above
    }
    static void write(const Run& run) {
        for (std::uint32_t slice = 0; slice < run.slices; ++slice) {
            words_of(run, slice)[0] = run.mark;
            words_of(run, slice)[kLastWord] = run.mark;
        }
    }
    static void check(const Run& run) {
        for (std::uint32_t slice = 0; slice < run.slices; ++slice) {
            REQUIRE(words_of(run, slice)[0] == run.mark);
            REQUIRE(words_of(run, slice)[kLastWord] == run.mark);
        }
    }

    std::vector<bool> taken_;
    std::uint64_t last_mark_ = 0;
};

}  // namespace

TEST_CASE("random steps agree with the model, and every invariant holds after each") {
    Model model;
    Random random;
    unsigned extended = 0;
    unsigned refused = 0;
    for (unsigned step = 0; step < 8'000; ++step) {
        const std::uint64_t tide = step / 500 % 2 == 0 ? 60 : 35;  // now it fills, now it empties
        const std::uint64_t kind = random.below(100);
        if (kind < tide || model.runs.empty()) {
            const auto slices = static_cast<std::uint32_t>(random.one_in(6) ? random.between(1, 90) : random.between(1, 5));
            const std::uint32_t alignment = random.one_in(4) ? 1U << random.below(6) : 1U;
            refused += model.take(slices, alignment) ? 0U : 1U;
        } else if (kind < 90) {
            model.give(random.below(model.runs.size()));
        } else if (kind < 97) {
            extended += model.extend(random.below(model.runs.size()), static_cast<std::uint32_t>(random.between(1, 12))) ? 1U : 0U;
        } else {
            const std::uint32_t turn = heap::g_turn.fetch_add(1, std::memory_order_relaxed);  // one thread
            static_cast<void>(model.region.purge(turn - 2, random.one_in(3)));
        }
        model.check_sums();
    }
    model.check_all();
    CHECK(extended > 20);
    CHECK(refused > 20);
    while (!model.runs.empty()) {
        model.give(0);
    }
    model.check_sums();
    CHECK(model.region.free_bytes() == model.region.used_bytes());
}

TEST_CASE("what was purged reads as zero when it is taken again, and the sum of bytes is right") {
    Model model;
    for (int i = 0; i < 10; ++i) {
        REQUIRE(model.take(4, 1));
    }
    for (int i = 0; i < 5; ++i) {
        model.give(0);
    }
    CHECK(model.region.dirty_bytes() == 20 * kSliceBytes);
    const std::uint64_t before = heap::g_given_back.load(std::memory_order_relaxed);  // a figure
    CHECK(model.region.purge(0, true) == 20 * kSliceBytes);
    CHECK(heap::g_given_back.load(std::memory_order_relaxed) == before + 20 * kSliceBytes);  // a figure
    CHECK(model.region.dirty_bytes() == 0);
    CHECK(model.region.purge(0, true) == 0);
    model.check_all();
    bool is_zero = false;
    Span* const again = model.region.take(4, 1, is_zero);
    REQUIRE(again != nullptr);
    CHECK(is_zero);
    CHECK(std::all_of(again->start, again->start + 4 * kSliceBytes, [](char byte) { return byte == 0; }));
}

TEST_CASE("memory that was used and not purged is not called zero") {
    Model model;
    REQUIRE(model.take(3, 1));
    model.give(0);
    bool is_zero = true;
    REQUIRE(model.region.take(3, 1, is_zero) != nullptr);
    CHECK(!is_zero);
}

TEST_CASE("only what was free before the turn is purged") {
    Model model;
    REQUIRE(model.take(2, 1));
    REQUIRE(model.take(1, 1));  // keeps the two apart
    REQUIRE(model.take(3, 1));
    REQUIRE(model.take(1, 1));
    const std::uint32_t turn = heap::g_turn.load(std::memory_order_relaxed);  // one thread
    model.give(0);
    heap::g_turn.store(turn + 1, std::memory_order_relaxed);  // one thread
    const auto younger = std::find_if(model.runs.begin(), model.runs.end(), [](const Run& run) { return run.slices == 3; });
    model.give(static_cast<std::size_t>(younger - model.runs.begin()));
    CHECK(model.region.purge(turn, false) == 0);
    CHECK(model.region.purge(turn + 1, false) == 2 * kSliceBytes);
    CHECK(model.region.dirty_bytes() == 3 * kSliceBytes);
    CHECK(model.region.purge(turn + 2, false) == 3 * kSliceBytes);
    model.check_all();
}

TEST_CASE("more stretches than are purged at one time are all purged") {
    Model model;
    for (int i = 0; i < 200; ++i) {
        REQUIRE(model.take(1, 1));
    }
    std::vector<Span*> odd;
    for (const Run& run : model.runs) {
        if (((run.head - model.region.records()) & 1) != 0) {
            odd.push_back(run.head);
        }
    }
    for (Span* const head : odd) {
        const auto at = std::find_if(model.runs.begin(), model.runs.end(), [&](const Run& run) { return run.head == head; });
        model.give(static_cast<std::size_t>(at - model.runs.begin()));
    }
    CHECK(model.region.purge(0, true) == odd.size() * kSliceBytes);
    CHECK(model.region.dirty_bytes() == 0);
    model.check_all();
}

TEST_CASE("when slices run out nothing changes, and what comes back is given again") {
    Model model;
    while (model.take(7, 1)) {}
    const std::size_t used = model.region.used_bytes();
    const std::size_t free = model.region.free_bytes();
    const std::size_t metadata = model.region.metadata_bytes();
    for (const std::uint32_t slices : {7U, 100U, 256U, 257U, UINT32_MAX}) {
        CHECK(!model.take(slices, 1));
    }
    CHECK(!model.take(7, 64));
    CHECK(!model.take(0, 1));
    CHECK(model.region.used_bytes() == used);
    CHECK(model.region.free_bytes() == free);
    CHECK(model.region.metadata_bytes() == metadata);
    model.check_all();
    model.give(model.runs.size() / 2);
    CHECK(model.take(7, 1));
    CHECK(!model.take(7, 1));
    model.check_all();
}

TEST_CASE("runs lie at multiples of what is asked") {
    Model model;
    CHECK(model.take(1, 64));
    for (std::uint32_t alignment = 1; alignment <= 16; alignment *= 2) {
        CHECK(model.take(1, alignment));  // the model looks at the address
        CHECK(model.take(3, alignment));
        model.check_sums();
    }
}

TEST_CASE("an aligned run from the middle of the last free run leaves both ends of it free") {
    Model model;
    REQUIRE(model.take(40, 1));
    model.give(0);  // 40 free slices at the end: fewer than 1 + 63, and for most places an aligned one lies inside
    const std::size_t used = model.region.used_bytes();
    REQUIRE(model.take(1, 64));
    model.check_all();
    model.give(0);
    model.check_all();
    CHECK(model.region.free_bytes() >= used - model.region.first_slice() * kSliceBytes);
}

TEST_CASE("a region that was not reserved has nothing to give") {
    Region region;
    bool is_zero = false;
    CHECK(!region.is_reserved());
    CHECK(region.take(1, 1, is_zero) == nullptr);
    CHECK(!region.contains(&region));
    CHECK(region.purge(0, true) == 0);
}

}  // namespace heapwright::test
