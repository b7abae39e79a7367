// How fast are pools of 64-byte blocks: a pair, bursts, random frees, churn, a walk, and two threads at once?
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <string>
#include <thread>
#include <vector>

#include <dlfcn.h>

#include <heapwright/alloc/adapt/memory_resource.hpp>
#include <heapwright/alloc/pool/multi_pool.hpp>
#include <heapwright/alloc/pool/pool.hpp>
#include <heapwright/alloc/pool/shared_pool.hpp>
#include <heapwright/os/page_source.hpp>

#include <bench/alloc/harness.hpp>

#if defined(BENCH_BOOST)
#include <boost/pool/pool.hpp>
#endif
#if defined(BENCH_BOOST_CONTAINER)
#include <boost/container/adaptive_pool.hpp>
#include <boost/container/node_allocator.hpp>
#include <boost/container/pmr/unsynchronized_pool_resource.hpp>
#endif
#if defined(BENCH_FOONATHAN)
#include <foonathan/memory/memory_pool.hpp>
#endif

namespace {

using bench::escape;

constexpr std::size_t kBytes = 64;
constexpr std::uint32_t kBurst = 100'000;
constexpr int kWalks = 20;

// Nothing is given back between bursts, as no peer does: what is measured is giving and taking, not the kernel.
constexpr heapwright::PoolOptions kKeepAll{.spare_bytes = SIZE_MAX / 2};

struct Heapwright {
    static constexpr const char* kName = "heapwright Pool (checked)";
    heapwright::Pool pool{{.size = kBytes, .alignment = 8}, heapwright::os::kPages, kKeepAll};
    void* get() { return pool.try_allocate(); }
    void put(void* block) { pool.deallocate(block); }
};

struct HeapwrightShared {
    static constexpr const char* kName = "heapwright SharedPool (checked)";
    heapwright::SharedPool pool{{.size = kBytes, .alignment = 8}, heapwright::os::kPages, kKeepAll};
    void* get() { return pool.try_allocate(); }
    void put(void* block) { pool.deallocate(block); }
};

/// As a program with std::pmr sees it: through the base class.
struct HeapwrightResource {
    static constexpr const char* kName = "heapwright OwningResource<Pool> (checked)";
    heapwright::OwningResource<heapwright::Pool> pool{heapwright::Layout{.size = kBytes, .alignment = 8}, heapwright::os::kPages, kKeepAll};
    std::pmr::memory_resource* opaque = &pool;
    void* get() { return opaque->allocate(kBytes, 8); }
    void put(void* block) { opaque->deallocate(block, kBytes, 8); }
};

struct HeapwrightMulti {
    static constexpr const char* kName = "heapwright MultiPool (checked)";
    static constexpr std::array<heapwright::SizeClassOptions, 4> kClasses{{{16}, {32}, {64}, {128}}};
    heapwright::MultiPool pool{kClasses, heapwright::os::kPages, {.spare_bytes = SIZE_MAX / 2}};
    void* get() { return pool.try_allocate({.size = kBytes, .alignment = 8}); }
    void put(void* block) { pool.deallocate(block, {.size = kBytes, .alignment = 8}); }
};

/// A list threaded through the blocks, without any check: the least that a pool can do.
struct LinkedList {
    static constexpr const char* kName = "bare linked list (unchecked)";
    struct Free {
        Free* next;
    };
    Free* first = nullptr;
    char* fresh = nullptr;
    char* end = nullptr;
    std::vector<std::unique_ptr<char[]>> chunks;
    void* get() {
        if (first != nullptr) {
            return std::exchange(first, first->next);
        }
        if (fresh == end) {
            constexpr std::size_t kChunk = std::size_t{1} << 20;
            fresh = chunks.emplace_back(new char[kChunk]).get();
            end = fresh + kChunk;
        }
        return std::exchange(fresh, fresh + kBytes);
    }
    void put(void* block) { first = ::new (block) Free{first}; }
};

struct Glibc {
    static constexpr const char* kName = "glibc malloc";
    void* get() { return std::malloc(kBytes); }
    void put(void* block) { std::free(block); }
};

struct UnsynchronizedPool {
    static constexpr const char* kName = "std::pmr::unsynchronized_pool";
    std::pmr::unsynchronized_pool_resource pool;
    void* get() { return pool.allocate(kBytes, 8); }
    void put(void* block) { pool.deallocate(block, kBytes, 8); }
};

struct SynchronizedPool {
    static constexpr const char* kName = "std::pmr::synchronized_pool";
    std::pmr::synchronized_pool_resource pool;
    void* get() { return pool.allocate(kBytes, 8); }
    void put(void* block) { pool.deallocate(block, kBytes, 8); }
};

#if defined(BENCH_BOOST)
struct Boost {
    static constexpr const char* kName = "boost::pool (unchecked)";
    boost::pool<> pool{kBytes};
    void* get() { return pool.malloc(); }
    void put(void* block) { pool.free(block); }
};
#endif

#if defined(BENCH_BOOST_CONTAINER)
struct alignas(8) BoostBlock {
    std::array<char, kBytes> bytes;
};
template <class Allocator>
struct BoostContainer {
    Allocator allocator;
    void* get() { return &*allocator.allocate_one(); }
    void put(void* block) { allocator.deallocate_one(static_cast<BoostBlock*>(block)); }
};
struct BoostNodes : BoostContainer<boost::container::node_allocator<BoostBlock>> {
    static constexpr const char* kName = "boost::container::node_allocator";
};
struct BoostAdaptive : BoostContainer<boost::container::adaptive_pool<BoostBlock>> {
    static constexpr const char* kName = "boost::container::adaptive_pool";
};
struct BoostUnsynchronized {
    static constexpr const char* kName = "boost::container::pmr::unsynchronized_pool";
    boost::container::pmr::unsynchronized_pool_resource pool;
    void* get() { return pool.allocate(kBytes, 8); }
    void put(void* block) { pool.deallocate(block, kBytes, 8); }
};
#endif

#if defined(BENCH_FOONATHAN)
struct Foonathan {
    static constexpr const char* kName = "foonathan memory_pool";
    foonathan::memory::memory_pool<> pool{kBytes, std::size_t{1} << 20};
    void* get() { return pool.allocate_node(); }
    void put(void* block) { pool.deallocate_node(block); }
};
#endif

/// mimalloc as the system has it, loaded at run time: nothing is linked.
struct Mimalloc {
    static constexpr const char* kName = "mimalloc";
    using Get = void* (*)(std::size_t);
    using Put = void (*)(void*);
    static void* symbol(const char* name) {
        static void* const library = dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);
        return library == nullptr ? nullptr : dlsym(library, name);
    }
    static bool is_there() { return symbol("mi_malloc") != nullptr; }
    Get get_block = reinterpret_cast<Get>(symbol("mi_malloc"));
    Put put_block = reinterpret_cast<Put>(symbol("mi_free"));
    void* get() { return get_block(kBytes); }
    void put(void* block) { put_block(block); }
};

