// How do I choose the size classes of a pool from what a program really asks for, and see what they cost?
#include <array>
#include <cstdio>

#include <heapwright/adapt.hpp>
#include <heapwright/pool.hpp>
#include <heapwright/tlsf.hpp>

namespace {

// What this program asks for, and how often.
constexpr std::array<heapwright::SizeCount, 6> kHistogram{{{24, 5000}, {40, 3000}, {56, 200}, {112, 800}, {300, 50}, {1000, 10}}};

/// A first run on a heap, with a sink that counts the sizes.
void record(heapwright::SizeHistogram& sizes) {
    heapwright::Tlsf heap{heapwright::os::kPages};
    heapwright::Tracked tracked{heap, sizes};
    for (const heapwright::SizeCount& entry : kHistogram) {
        for (std::uint64_t block = 0; block < entry.count; ++block) {
            static_cast<void>(tracked.try_allocate({.size = entry.size_bytes, .alignment = 8}));
        }
    }
}

}  // namespace

int main() {
    heapwright::SizeHistogram recorded;
    record(recorded);
    std::array<heapwright::SizeCount, heapwright::SizeHistogram::kRows> rows{};
    std::array<std::size_t, 4> sizes{};
    const std::size_t count = heapwright::choose_classes(recorded.counts(rows), sizes);

    std::array<heapwright::SizeClassOptions, 4> classes{};
    for (std::size_t index = 0; index < count; ++index) {
        classes[index] = {.block_bytes = sizes[index]};
    }
    heapwright::MultiPool pool{std::span{classes}.first(count), heapwright::os::kPages, {.leaks = heapwright::Leaks::forget}};
    for (const heapwright::SizeCount& entry : kHistogram) {
        for (std::uint64_t block = 0; block < entry.count; ++block) {
            if (pool.try_allocate({.size = entry.size_bytes, .alignment = 8}) == nullptr) {
                return 1;
            }
        }
    }
    const heapwright::MultiPoolStats stats = pool.stats();
    for (std::size_t index = 0; index < pool.classes(); ++index) {
        const heapwright::SizeClassStats one = pool.class_stats(index);
        std::printf("%5zu bytes: %zu blocks, %zu of %zu bytes asked for\n", one.block_bytes, one.live_blocks, one.requested_bytes,
                    one.usable_bytes);
    }
    const double waste = 100.0 * (1.0 - static_cast<double>(stats.all.requested_bytes) / static_cast<double>(stats.all.usable_bytes));
    std::printf("internal fragmentation: %.1f %%\n", waste);
    return waste < 25.0 && stats.fallback_blocks == 0 ? 0 : 1;
}
