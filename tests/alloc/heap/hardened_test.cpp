#include <heapwright/alloc/heap/hardened.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <signal.h>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/detail/guard.hpp>
#include <heapwright/alloc/heap/detail/live_bits.hpp>
#include <heapwright/alloc/heap/detail/quarantine.hpp>

#include <tests/support/death.hpp>
#include <tests/support/random.hpp>

namespace heapwright::test {
namespace {

namespace hardened = hardened_heap;

/// The compiler must not know what becomes of a block.
char* make(std::size_t bytes) {
    void* volatile block = hardened::allocate(bytes);
    return static_cast<char*>(block);
}

void check_dies(const std::function<void()>& act, const std::string& fault) {
    const Death death = death_of(act);
    CHECK(death.died);
    CHECK(death.signal == SIGABRT);
    CHECK_MESSAGE(death.last_words.find(fault) != std::string::npos, death.last_words);
    CHECK(std::ranges::count(death.last_words, '\n') == 1);
}

}  // namespace

TEST_CASE("hardened blocks hold exactly what was asked for, aligned as those of the default heap") {
    for (std::size_t bytes = 0; bytes < 400'000; bytes = bytes * 9 / 8 + 1) {
        char* const block = make(bytes);
        REQUIRE(block != nullptr);
        CHECK(reinterpret_cast<std::uintptr_t>(block) % (bytes >= 16 ? 16 : 8) == 0);
        CHECK(hardened::usable_bytes(block) == bytes);
        std::memset(block, 0x5A, bytes);
        CHECK(hardened::usable_bytes(block) == bytes);
        hardened::release_sized(block, bytes);
    }
    CHECK(hardened::usable_bytes(nullptr) == 0);
    hardened::release(nullptr);
    CHECK(hardened::allocate(SIZE_MAX) == nullptr);
    CHECK(hardened::allocate_zeroed(SIZE_MAX - 4) == nullptr);
    CHECK(hardened::allocate_aligned(SIZE_MAX - 7, 64) == nullptr);
}

TEST_CASE("hardened blocks are zeroed and aligned on request, whatever was there before") {
    for (std::size_t bytes = 1; bytes < 200'000; bytes = bytes * 5 / 4 + 1) {
        for (int round = 0; round < 3; ++round) {
            auto* const zeroed = static_cast<char*>(hardened::allocate_zeroed(bytes));
            REQUIRE(zeroed != nullptr);
            CHECK(std::all_of(zeroed, zeroed + bytes, [](char letter) { return letter == 0; }));
            std::memset(zeroed, 0x7F, bytes);
            hardened::release(zeroed);
        }
        for (const std::size_t alignment : {16UL, 64UL, 4096UL, 131072UL}) {
            void* const aligned = hardened::allocate_aligned(bytes, alignment);
            REQUIRE(aligned != nullptr);
            CHECK(reinterpret_cast<std::uintptr_t>(aligned) % alignment == 0);
            CHECK(hardened::usable_bytes(aligned) == bytes);
            hardened::release(aligned);
        }
    }
}

TEST_CASE("hardened blocks keep their contents from size to size, and the guard moves with their end") {
    Random random(11);
    for (int turn = 0; turn < 2000; ++turn) {
        const std::size_t from = random.below(random.one_in(20) ? 500'000 : 3000);
        const std::size_t to = 1 + random.below(random.one_in(20) ? 500'000 : 3000);
        char* const block = make(from);
        std::memset(block, turn, from);
        auto* const moved = static_cast<char*>(hardened::reallocate(block, to));
        REQUIRE(moved != nullptr);
        CHECK(hardened::usable_bytes(moved) == to);
        CHECK(std::all_of(moved, moved + std::min(from, to), [&](char letter) { return letter == static_cast<char>(turn); }));
        std::memset(moved, 0, to);
        hardened::release_sized(moved, to);
    }
    char* const kept = make(100);
    CHECK(hardened::reallocate(kept, SIZE_MAX) == nullptr);
    CHECK(hardened::usable_bytes(kept) == 100);
    hardened::release(kept);
}

TEST_CASE("a second free stops the program, by whichever thread and whatever was freed since") {
    for (const std::size_t bytes : {0UL, 40UL, 3000UL, 60'000UL}) {
        for (const int others : {0, 2000}) {
            const auto free_twice = [=] {
                char* const block = make(bytes);
                char* const neighbour = make(bytes);
                hardened::release(block);
                for (int i = 0; i < others; ++i) {
                    hardened::release(make(bytes + 200));
                }
                std::thread([=] { hardened::release(block); }).join();
                hardened::release(neighbour);
            };
            check_dies(free_twice, "; look for a second free of the same block");
        }
    }
}

TEST_CASE("of two threads that free a block at once, one is stopped") {
    const auto race = [] {
        std::atomic<int> ready{0};
        char* const block = make(100);
        const auto free_it = [&] {
            ++ready;
            while (ready < 2) {}
            hardened::release(block);
        };
        std::thread one(free_it);
        std::thread other(free_it);
        one.join();
        other.join();
    };
    check_dies(race, "of a block that was freed before: 0x");
}

TEST_CASE("pointers that are no blocks stop the program") {
    check_dies([] { hardened::release(make(100) + 8); }, "lies 8 bytes behind the start of a block of 100 bytes;");
    check_dies([] { hardened::release(make(1 << 20) + 300'001); }, "lies 300001 bytes behind the start of a block of 1048576 bytes;");
    check_dies([] { static_cast<void>(hardened::reallocate(make(50'000) + 4096, 10)); }, "realloc of a pointer that is no block: 0x");
    check_dies([] { static_cast<void>(hardened::usable_bytes(make(64) + 16)); }, "malloc_usable_size of a pointer that is no block: 0x");
    int local = 0;
    check_dies([&] { hardened::release(&local); }, "lies outside the heap;");
    // Addresses that the heap reserved and never used, and those of its own records.
    check_dies([] { hardened::release(make(100) + (std::size_t{4} << 30)); }, "lies in memory that is free;");
    check_dies([] { hardened::release(const_cast<char*>(heap::g_first_base) + 4096); }, "lies in memory that is free;");
    check_dies([] { hardened::release(heap::held_back()); }, "lies in memory that is free;");
}

TEST_CASE("each byte behind a block is guarded, by whatever value it is overwritten") {
    for (const std::size_t bytes : {0UL, 1UL, 8UL, 13UL, 24UL, 100UL, 1000UL, 20'000UL, 100'000UL}) {
        for (const std::size_t beyond : {0UL, 1UL, 7UL}) {
            const auto overrun = [=](unsigned char change) {
                char* volatile const block = make(bytes);
                const auto before = static_cast<unsigned char>(block[bytes + beyond]);
                block[bytes + beyond] = static_cast<char>(change == 0 ? 0 : before ^ change);
                hardened::release(block);
            };
            if (beyond == 0) {
                check_dies([=] { overrun(0); }, "free of a block that was written beyond its end: 0x");
            }
            check_dies([=] { overrun(0x40); }, "free of a block that was written beyond its end: 0x");
        }
    }
    const auto grow_an_overrun = [] {
        char* volatile const block = make(40);
        block[40] = 0;
        static_cast<void>(hardened::reallocate(block, 4000));
    };
    check_dies(grow_an_overrun, "realloc of a block that was written beyond its end: 0x");
}

TEST_CASE("a write to a freed block stops the program when the block has waited") {
    for (const std::size_t bytes : {1UL, 64UL, 700UL, 50'000UL}) {
        for (const std::size_t at : {std::size_t{0}, bytes / 2, bytes - 1}) {
            const auto write_late = [=] {
                char* volatile const block = make(bytes);
                hardened::release(block);
                block[at] = 'x';
                static_cast<void>(hardened::trim());
            };
            check_dies(write_late, "changed at byte " + std::to_string(at) + ";");
        }
    }
}

TEST_CASE("a size that is not the one asked for stops the program") {
    check_dies([] { hardened::release_sized(make(100), 101); }, "sized delete with a wrong size: 0x");
    check_dies([] { hardened::release_sized(hardened::reallocate(make(100), 90), 100); }, "of 90 bytes was said to have 100;");
    check_dies([] { hardened::release_sized(make(std::size_t{1} << 20), 1); }, "of 1048576 bytes was said to have 1;");
}

TEST_CASE("a link between free blocks that a writer changed is not followed into a live block") {
    const auto corrupt = [] {
        char* const live = make(200);
        char* volatile const block = make(200);
        hardened::release(block);
        static_cast<void>(hardened::trim());  // the block is in the lists of the heap below
        const auto link = reinterpret_cast<std::uintptr_t>(live);
        std::memcpy(block, &link, sizeof(link));
        for (int i = 0; i < 1000; ++i) {
            static_cast<void>(make(200));
        }
    };
    check_dies(corrupt, "malloc found its free blocks damaged: 0x");
}

TEST_CASE("the quarantine is bounded, and keeps the order") {
    heap::ensure_secret();
    heap::Quarantine quarantine;
    Random random(5);
    for (int turn = 0; turn < 20'000; ++turn) {
        const std::size_t bytes = 64 * (1 + random.below(random.one_in(50) ? 1000 : 20));
        void* const block = default_heap::allocate(bytes);
        const std::size_t capacity = default_heap::usable_bytes(block);
        heap::fill_freed(block, capacity);
        quarantine.add(block, capacity);
        REQUIRE(quarantine.broken_invariant() == nullptr);
        CHECK(quarantine.blocks() <= heap::Quarantine::kMostBlocks);
        CHECK(quarantine.bytes() <= heap::Quarantine::kMostBytes);
    }
    CHECK(quarantine.blocks() > 10);
    quarantine.drain();
    CHECK(quarantine.blocks() == 0);
    CHECK(quarantine.bytes() == 0);
}

TEST_CASE("a freed block is not handed out again while it waits") {
    char* const block = make(48);
    hardened::release(block);
    for (int i = 0; i < 400; ++i) {
        char* const other = make(48);
        CHECK(other != block);
        hardened::release(other);
    }
}

TEST_CASE("bits of live blocks are found from any address behind them") {
    char* const block = make(5000);
    CHECK(heap::is_live(block));
    CHECK_FALSE(heap::is_live(block + 8));
    CHECK_FALSE(heap::is_live(block + 1));
    const int local = 0;
    CHECK_FALSE(heap::is_live(&local));
    CHECK(heap::live_block_before(block) == block);
    CHECK(heap::live_block_before(block + 4999) == block);
    CHECK(heap::mark_live(block) == heap::Marked::before);
    hardened::release(block);
    CHECK_FALSE(heap::is_live(block));
    CHECK(heap::live_block_before(block + 4999) != block);
}

TEST_CASE("threads hand hardened blocks to each other and find them as they were") {
    constexpr std::size_t kPlaces = 512;
    std::vector<std::atomic<unsigned char*>> places(kPlaces);
    std::atomic<int> unsound{0};
    const auto check_and_free = [&](unsigned char* block) {
        if (block != nullptr) {
            unsound += block[hardened::usable_bytes(block) - 1] == 0x3C ? 0 : 1;
            hardened::release(block);
        }
    };
    const auto body = [&](std::uint64_t salt) {
        Random random(salt);
        for (int turn = 0; turn < 20'000; ++turn) {
            const std::size_t bytes = 1 + random.below(random.one_in(40) ? 90'000 : 300);
            auto* const block = static_cast<unsigned char*>(hardened::allocate(bytes));
            block[bytes - 1] = 0x3C;
            check_and_free(places[random.below(kPlaces)].exchange(block, std::memory_order_acq_rel));
        }
    };
    std::vector<std::thread> threads;
    threads.reserve(8);
    for (std::uint64_t i = 0; i < 8; ++i) {
        threads.emplace_back(body, i);
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (auto& place : places) {
        check_and_free(place.exchange(nullptr, std::memory_order_acq_rel));
    }
    CHECK(unsound == 0);
}

TEST_CASE("blocks of a size do not come in the order of their addresses") {
    std::vector<char*> blocks;
    int ascending = 0;
    for (int i = 0; i < 400; ++i) {
        blocks.push_back(make(300));
        ascending += i > 0 && blocks[static_cast<std::size_t>(i)] > blocks[static_cast<std::size_t>(i) - 1] ? 1 : 0;
    }
    CHECK(ascending < 340);
    CHECK(std::set<char*>(blocks.begin(), blocks.end()).size() == blocks.size());
    for (char* const block : blocks) {
        hardened::release(block);
    }
}

}  // namespace heapwright::test
