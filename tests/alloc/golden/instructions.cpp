// Runs each hot path of the allocators a known number of times under callgrind, with a dump of the count after each.
//
// Built like a release whatever the preset: the counts are of what users get.
#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory_resource>

#include <heapwright/alloc/adapt/memory_resource.hpp>
#include <heapwright/alloc/adapt/standard_allocator.hpp>
#include <heapwright/alloc/adapt/tracked.hpp>
#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/alloc/arena/growing_array.hpp>
#include <heapwright/alloc/arena/shared_arena.hpp>
#include <heapwright/alloc/arena/typed_arena.hpp>
#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/evacuation.hpp>
#include <heapwright/alloc/heap/placement.hpp>
#include <heapwright/alloc/pool/multi_pool.hpp>
#include <heapwright/alloc/pool/pool.hpp>
#include <heapwright/alloc/pool/shared_pool.hpp>
#include <heapwright/alloc/pool/typed_pool.hpp>
#include <heapwright/alloc/slab/slab.hpp>
#include <heapwright/alloc/tlsf/tlsf.hpp>
#include <heapwright/os/maps.hpp>
#include <heapwright/os/modules.hpp>
#include <heapwright/os/page_source.hpp>
#include <heapwright/trace/stack/rule_cache.hpp>

#include <tests/support/instruction_counts.hpp>

