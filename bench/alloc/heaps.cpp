// How fast are heaps of any sizes, what do containers gain from an allocator of their own, and what does a slab's key cost?
#include <array>
#include <cstdlib>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <string>
#include <unordered_map>
#include <vector>

#include <dlfcn.h>

#include <heapwright/adapt.hpp>
#include <heapwright/arena.hpp>
#include <heapwright/pool.hpp>
#include <heapwright/slab.hpp>
#include <heapwright/tlsf.hpp>

#include <bench/alloc/harness.hpp>

#if defined(BENCH_BOOST_INTERPROCESS)
#include <boost/interprocess/managed_external_buffer.hpp>
#endif

namespace {

using bench::escape;
using heapwright::Layout;

struct Tlsf {
    static constexpr const char* kName = "heapwright Tlsf";
    static constexpr std::size_t kBytes = std::size_t{64} << 20;
    std::unique_ptr<std::byte[]> memory{new std::byte[kBytes]};
    heapwright::Tlsf heap;
    Tlsf() {
        if (!heap.add_region({memory.get(), kBytes})) {
            std::abort();
        }
    }
    void* get(std::size_t size) { return heap.try_allocate({.size = size, .alignment = 8}); }
    void put(void* block, std::size_t /*size*/) { heap.deallocate(block); }
};

#if defined(BENCH_BOOST_INTERPROCESS)
/// The one other heap in a given piece of memory that Debian has; it has no TLSF.
struct BestFit {
    static constexpr const char* kName = "boost::interprocess rbtree_best_fit";
    static constexpr std::size_t kBytes = std::size_t{64} << 20;
    std::unique_ptr<std::byte[]> memory{new std::byte[kBytes]};
    boost::interprocess::managed_external_buffer heap{boost::interprocess::create_only, memory.get(), kBytes};
    void* get(std::size_t size) { return heap.allocate(size, std::nothrow); }
    void put(void* block, std::size_t /*size*/) { heap.deallocate(block); }
};
#endif

struct Glibc {
    static constexpr const char* kName = "glibc malloc";
    static void* get(std::size_t size) { return std::malloc(size); }
    static void put(void* block, std::size_t /*size*/) { std::free(block); }
};

struct UnsynchronizedPool {
    static constexpr const char* kName = "std::pmr::unsynchronized_pool";
    std::pmr::unsynchronized_pool_resource pool;
    void* get(std::size_t size) { return pool.allocate(size, 8); }
    void put(void* block, std::size_t size) { pool.deallocate(block, size, 8); }
};

struct Mimalloc {
    static constexpr const char* kName = "mimalloc";
    using Get = void* (*)(std::size_t);
    using Put = void (*)(void*);
    static void* symbol(const char* name) {
        static void* const library = dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_LOCAL);
        return library == nullptr ? nullptr : dlsym(library, name);
    }
    Get get_block = reinterpret_cast<Get>(symbol("mi_malloc"));
    Put put_block = reinterpret_cast<Put>(symbol("mi_free"));
    void* get(std::size_t size) { return get_block(size); }
    void put(void* block, std::size_t /*size*/) { put_block(block); }
};

template <class Contender>
void add_heap(bench::Race& race) {
    constexpr std::size_t kSlots = 4096;
    constexpr int kSteps = 400'000;
    struct Slot {
        void* block = nullptr;
        std::size_t size = 0;
    };
    for (const std::size_t largest : {std::size_t{128}, std::size_t{1024}, std::size_t{16384}}) {
        auto own = std::make_shared<Contender>();
        auto slots = std::make_shared<std::vector<Slot>>(kSlots);
        race.add("heap: 4 to " + std::to_string(largest) + " B, 4096 live", Contender::kName, 2.0 * kSteps, [own, slots, largest] {
            bench::Random random{11};
            for (int step = 0; step < kSteps; ++step) {
                Slot& slot = (*slots)[random.below(kSlots)];
                if (slot.block != nullptr) {
                    own->put(slot.block, slot.size);
                }
                slot.size = 4 + random.below(largest - 3);
                slot.block = own->get(slot.size);
                escape(slot.block);
            }
        });
    }
}

template <class List, class... Origin>
void fill_and_drop(Origin&... origin) {
    List numbers(origin...);
    for (long value = 0; value < 1'000'000; ++value) {
        numbers.push_back(value);
    }
    escape(&numbers);
}

void add_lists(bench::Race& race) {
    constexpr const char* kWorkload = "container: std::list of 1M, build and destroy";
    auto arena = std::make_shared<heapwright::Arena>(heapwright::os::kPages);
    race.add(kWorkload, "heapwright arena, StandardAllocator", 1e6, [arena] {
        fill_and_drop<std::list<long, heapwright::StandardAllocator<long, heapwright::Arena>>>(*arena);
        arena->reset();
    });
    race.add(kWorkload, "heapwright arena, Resource", 1e6, [arena] {
        heapwright::Resource resource{*arena};
        std::pmr::memory_resource* opaque = &resource;
        fill_and_drop<std::pmr::list<long>>(opaque);
        arena->reset();
    });
    auto pool = std::make_shared<heapwright::Pool>(Layout{.size = 24, .alignment = 8}, heapwright::os::kPages,
                                                   heapwright::PoolOptions{.spare_bytes = SIZE_MAX / 2});
    race.add(kWorkload, "heapwright pool (checked), StandardAllocator", 1e6,
             [pool] { fill_and_drop<std::list<long, heapwright::StandardAllocator<long, heapwright::Pool>>>(*pool); });
    race.add(kWorkload, "std::pmr::monotonic", 1e6, [] {
        std::pmr::monotonic_buffer_resource resource;
        std::pmr::memory_resource* opaque = &resource;
        fill_and_drop<std::pmr::list<long>>(opaque);
    });
    race.add(kWorkload, "std::allocator", 1e6, [] { fill_and_drop<std::list<long>>(); });
}

