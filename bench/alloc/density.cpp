// How full is a heap when it refuses for the first time: random requests, frees and resizes in a piece of memory?
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include <heapwright/tlsf.hpp>

#include <bench/alloc/harness.hpp>

#if defined(BENCH_BOOST_INTERPROCESS)
#include <boost/interprocess/managed_external_buffer.hpp>
#endif

namespace {

using heapwright::Layout;

struct Tlsf {
    static constexpr const char* kName = "heapwright Tlsf";
    heapwright::Tlsf heap;
    explicit Tlsf(std::span<std::byte> memory) {
        if (!heap.add_region(memory)) {
            std::abort();
        }
    }
    void* get(std::size_t size) { return heap.try_allocate({.size = size, .alignment = 8}); }
    void put(void* block) { heap.deallocate(block); }
    void* resize(void* block, std::size_t old_size, std::size_t size) {
        return heap.try_reallocate(block, {.size = old_size, .alignment = 8}, size);
    }
};

#if defined(BENCH_BOOST_INTERPROCESS)
struct BestFit {
    static constexpr const char* kName = "boost::interprocess rbtree_best_fit";
    boost::interprocess::managed_external_buffer heap;
    explicit BestFit(std::span<std::byte> memory) : heap(boost::interprocess::create_only, memory.data(), memory.size()) {}
    void* get(std::size_t size) { return heap.allocate(size, std::nothrow); }
    void put(void* block) { heap.deallocate(block); }
    void* resize(void* block, std::size_t old_size, std::size_t size) {
        void* const moved = get(size);
        if (moved != nullptr) {
            std::memcpy(moved, block, old_size < size ? old_size : size);
            put(block);
        }
        return moved;
    }
};
#endif

/// Percent of all memory in the program's hands at the first refusal. For five steps that ask, fewer free and some resize: else
/// it would never be full.
template <class Heap>
double percent_at_first_refusal(std::span<std::byte> memory, std::size_t largest, std::uint64_t frees, std::uint64_t resizes,
                                std::uint64_t seed) {
    Heap heap{memory};
    bench::Random random{seed};
    struct Live {
        void* block;
        std::size_t size;
    };
    std::vector<Live> live;
    std::size_t used = 0;
    for (;;) {
        const std::uint64_t act = random.below(5 + frees + resizes);
        const std::size_t size = 1 + random.below(largest);
        if (act < 5 || live.empty()) {
            void* const block = heap.get(size);
            if (block == nullptr) {
                break;
            }
            live.push_back({.block = block, .size = size});
            used += size;
            continue;
        }
        Live& one = live[random.below(live.size())];
        used -= one.size;
        if (act < 5 + frees) {
            heap.put(one.block);
            one = live.back();
            live.pop_back();
        } else {
            void* const moved = heap.resize(one.block, one.size, size);
            if (moved == nullptr) {
                used += one.size;
                break;
            }
            one = {.block = moved, .size = size};
            used += size;
        }
    }
    return 100.0 * static_cast<double>(used) / static_cast<double>(memory.size());
}

template <class Heap>
void measure(std::size_t mebibytes, std::size_t largest, std::uint64_t frees, std::uint64_t resizes, const char* acts) {
    constexpr std::uint64_t kRounds = 5;
    const std::size_t bytes = mebibytes << 20;
    const std::unique_ptr<std::byte[]> memory{new std::byte[bytes]};
    double sum = 0;
    for (std::uint64_t round = 1; round <= kRounds; ++round) {
        sum += percent_at_first_refusal<Heap>({memory.get(), bytes}, largest, frees, resizes, round);
    }
    std::printf("density: %zu MiB, 1 to %zu B, %s\t%s\t%.2f\n", mebibytes, largest, acts, Heap::kName, sum / kRounds);
}

template <class Heap>
void measure_all() {
    for (const std::size_t largest : {std::size_t{200}, std::size_t{1000}, std::size_t{10'000}}) {
        for (const std::size_t mebibytes : {std::size_t{1}, std::size_t{16}}) {
            measure<Heap>(mebibytes, largest, 4, 0, "no resizing");
            measure<Heap>(mebibytes, largest, 1, 4, "much resizing");
        }
    }
}

}  // namespace

int main() {
    measure_all<Tlsf>();
#if defined(BENCH_BOOST_INTERPROCESS)
    measure_all<BestFit>();
#endif
}