namespace {

using heapwright::Layout;
using heapwright::test::count;
using heapwright::test::escape;

struct Node {
    Node* left;
    Node* right;
};

constexpr heapwright::ArenaOptions kOneChunk{.first_chunk_bytes = std::size_t{8} << 20};

void count_arenas() {
    heapwright::Arena arena{heapwright::os::kPages, kOneChunk};
    count("arena.try_allocate_fixed<32, 8>", [at = &arena] { escape(at->try_allocate_fixed<32, 8>()); });
    count("arena.try_allocate({32, 8})", [at = &arena] { escape(at->try_allocate({.size = 32, .alignment = 8})); });
    volatile std::size_t size = 32;
    volatile std::size_t alignment = 8;
    const Layout layout{.size = size, .alignment = alignment};
    count("arena.try_allocate(layout)", [at = &arena, layout] { escape(at->try_allocate(layout)); });
    count("arena.create<Node>", [at = &arena] { escape(&at->create<Node>()); });
    heapwright::GrowingArray<int> array{arena};
    static_cast<void>(array.try_reserve(8000));
    count("growing_array.emplace_back", [at = &array] {
        at->emplace_back(1);
        escape(at);
    });
    heapwright::TypedArena<Node> nodes{heapwright::os::kPages, kOneChunk};
    count("typed_arena.create", [at = &nodes] { escape(&at->create()); });
    heapwright::SharedArena shared{heapwright::os::kPages,
                                   {.first_run_bytes = std::size_t{8} << 20, .largest_run_bytes = std::size_t{8} << 20}};
    count("shared_arena.try_allocate({32, 8})", [at = &shared] { escape(at->try_allocate({.size = 32, .alignment = 8})); });
}

void count_pools() {
    heapwright::Pool pool{{.size = 64, .alignment = 8}, heapwright::os::kPages};
    count("pool pair", [at = &pool] {
        void* const block = at->try_allocate();
        escape(block);
        at->deallocate(block);
    });
    heapwright::TypedPool<Node> nodes{heapwright::os::kPages};
    count("typed_pool create and destroy", [at = &nodes] {
        Node* const node = at->create();
        escape(node);
        at->destroy(node);
    });
    heapwright::SharedPool shared{{.size = 64, .alignment = 8}, heapwright::os::kPages};
    count("shared_pool pair", [at = &shared] {
        void* const block = at->try_allocate();
        escape(block);
        at->deallocate(block);
    });
    static constexpr std::array<heapwright::SizeClassOptions, 4> kClasses{{{16}, {32}, {64}, {128}}};
    heapwright::MultiPool multi{kClasses, heapwright::os::kPages};
    count("multi_pool pair", [at = &multi] {
        void* const block = at->try_allocate({.size = 60, .alignment = 8});
        escape(block);
        at->deallocate(block, {.size = 60, .alignment = 8});
    });
}

template <class Key>
void count_slab(const char* pair_name, const char* find_name) {
    heapwright::Slab<Node, Key> slab{heapwright::os::kPages};
    const Key lasting = slab.insert();
    count(pair_name, [at = &slab] {
        const Key key = at->try_insert();
        escape(at);
        at->erase(key);
    });
    volatile std::uint32_t index = lasting.index();
    const Key key = Key::from_parts(index, lasting.generation());
    count(find_name, [at = &slab, key] { escape(at->find(key)); });
}

void count_tlsf() {
    static heapwright::Tlsf heap;
    alignas(4096) static std::array<std::byte, std::size_t{1} << 20> memory;  // the counts shall not depend on where it lies
    if (!heap.add_region(memory)) {
        return;
    }
    static std::array<void*, 3> blocks{};
    const auto take = [at = &heap](std::size_t size, std::size_t alignment) {
        void* const block = at->try_allocate({.size = size, .alignment = alignment});
        escape(block);
        return block;
    };
    count("tlsf pair", [take, at = &heap] { at->deallocate(take(64, 8)); });
    count("tlsf pair, 16 KiB", [take, at = &heap] { at->deallocate(take(16'384, 8)); });
    count("tlsf pair, alignment 64", [take, at = &heap] { at->deallocate(take(64, 64)); });
    // The longest way: a free block on both sides to join with, each alone in its list, and every block split off a larger one.
    void* const wall = take(100'000, 8);
    count("tlsf four pairs, one joined on both sides", [take, at = &heap, in = blocks.data()] {
        in[0] = take(1000, 8);
        in[1] = take(2000, 8);
        in[2] = take(4000, 8);
        void* const end = take(100, 8);
        at->deallocate(in[0]);
        at->deallocate(in[2]);
        at->deallocate(in[1]);
        at->deallocate(end);
    });
    heap.deallocate(wall);
}

/// Pairs through the inline paths; the size is known to the compiler, or is not.
void count_heap() {
    namespace heap = heapwright::default_heap;
    count("heap pair", [] {
        void* const block = heap::allocate(64);
        escape(block);
        heap::release(block);
    });
    volatile std::size_t size = 64;
    count("heap pair of any size", [bytes = std::size_t{size}] {
        void* const block = heap::allocate(bytes);
        escape(block);
        heap::release(block);
    });
    volatile std::size_t alignment = 64;
    count("heap pair, aligned", [bytes = std::size_t{size}, to = std::size_t{alignment}] {
        void* const block = heap::allocate_aligned(bytes, to);
        escape(block);
        heap::release(block);
    });
    // The free lists are handed over, and carved, within what is counted.
    static std::array<void*, 32> blocks{};
    count("heap 32 blocks, freed in order", [in = blocks.data()] {
        for (int i = 0; i < 32; ++i) {
            in[i] = heap::allocate(64);
        }
        escape(in);
        for (int i = 0; i < 32; ++i) {
            heap::release(in[i]);
        }
    });
    count("heap block, asked whether it should move", [block = blocks[0]] {
        bool should_move = heapwright::Evacuation::should_move(block);
        escape(&should_move);
    });
    volatile std::size_t large = 100'000;
    count("heap pair, 100 kB", [bytes = std::size_t{large}] {
        void* const block = heap::allocate(bytes);
        escape(block);
        heap::release(block);
    });
}

/// Sizes changed: of many blocks of 256 bytes few are left, and those of 512 lie between them. Then one after the other is replaced.
void count_mixed() {
    namespace heap = heapwright::default_heap;
    constexpr std::size_t kOfFirstSize = 30'000;
    constexpr std::size_t kOfSecondSize = 12'000;
    heap::set_clock(0, false, false);  // no thread that is counted as well
    // Not in the data of the program, where they would move what other rows count.
    auto** const first = static_cast<void**>(heap::allocate(kOfFirstSize * sizeof(void*)));
    auto** const second = static_cast<void**>(heap::allocate(kOfSecondSize * sizeof(void*)));
    for (std::size_t i = 0; i < kOfFirstSize; ++i) {
        first[i] = heap::allocate(256);
    }
    for (std::size_t i = 0; i < kOfFirstSize; ++i) {
        if (i % 16 != 0) {
            heap::release(first[i]);
        }
    }
    for (std::size_t i = 0; i < kOfSecondSize; ++i) {
        second[i] = heap::allocate(512);
    }
    std::uint64_t state = 1;
    count("heap pair in spans of any size", [in = second, number = &state] {
        *number = *number * 6364136223846793005U + 1442695040888963407U;
        void*& block = in[(*number >> 32U) % kOfSecondSize];
        heap::release(block);
        block = heap::allocate(512);
        escape(block);
    });
}

/// As the preload library's malloc: the plan is asked about who called it.
const void* g_caller = nullptr;
[[gnu::noipa]] void* ask(std::size_t bytes) { return heapwright::default_heap::allocate(bytes); }
[[gnu::noipa]] void* ask_and_tell(std::size_t bytes) {
    g_caller = __builtin_return_address(0);
    return heapwright::default_heap::allocate(bytes);
}

/// Each has its own return address in it; the first call learns it.
template <int Number>
[[gnu::noipa]] void pair(void* (*asks)(std::size_t)) {
    void* const block = asks(64);
    escape(block);
    heapwright::default_heap::release(block);
}

/// Through one wrapper, so that only its caller tells who wants the block.
const void* g_outer = nullptr;
[[gnu::noipa]] void* wrap(void* (*asks)(std::size_t)) {
    g_outer = __builtin_return_address(0);
    void* const block = asks(64);
    escape(block);
    return block;
}
template <int Number>
[[gnu::noipa]] void wrapped_pair(void* (*asks)(std::size_t)) {
    void* const block = wrap(asks);
    escape(block);
    heapwright::default_heap::release(block);
}

/// An entry for this code of the program, the innermost return address first.
bool plan_code(heapwright::SitePlace place, std::initializer_list<const void*> returns) {
    heapwright::PlannedSite site;
    site.place = place;
    for (const void* const one : returns) {
        auto look = [&](const heapwright::os::LoadedModule& module) {
            const auto code = reinterpret_cast<std::uintptr_t>(one);
            if (code >= module.begin && code < module.end) {
                site.module.size = static_cast<std::uint8_t>(std::min(module.build_id.size(), site.module.bytes.size()));
                std::copy_n(module.build_id.begin(), site.module.size, site.module.bytes.begin());
                site.returns.values[site.returns.count++] = code - module.bias;
            }
        };
        heapwright::os::for_each_module(look);
    }
    return site.returns.count == returns.size() && heapwright::placement::add_site(site);
}

template <int Number>
bool plan_pair(heapwright::SitePlace place) {
    pair<Number>(ask_and_tell);
    return plan_code(place, {g_caller});
}

template <int Number>
bool plan_wrapped_pair(heapwright::SitePlace place) {
    wrapped_pair<Number>(ask_and_tell);
    return plan_code(place, {g_caller, g_outer});
}

/// How the wrapper's frame is left, from its unwind table, as the preload library finds it.
bool find_step(std::uintptr_t code, heapwright::placement::FrameStep& step) noexcept {
    static heapwright::trace::stack::RuleCache rules;
    static char maps[heapwright::os::kMapsBufferBytes];
    static const bool is_open = rules.open(16);
    const heapwright::trace::stack::Rule rule = is_open ? rules.lookup(code, maps).rule : heapwright::trace::stack::Rule{};
    step.cfa_offset = static_cast<std::int32_t>(rule.cfa_offset());
    return rule.kind() == heapwright::trace::stack::RuleKind::from_rsp;
}

/// Two return addresses may begin at one slot of the plan's table, as chance has it: of equal rows the least counts.
template <int... Numbers>
void count_many(const char* name) {
    (count(name, [] { pair<Numbers>(ask); }), ...);
}

/// Under a plan, which stays in force: what malloc costs where the plan says nothing, and in its places.
void count_planned() {
    namespace placement = heapwright::placement;
    count("heap pair by calls", [] { pair<0>(ask); });
    count("heap pair by calls, through a wrapper", [] { wrapped_pair<0>(ask); });
    placement::set_step_source(find_step);
    if (plan_wrapped_pair<1>(heapwright::SitePlace::bump) && plan_wrapped_pair<2>(heapwright::SitePlace::pool) &&
        plan_pair<1>(heapwright::SitePlace::bump) && plan_pair<2>(heapwright::SitePlace::bump) &&
        plan_pair<3>(heapwright::SitePlace::pool) && plan_pair<4>(heapwright::SitePlace::pool) && placement::begin() &&
        placement::resolve()) {
        count_many<0, 5, 6>("heap pair by calls, of code that the plan does not name");
        count_many<1, 2>("heap pair by calls, in a bump place");
        count_many<3, 4>("heap pair by calls, in a pool place");
        count("heap pair by calls, through a wrapper, of a caller that the plan does not name", [] { wrapped_pair<0>(ask); });
        count("heap pair by calls, through a wrapper, in a bump place of its caller", [] { wrapped_pair<1>(ask); });
        count("heap pair by calls, through a wrapper, in a pool place of its caller", [] { wrapped_pair<2>(ask); });
    }
}

void count_resource(const char* name, std::pmr::memory_resource& resource, std::size_t size) {
    std::pmr::memory_resource* opaque = &resource;
    asm volatile("" : "+r"(opaque));  // whose it is, the compiler shall not know
    count(name, [opaque, size] {
        void* const block = opaque->allocate(size, 8);
        escape(block);
        opaque->deallocate(block, size, 8);
    });
}

void count_adaptors() {
    static heapwright::Arena arena{heapwright::os::kPages, kOneChunk};
    heapwright::StandardAllocator<std::array<char, 32>, heapwright::Arena> nodes{arena};
    count("standard allocator on an arena, a node", [nodes]() mutable {
        auto* const node = nodes.allocate(1);
        escape(node);
        nodes.deallocate(node, 1);
    });
    static heapwright::Resource resource{arena};
    count_resource("resource on an arena, pair", resource, 32);
    std::pmr::memory_resource* opaque = &resource;
    asm volatile("" : "+r"(opaque));
    count("resource on an arena, allocate", [opaque] { escape(opaque->allocate(32, 8)); });
    static heapwright::Pool pool{{.size = 64, .alignment = 8}, heapwright::os::kPages};
    static heapwright::Resource pool_resource{pool};
    count_resource("resource on a pool, pair", pool_resource, 64);
    static heapwright::OwningResource<heapwright::Pool> own_pool{Layout{.size = 64, .alignment = 8}, heapwright::os::kPages};
    count_resource("resource with a pool inside, pair", own_pool, 64);
    heapwright::Tracked tracked{pool};
    count("tracked pool pair", [at = &tracked] {
        void* const block = at->try_allocate({.size = 64, .alignment = 8});
        escape(block);
        at->deallocate(block, {.size = 64, .alignment = 8});
    });
}

}  // namespace

int main() {
    count("nothing", [] { escape(nullptr); });
    count_arenas();
    count_pools();
    count_slab<heapwright::SlabKey>("slab insert and erase", "slab.find");
    count_slab<heapwright::WideSlabKey>("slab insert and erase, 64-bit generation", "slab.find, 64-bit generation");
    count_tlsf();
    count_heap();
    count_adaptors();
    count_mixed();
    count_planned();
}
