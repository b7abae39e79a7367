// Sparse spans that become room for blocks of other sizes: what a span's bits say, and what malloc and free do with such spans.
#include <heapwright/alloc/heap/detail/mixed_record.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/heap.hpp>
#include <heapwright/base/platform.hpp>

#include <tests/support/death.hpp>
#include <tests/support/random.hpp>

namespace heapwright::test {
namespace {

using heap::kGranulesOfSlice;
using heap::MixedRecord;

constexpr std::size_t kMiB = std::size_t{1} << 20;

struct Held {
    unsigned char* block = nullptr;
    std::size_t bytes = 0;
    unsigned char mark = 0;
};

bool is_intact(const Held& held) {
    return std::all_of(held.block, held.block + held.bytes, [&](unsigned char byte) { return byte == held.mark; });
}

bool are_intact(const std::vector<Held>& held) { return std::all_of(held.begin(), held.end(), is_intact); }

bool is_in_mixed(const void* block) { return heap::find_span(block)->is_mixed(); }

std::size_t count_mixed(const std::vector<Held>& held) {
    return static_cast<std::size_t>(std::count_if(held.begin(), held.end(), [](const Held& one) { return is_in_mixed(one.block); }));
}

/// Blocks of the process's heap.
struct OfProcess {
    static Held make(std::size_t bytes, unsigned char mark) {
        auto* const block = static_cast<unsigned char*>(default_heap::allocate(bytes));
        std::memset(block, mark, bytes);
        return {.block = block, .bytes = bytes, .mark = mark};
    }
    static void release(const Held& held) { default_heap::release(held.block); }
};

std::vector<Held> make_many(std::size_t count, std::size_t bytes) {
    std::vector<Held> made;
    made.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        made.push_back(OfProcess::make(bytes, static_cast<unsigned char>(i * 7 + bytes)));
    }
    return made;
}

void release_all(std::vector<Held>& held) {
    std::for_each(held.begin(), held.end(), OfProcess::release);
    held.clear();
}

/// Keeps one block of so many.
std::vector<Held> thin_out(const std::vector<Held>& made, std::size_t share) {
    std::vector<Held> left;
    for (std::size_t i = 0; i < made.size(); ++i) {
        if (i % share == 0) {
            left.push_back(made[i]);
        } else {
            OfProcess::release(made[i]);
        }
    }
    return left;
}

/// Sparse spans of this thread, and larger blocks, of which some came to lie in them.
struct ChangedMix {
    ChangedMix() : left(thin_out(make_many(30'000, 256), 16)), larger(make_many(12'000, 512)) {}
    ~ChangedMix() {
        release_all(left);
        release_all(larger);
        static_cast<void>(default_heap::trim());
    }
    std::vector<Held> left;
    std::vector<Held> larger;
};

void check_heap() {
    const char* const broken = heap::g_default_core.broken_invariant();
    CHECK_MESSAGE(broken == nullptr, broken);
}

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

TEST_CASE("larger blocks find room between those that are left of a size that nobody asks for any more") {
    static_cast<void>(default_heap::trim());
    const std::size_t before = heap::g_default_core.span_bytes();
    std::vector<Held> left = thin_out(make_many(60'000, 256), 16);
    const std::size_t sparse = heap::g_default_core.span_bytes();
    std::vector<Held> larger = make_many(22'000, 512);  // seven fit where sixteen blocks lay
    const std::size_t after = heap::g_default_core.span_bytes();
    CHECK(sparse - before >= 14 * kMiB);
    CHECK(after - sparse <= 2 * kMiB);
    CHECK(count_mixed(larger) > 19'000);
    CHECK((are_intact(left) && are_intact(larger)));
    check_heap();
    release_all(left);
    CHECK(are_intact(larger));
    release_all(larger);
    static_cast<void>(default_heap::trim());
    check_heap();
    CHECK(heap::g_default_core.span_bytes() <= before + kMiB);
}

TEST_CASE("without sparse spans, or for a thread that needs little, nothing is mixed") {
    std::vector<Held> full = make_many(30'000, 256);
    std::vector<Held> larger = make_many(10'000, 512);
    CHECK(count_mixed(full) + count_mixed(larger) == 0);
    release_all(larger);
    release_all(full);
    std::thread([] {
        std::vector<Held> left = thin_out(make_many(2'000, 256), 16);
        std::vector<Held> few = make_many(500, 512);
        CHECK(count_mixed(few) == 0);
        release_all(few);
        release_all(left);
    }).join();
    static_cast<void>(default_heap::trim());
}

TEST_CASE("a block in a mixed span has its size, grows, is zeroed and lies at multiples of 16") {
    ChangedMix mix;
    REQUIRE(count_mixed(mix.larger) > 1'000);
    unsigned moved = 0;
    for (Held& one : mix.larger) {
        REQUIRE(default_heap::usable_bytes(one.block) >= one.bytes);
        REQUIRE(reinterpret_cast<std::uintptr_t>(one.block) % 16 == 0);
        if (is_in_mixed(one.block)) {
            REQUIRE(default_heap::usable_bytes(one.block) == 512);
            REQUIRE(default_heap::resize_in_place(one.block, 400));
            REQUIRE_FALSE(default_heap::resize_in_place(one.block, 513));
            if (++moved % 4 == 0) {
                one.block = static_cast<unsigned char*>(default_heap::reallocate(one.block, 700));
                REQUIRE(is_intact(one));
                std::memset(one.block, one.mark, 700);
                one.bytes = 700;
            }
        }
    }
    for (const Held& one : mix.left) {
        REQUIRE(default_heap::usable_bytes(one.block) == 256);
    }
    std::vector<Held> zeroed;
    for (unsigned i = 0; i < 4'000; ++i) {
        auto* const block = static_cast<unsigned char*>(default_heap::allocate_zeroed(496));
        REQUIRE(std::all_of(block, block + 496, [](unsigned char byte) { return byte == 0; }));
        zeroed.push_back({.block = block, .bytes = 496, .mark = 0});
        void* const aligned = default_heap::allocate_aligned(100, 128);
        REQUIRE(reinterpret_cast<std::uintptr_t>(aligned) % 128 == 0);
        zeroed.push_back({.block = static_cast<unsigned char*>(aligned)});
    }
    CHECK(count_mixed(zeroed) > 0);
    CHECK((are_intact(mix.left) && are_intact(mix.larger)));
    check_heap();
    release_all(zeroed);
}

TEST_CASE("a second free into a mixed span, and a free inside of a block, stop the program") {
    ChangedMix mix;
    const auto found = std::find_if(mix.larger.begin(), mix.larger.end(), [](const Held& one) { return is_in_mixed(one.block); });
    REQUIRE(found != mix.larger.end());
    unsigned char* const block = found->block;
    const auto twice = death_of([&] {
        default_heap::release(block);
        default_heap::release(block);
        static_cast<void>(default_heap::trim());
    });
    CHECK(twice.died);
    CHECK(said(twice, "free"));
    const auto inside = death_of([&] {
        default_heap::release(block + 32);
        static_cast<void>(default_heap::trim());
    });
    CHECK(inside.died);
    CHECK(said(inside, "free"));
}

TEST_CASE("pages of mixed spans in which nothing lives go back, and come again with their blocks") {
    ChangedMix mix;
    std::vector<Held> kept;
    for (std::size_t i = 0; i < mix.larger.size(); ++i) {
        (i / 64 % 2 == 0 ? kept : mix.left).push_back(mix.larger[i]);
    }
    mix.larger = std::move(kept);
    release_all(mix.left);
    const std::uint64_t absent = default_heap::statistics().absent_bytes;
    static_cast<void>(default_heap::trim());
    CHECK(default_heap::statistics().absent_bytes > absent + kMiB / 2);
    std::vector<Held> again = make_many(6'000, 512);
    CHECK((are_intact(mix.larger) && are_intact(again)));
    release_all(again);
    check_heap();
}

TEST_CASE("the figures know what lives in mixed spans") {
    static_cast<void>(default_heap::trim());
    const HeapStatistics before = default_heap::statistics();
    ChangedMix mix;
    REQUIRE(count_mixed(mix.larger) > 1'000);
    const HeapStatistics during = default_heap::statistics();
    const std::size_t bytes = mix.left.size() * 256 + mix.larger.size() * 512;
    CHECK(during.small_blocks - before.small_blocks >= mix.left.size() + mix.larger.size());
    CHECK(during.allocated_bytes - before.allocated_bytes >= bytes);
    CHECK(during.allocated_bytes - before.allocated_bytes <= bytes + bytes / 8);
}

TEST_CASE("other threads free into mixed spans, and what a thread leaves behind is room for the next") {
    std::vector<Held> left;
    std::vector<Held> larger;
    std::thread([&] {
        left = thin_out(make_many(60'000, 256), 16);
        larger = make_many(8'000, 512);
        REQUIRE(count_mixed(larger) > 4'000);
    }).join();
    CHECK((are_intact(left) && are_intact(larger)));
    const std::size_t spans = heap::g_default_core.span_bytes();
    std::vector<Held> more;
    std::thread([&] { more = make_many(10'000, 512); }).join();
    CHECK(count_mixed(more) > 6'000);
    CHECK(heap::g_default_core.span_bytes() - spans <= 3 * kMiB);
    CHECK((are_intact(left) && are_intact(larger) && are_intact(more)));
    release_all(more);
    release_all(left);
    CHECK(are_intact(larger));
    release_all(larger);
    static_cast<void>(default_heap::trim());
    check_heap();
}

TEST_CASE("a thread that now and then frees what others left behind does not keep their spans") {
    std::vector<Held> made;
    std::thread([&] { made = make_many(40'000, 256); }).join();
    for (std::size_t i = 0; i < made.size(); i += 64) {  // four of each span
        OfProcess::release(made[i]);
        made[i] = {};
    }
    std::size_t ours = 0;
    for (const Held& one : made) {
        ours += one.block != nullptr && heap::find_span(one.block)->cache.load() != nullptr ? 1U : 0U;
    }
    CHECK(ours < made.size() / 10);
    std::erase_if(made, [](const Held& one) { return one.block == nullptr; });
    CHECK(are_intact(made));
    release_all(made);  // so many of one span that it is worth adopting it
    static_cast<void>(default_heap::trim());
    check_heap();
}

TEST_CASE("threads ask for sizes that change, and hand blocks to each other") {
    constexpr unsigned kThreads = 3;
    constexpr std::size_t kSlots = 6'000;
    std::vector<std::atomic<Held*>> slots(kSlots);
    std::atomic<unsigned> bad{0};
    std::atomic<std::size_t> mixed{0};
    const auto work = [&](unsigned number) {
        Random random(number + 10);
        for (unsigned phase = 0; phase < 6; ++phase) {
            const std::size_t least = std::size_t{32} << (phase * 2 % 5);
            for (unsigned step = 0; step < 9'000; ++step) {
                const std::size_t bytes = random.between(least, least * 2);
                auto* const held = new Held(OfProcess::make(bytes, static_cast<unsigned char>(step)));
                mixed += is_in_mixed(held->block) ? 1U : 0U;
                Held* const before = slots[random.below(kSlots)].exchange(held);
                if (before != nullptr) {
                    bad += is_intact(*before) && default_heap::usable_bytes(before->block) >= before->bytes ? 0U : 1U;
                    OfProcess::release(*before);
                    delete before;
                }
            }
            for (unsigned i = 0; i < kSlots / kThreads; ++i) {  // most go, so that spans are sparse
                if (Held* const before = slots[random.below(kSlots)].exchange(nullptr); before != nullptr) {
                    bad += is_intact(*before) ? 0U : 1U;
                    OfProcess::release(*before);
                    delete before;
                }
            }
        }
    };
    std::vector<std::thread> threads;
    for (unsigned number = 0; number < kThreads; ++number) {
        threads.emplace_back(work, number);
    }
    for (unsigned i = 0; i < 200; ++i) {
        static_cast<void>(default_heap::trim());
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(bad == 0);
    for (auto& slot : slots) {
        if (const Held* const held = slot.load(); held != nullptr) {
            CHECK(is_intact(*held));
            OfProcess::release(*held);
            delete held;
        }
    }
    static_cast<void>(default_heap::trim());
    check_heap();
}

TEST_CASE("a heap of one's own: sizes change at random, and every byte is where it was") {
    Heap heap;
    Random random(5);
    std::vector<Held> held;
    std::size_t mixed = 0;
    for (unsigned phase = 0; phase < 12; ++phase) {
        const std::size_t least = std::size_t{16} << random.below(8);
        for (std::size_t bytes = 0; bytes < 4 * kMiB;) {
            const std::size_t wanted = random.between(least, least * 2);
            auto* const block = static_cast<unsigned char*>(heap.allocate(wanted));
            REQUIRE(block != nullptr);
            const auto mark = static_cast<unsigned char>(random.next());
            std::memset(block, mark, wanted);
            held.push_back({.block = block, .bytes = wanted, .mark = mark});
            mixed += is_in_mixed(block) ? 1U : 0U;
            bytes += wanted;
        }
        const std::uint64_t share = random.between(3, 12);
        std::erase_if(held, [&](const Held& one) {
            const bool is_freed = !random.one_in(share);
            if (is_freed) {
                REQUIRE(is_intact(one));
                heap.release(one.block);
            }
            return is_freed;
        });
        REQUIRE(are_intact(held));
        const char* const broken = heap.broken_invariant();
        REQUIRE_MESSAGE(broken == nullptr, broken);
    }
    CHECK(mixed > 0);
    for (const Held& one : held) {
        REQUIRE(is_intact(one));
        heap.release(one.block);
    }
    CHECK(heap.broken_invariant() == nullptr);
    CHECK(heap.statistics().small_blocks == 0);
}

#if !HEAPWRIGHT_UNDER_TSAN  // it refuses a child of fork that starts threads
TEST_CASE("a child of fork goes on with the mixed spans of its parent's threads") {
    std::atomic<bool> is_over{false};
    std::atomic<bool> has_begun{false};
    std::thread other([&] {
        while (!is_over) {
            ChangedMix mix;
            has_begun = true;
        }
    });
    while (!has_begun) {
        std::this_thread::yield();
    }
    ChangedMix mix;
    for (unsigned round = 0; round < 20; ++round) {
        default_heap::before_fork();
        const pid_t child = ::fork();
        if (child != 0) {
            default_heap::after_fork_in_parent();
            int status = -1;
            REQUIRE(::waitpid(child, &status, 0) == child);
            REQUIRE(status == 0);
            continue;
        }
        default_heap::after_fork_in_child();
        // Nothing of doctest here: its own memory is not ours to test.
        const bool survived = are_intact(mix.left) && are_intact(mix.larger);
        std::vector<Held> more = make_many(20'000, 512);
        release_all(mix.left);
        const bool is_good = survived && are_intact(more) && are_intact(mix.larger);
        release_all(mix.larger);
        release_all(more);
        static_cast<void>(default_heap::trim());
        ::_exit(is_good ? 0 : 1);
    }
    is_over = true;
    other.join();
}
#endif

}  // namespace
}  // namespace heapwright::test