struct Object {
    std::array<std::uint64_t, 4> words;
};

template <class Key>
void add_slab(bench::Race& race, const char* name) {
    constexpr std::uint32_t kObjects = 10'000;
    auto slab = std::make_shared<heapwright::Slab<Object, Key>>(heapwright::os::kPages);
    auto keys = std::make_shared<std::vector<Key>>();
    for (const std::uint32_t index : bench::shuffled(kObjects)) {
        keys->push_back(slab->insert(Object{{index}}));
    }
    std::swap((*keys)[0], (*keys)[kObjects / 2]);
    race.add("slab: look up 10k at random", name, kObjects * 20.0, [slab, keys] {
        std::uint64_t sum = 0;
        for (int round = 0; round < 20; ++round) {
            for (const Key key : *keys) {
                sum += slab->find(key)->words[0];
            }
        }
        escape(&sum);
    });
    race.add("slab: erase and insert at random", name, 400'000, [slab, keys] {
        bench::Random random{13};
        for (int step = 0; step < 400'000; ++step) {
            Key& key = (*keys)[random.below(kObjects)];
            slab->erase(key);
            key = slab->insert(Object{{1}});
        }
    });
    race.add("slab: visit 10k", name, kObjects * 20.0, [slab] {
        std::uint64_t sum = 0;
        for (int round = 0; round < 20; ++round) {
            for (const Object& object : *slab) {
                sum += object.words[0];
            }
        }
        escape(&sum);
    });
}

void add_indices(bench::Race& race) {
    constexpr std::uint32_t kObjects = 10'000;
    auto objects = std::make_shared<std::vector<Object>>(kObjects);
    auto order = std::make_shared<std::vector<std::uint32_t>>(bench::shuffled(kObjects));
    race.add("slab: look up 10k at random", "std::vector index (unchecked)", kObjects * 20.0, [objects, order] {
        std::uint64_t sum = 0;
        for (int round = 0; round < 20; ++round) {
            for (const std::uint32_t index : *order) {
                sum += (*objects)[index].words[0];
            }
        }
        escape(&sum);
    });
    auto map = std::make_shared<std::unordered_map<std::uint64_t, Object>>();
    for (std::uint32_t index = 0; index < kObjects; ++index) {
        map->emplace(index, Object{{index}});
    }
    race.add("slab: look up 10k at random", "std::unordered_map", kObjects * 20.0, [map, order] {
        std::uint64_t sum = 0;
        for (int round = 0; round < 20; ++round) {
            for (const std::uint32_t index : *order) {
                sum += map->find(index)->second.words[0];
            }
        }
        escape(&sum);
    });
}

/// A pair through an account, beside the same pair without.
void add_tracking(bench::Race& race) {
    constexpr int kPairs = 2'000'000;
    auto pool = std::make_shared<heapwright::Pool>(Layout{.size = 64, .alignment = 8}, heapwright::os::kPages);
    const auto add = [&race, pool](const char* name, auto make) {
        race.add("tracking: hot pair", name, kPairs, [pool, make] {
            auto allocator = make(*pool);
            for (int pair = 0; pair < kPairs; ++pair) {
                void* const block = allocator.try_allocate({.size = 64, .alignment = 8});
                escape(block);
                allocator.deallocate(block, {.size = 64, .alignment = 8});
            }
        });
    };
    struct Plain {
        heapwright::Pool& pool;
        void* try_allocate(Layout layout) noexcept { return pool.try_allocate(layout); }
        void deallocate(void* block, Layout layout) noexcept { pool.deallocate(block, layout); }
    };
    add("heapwright Pool", [](heapwright::Pool& below) { return Plain{below}; });
    add("heapwright Tracked<Pool>", [](heapwright::Pool& below) { return heapwright::Tracked<heapwright::Pool>{below}; });
}

}  // namespace

int main(int count, char** words) {
    bench::Race race;
    add_heap<Tlsf>(race);
#if defined(BENCH_BOOST_INTERPROCESS)
    add_heap<BestFit>(race);
#endif
    add_heap<Glibc>(race);
    add_heap<UnsynchronizedPool>(race);
    if (Mimalloc::symbol("mi_malloc") != nullptr) {
        add_heap<Mimalloc>(race);
    }
    add_lists(race);
    add_slab<heapwright::SlabKey>(race, "heapwright Slab");
    add_slab<heapwright::WideSlabKey>(race, "heapwright Slab, 64-bit generations");
    add_indices(race);
    add_tracking(race);
    race.start(count > 1 ? std::atoi(words[1]) : 9, count > 2 ? words[2] : "");
}