template <class Contender>
void touch(void* block) {
    *static_cast<char*>(block) = 1;
}

template <class Contender>
void add_one_thread(bench::Race& race) {
    auto own = std::make_shared<Contender>();
    auto blocks = std::make_shared<std::vector<void*>>(kBurst);
    static const std::vector<std::uint32_t> kOrder = bench::shuffled(kBurst);
    constexpr int kPairs = 2'000'000;
    race.add("pool: hot pair", Contender::kName, kPairs, [own] {
        Contender& pool = *own;
        for (int pair = 0; pair < kPairs; ++pair) {
            void* const block = pool.get();
            touch<Contender>(block);
            escape(block);
            pool.put(block);
        }
    });
    const auto fill = [own, blocks] {
        for (void*& block : *blocks) {
            block = own->get();
            touch<Contender>(block);
        }
    };
    race.add("pool: burst of 100k, freed in order", Contender::kName, kBurst, [own, blocks, fill] {
        fill();
        for (void* block : *blocks) {
            own->put(block);
        }
    });
    race.add("pool: burst of 100k, freed at random", Contender::kName, kBurst, [own, blocks, fill] {
        fill();
        for (const std::uint32_t index : kOrder) {
            own->put((*blocks)[index]);
        }
    });
    race.add("pool: churn of 10k at random", Contender::kName, 1'000'000, [own, blocks] {
        std::vector<void*>& live = *blocks;
        for (int index = 0; index < 10'000; ++index) {
            live[static_cast<std::size_t>(index)] = own->get();
        }
        bench::Random random{3};
        for (int step = 0; step < 990'000; ++step) {
            void*& block = live[random.below(10'000)];
            own->put(block);
            block = own->get();
            touch<Contender>(block);
        }
        for (int index = 0; index < 10'000; ++index) {
            own->put(live[static_cast<std::size_t>(index)]);
        }
    });
    const auto scramble = [own, blocks, fill] {
        fill();
        for (const std::uint32_t index : kOrder) {
            own->put((*blocks)[index]);
        }
        fill();
    };
    const auto walk = [blocks] {
        long sum = 0;
        for (int walk = 0; walk < kWalks; ++walk) {
            for (const void* block : *blocks) {
                sum += *static_cast<const char*>(block);
            }
        }
        escape(&sum);
    };
    const auto free_all = [own, blocks] {
        for (void* block : *blocks) {
            own->put(block);
        }
    };
    race.add("pool: walk of 100k after scrambling", Contender::kName, kBurst * double{kWalks}, walk, scramble, free_all);
}

/// Wall time of two threads that take and give bursts of 32, a pair over both of them.
template <class Contender>
double two_threads(Contender& pool) {
    constexpr int kBursts = 50'000;
    std::atomic<int> ready{0};
    std::array<std::chrono::steady_clock::time_point, 2> ends{};
    const auto work = [&](std::size_t thread) {
        ++ready;
        while (ready < 2) {}
        std::array<void*, 32> blocks{};
        for (int burst = 0; burst < kBursts; ++burst) {
            for (void*& block : blocks) {
                block = pool.get();
                touch<Contender>(block);
            }
            for (void* block : blocks) {
                pool.put(block);
            }
        }
        ends[thread] = std::chrono::steady_clock::now();
    };
    std::thread other{work, std::size_t{1}};
    while (ready < 1) {}
    const auto begin = std::chrono::steady_clock::now();
    work(0);
    other.join();
    return std::chrono::duration<double, std::nano>(std::max(ends[0], ends[1]) - begin).count() / (2.0 * kBursts * 32);
}

template <class Contender>
void race_two_threads(int rounds) {
    for (int round = 0; round < rounds; ++round) {
        Contender pool;
        std::printf("pool: two threads, bursts of 32 (wall)\t%s\t%.4f\n", Contender::kName, two_threads(pool));
    }
}

/// What the machine allows: blocks in one row, walked from the first to the last, and half of them by a list of indices.
void add_bare_walks(bench::Race& race) {
    auto row = std::make_shared<std::vector<std::array<char, kBytes>>>(kBurst);
    auto blocks = std::make_shared<std::vector<void*>>();
    auto half = std::make_shared<std::vector<std::uint32_t>>();
    bench::Random random{9};
    for (std::uint32_t index = 0; index < kBurst; ++index) {
        blocks->push_back(&(*row)[index]);
        if (random.below(2) != 0) {
            half->push_back(index);
        }
    }
    race.add("pool: walk of 100k after scrambling", "a bare row of blocks", kBurst * double{kWalks}, [row, blocks] {
        long sum = 0;
        for (int walk = 0; walk < kWalks; ++walk) {
            for (const void* block : *blocks) {
                sum += *static_cast<const char*>(block);
            }
        }
        escape(&sum);
    });
    race.add("pool: visit the live half of 100k", "a bare row and a list of indices", static_cast<double>(half->size()) * kWalks,
             [row, half] {
                 long sum = 0;
                 for (int walk = 0; walk < kWalks; ++walk) {
                     for (const std::uint32_t index : *half) {
                         sum += (*row)[index][0];
                     }
                 }
                 escape(&sum);
             });
}

void add_iteration(bench::Race& race) {
    auto pool = std::make_shared<heapwright::Pool>(heapwright::Layout{.size = kBytes, .alignment = 8}, heapwright::os::kPages,
                                                   heapwright::PoolOptions{.leaks = heapwright::Leaks::forget});
    std::vector<void*> blocks(kBurst);
    for (void*& block : blocks) {
        block = pool->try_allocate();
        touch<Heapwright>(block);
    }
    bench::Random random{9};
    for (void* block : blocks) {
        if (random.below(2) == 0) {
            pool->deallocate(block);
        }
    }
    const double live = static_cast<double>(pool->stats().live_blocks);
    race.add("pool: visit the live half of 100k", "heapwright Pool (checked)", live * kWalks, [pool] {
        long sum = 0;
        for (int walk = 0; walk < kWalks; ++walk) {
            pool->for_each_live([&sum](void* block) { sum += *static_cast<char*>(block); });
        }
        escape(&sum);
    });
}

}  // namespace

int main(int count, char** words) {
    const int rounds = count > 1 ? std::atoi(words[1]) : 9;
    const std::string only = count > 2 ? words[2] : "";
    bench::Race race;
    add_one_thread<Heapwright>(race);
    add_one_thread<HeapwrightShared>(race);
    add_one_thread<HeapwrightMulti>(race);
    add_one_thread<HeapwrightResource>(race);
    add_one_thread<LinkedList>(race);
    add_one_thread<Glibc>(race);
    add_one_thread<UnsynchronizedPool>(race);
    add_one_thread<SynchronizedPool>(race);
#if defined(BENCH_BOOST)
    add_one_thread<Boost>(race);
#endif
#if defined(BENCH_BOOST_CONTAINER)
    add_one_thread<BoostNodes>(race);
    add_one_thread<BoostAdaptive>(race);
    add_one_thread<BoostUnsynchronized>(race);
#endif
#if defined(BENCH_FOONATHAN)
    add_one_thread<Foonathan>(race);
#endif
    if (Mimalloc::is_there()) {
        add_one_thread<Mimalloc>(race);
    }
    add_iteration(race);
    add_bare_walks(race);
    race.start(rounds, only);
    if (std::string{"pool: two threads"}.find(only) != std::string::npos) {
        race_two_threads<HeapwrightShared>(rounds);
        race_two_threads<Glibc>(rounds);
        race_two_threads<SynchronizedPool>(rounds);
        if (Mimalloc::is_there()) {
            race_two_threads<Mimalloc>(rounds);
        }
    }
}
