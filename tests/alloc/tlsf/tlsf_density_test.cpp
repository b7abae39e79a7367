// How full a heap is when it refuses for the first time: random requests, frees and resizes in 1 MiB until there is no room.
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/tlsf/tlsf.hpp>

#include <tests/support/random.hpp>

namespace heapwright {
namespace {

/// Bytes in the program's hands at the first refusal, as a part of all memory that the heap was given, in thousandths.
template <class Heap>
std::size_t permille_used_at_first_refusal(std::uint64_t seed, std::size_t largest_size, std::vector<std::byte>& memory) {
    test::Random random{seed};
    Heap heap;
    REQUIRE(heap.add_region(memory));
    struct Live {
        void* block;
        Layout layout;
    };
    std::vector<Live> live;
    std::size_t used = 0;
    for (;;) {
        const std::uint64_t act = random.below(10);
        if (act < 5 || live.empty()) {
            const Layout layout{.size = random.between(1, largest_size), .alignment = std::size_t{1} << random.below(4)};
            void* const block = heap.try_allocate(layout);
            if (block == nullptr) {
                return used * 1000 / memory.size();
            }
            live.push_back({block, layout});
            used += layout.size;
            continue;
        }
        Live& one = live[random.below(live.size())];
        if (act < 9) {
            heap.deallocate(one.block, one.layout);
            used -= one.layout.size;
            one = live.back();
            live.pop_back();
        } else {
            const std::size_t size = random.between(1, largest_size);
            void* const moved = heap.try_reallocate(one.block, one.layout, size);
            if (moved == nullptr) {
                return used * 1000 / memory.size();
            }
            used = used - one.layout.size + size;
            one = {moved, {.size = size, .alignment = one.layout.alignment}};
        }
    }
}

TEST_CASE("a heap is well filled before it refuses") {
    if (kPoisoning) {
        return;  // fences take room
    }
    std::vector<std::byte> memory(std::size_t{1} << 20);
    for (const std::size_t largest_size : {std::size_t{200}, std::size_t{1000}, std::size_t{10'000}}) {
        std::size_t sum = 0;
        constexpr std::size_t kRounds = 60;
        for (std::size_t round = 0; round < kRounds; ++round) {
            sum += permille_used_at_first_refusal<Tlsf>(round, largest_size, memory);
        }
        MESSAGE("sizes up to ", largest_size, ": ", sum / kRounds, " of 1000 bytes used at the first refusal");
        CHECK(sum / kRounds >= (largest_size == 1000 ? 900 : 830));
    }
}

TEST_CASE("a large heap is filled to about 95 of 100 bytes before it refuses") {
    // The best that any freestanding heap was measured to reach (a TLSF; heaps that round to powers of two reach 65).
    if (kPoisoning) {
        return;  // fences take room
    }
    std::vector<std::byte> memory(std::size_t{16} << 20);
    std::size_t sum = 0;
    constexpr std::size_t kRounds = 8;
    for (std::size_t round = 0; round < kRounds; ++round) {
        sum += permille_used_at_first_refusal<Tlsf>(round, 10'000, memory);
    }
    MESSAGE("16 MiB: ", sum / kRounds, " of 1000 bytes used at the first refusal");
    CHECK(sum / kRounds >= 930);  // 60 seeds gave 943 to 961
}

}  // namespace
}  // namespace heapwright
