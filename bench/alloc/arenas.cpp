// How fast are arenas: small blocks, mixed blocks and a reset, a tree, a vector that grows?
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <memory_resource>
#include <string>
#include <vector>

#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/alloc/arena/growing_array.hpp>
#include <heapwright/alloc/arena/shared_arena.hpp>
#include <heapwright/alloc/arena/typed_arena.hpp>
#include <heapwright/os/page_source.hpp>

#include <bench/alloc/harness.hpp>

#if __has_include(<llvm/Support/Allocator.h>) && defined(BENCH_LLVM)
#include <llvm/Support/Allocator.h>
#endif
#if __has_include(<foonathan/memory/memory_stack.hpp>) && defined(BENCH_FOONATHAN)
#include <foonathan/memory/memory_stack.hpp>
#endif

#if __has_include(<boost/container/pmr/monotonic_buffer_resource.hpp>) && defined(BENCH_BOOST_CONTAINER)
#include <boost/container/pmr/monotonic_buffer_resource.hpp>
#endif
#if __has_include(<google/protobuf/arena.h>) && defined(BENCH_PROTOBUF)
#include <google/protobuf/arena.h>
#endif

namespace {

using bench::escape;
using heapwright::Layout;

/// The least that any arena must do, over memory that is there: what the machine allows in this loop.
struct BarePointer {
    static constexpr const char* kName = "a bare pointer (no limit, no chunks)";
    static constexpr std::size_t kBytes = std::size_t{64} << 20;
    std::unique_ptr<std::byte[]> memory{new std::byte[kBytes]};
    std::uintptr_t cursor = reinterpret_cast<std::uintptr_t>(memory.get());
    template <std::size_t Size>
    void* small() {
        return any({.size = Size, .alignment = 8});
    }
    void* any(Layout layout) {
        const std::uintptr_t start = heapwright::align_up(cursor, layout.alignment);
        cursor = start + layout.size;
        return reinterpret_cast<void*>(start);
    }
    void reset() { cursor = reinterpret_cast<std::uintptr_t>(memory.get()); }
};

// Each contender: small<Size>() for a size known at compile time, any(layout) for one that is not, reset().

struct Heapwright {
    static constexpr const char* kName = "heapwright Arena";
    heapwright::Arena arena{heapwright::os::kPages};
    template <std::size_t Size>
    void* small() {
        return arena.try_allocate_fixed<Size, 8>();
    }
    void* any(Layout layout) { return arena.try_allocate(layout); }
    void reset() { arena.reset(); }
};

struct HeapwrightShared {
    static constexpr const char* kName = "heapwright SharedArena";
    heapwright::SharedArena arena{heapwright::os::kPages};
    template <std::size_t Size>
    void* small() {
        return arena.try_allocate({.size = Size, .alignment = 8});
    }
    void* any(Layout layout) { return arena.try_allocate(layout); }
    void reset() { arena.reset(); }
};

struct Monotonic {
    static constexpr const char* kName = "std::pmr::monotonic";
    std::pmr::monotonic_buffer_resource arena;
    template <std::size_t Size>
    void* small() {
        return arena.allocate(Size, 8);
    }
    void* any(Layout layout) { return arena.allocate(layout.size, layout.alignment); }
    void reset() { arena.release(); }
};

#if defined(BENCH_BOOST_CONTAINER)
struct BoostMonotonic {
    static constexpr const char* kName = "boost::container::pmr::monotonic";
    boost::container::pmr::monotonic_buffer_resource arena;
    template <std::size_t Size>
    void* small() {
        return arena.allocate(Size, 8);
    }
    void* any(Layout layout) { return arena.allocate(layout.size, layout.alignment); }
    void reset() { arena.release(); }
};
#endif

#if defined(BENCH_PROTOBUF)
/// Its blocks are aligned to 8, whatever is asked.
struct Protobuf {
    static constexpr const char* kName = "protobuf Arena";
    google::protobuf::Arena arena;
    template <std::size_t Size>
    void* small() {
        return google::protobuf::Arena::CreateArray<char>(&arena, Size);
    }
    void* any(Layout layout) { return google::protobuf::Arena::CreateArray<char>(&arena, layout.size); }
    void reset() { arena.Reset(); }
};
#endif

struct Glibc {
    static constexpr const char* kName = "glibc malloc";
    std::vector<void*> blocks;
    template <std::size_t Size>
    void* small() {
        return blocks.emplace_back(std::malloc(Size));
    }
    void* any(Layout layout) { return blocks.emplace_back(std::malloc(layout.size)); }
    void reset() {
        for (void* block : blocks) {
            std::free(block);
        }
        blocks.clear();
    }
};

#if defined(BENCH_LLVM)
struct Llvm {
    static constexpr const char* kName = "llvm::BumpPtrAllocator";
    llvm::BumpPtrAllocator arena;
    template <std::size_t Size>
    void* small() {
        return arena.Allocate(Size, llvm::Align::Constant<8>());
    }
    void* any(Layout layout) { return arena.Allocate(layout.size, llvm::Align{layout.alignment}); }
    void reset() { arena.Reset(); }
};
#endif

#if defined(BENCH_FOONATHAN)
struct Foonathan {
    static constexpr const char* kName = "foonathan memory_stack";
    foonathan::memory::memory_stack<> arena{std::size_t{1} << 20};
    decltype(arena.top()) bottom = arena.top();
    template <std::size_t Size>
    void* small() {
        return arena.allocate(Size, 8);
    }
    void* any(Layout layout) { return arena.allocate(layout.size, layout.alignment); }
    void reset() { arena.unwind(bottom); }
};
#endif

template <std::size_t Size, class Contender>
void add_small(bench::Race& race) {
    constexpr int kBlocks = 1'000'000;
    auto contender = std::make_shared<Contender>();
    race.add("arena: " + std::to_string(Size) + " B x 1M, touched", Contender::kName, kBlocks, [contender] {
        Contender& own = *contender;
        for (int block = 0; block < kBlocks; ++block) {
            auto* const start = static_cast<char*>(own.template small<Size>());
            *start = 1;
            escape(start);
        }
        own.reset();
    });
}

template <class Contender>
void add_mixed(bench::Race& race) {
    constexpr int kRounds = 20'000;
    auto contender = std::make_shared<Contender>();
    auto layouts = std::make_shared<std::array<Layout, 100>>();
    bench::Random random{5};
    for (Layout& layout : *layouts) {
        layout = {.size = 8 + random.below(120), .alignment = std::size_t{1} << random.below(5)};
    }
    race.add("arena: 100 mixed, then reset", Contender::kName, kRounds * 100.0, [contender, layouts] {
        Contender& own = *contender;
        for (int round = 0; round < kRounds; ++round) {
            for (const Layout& layout : *layouts) {
                auto* const start = static_cast<char*>(own.any(layout));
                *start = 1;
                escape(start);
            }
            own.reset();
        }
    });
}

struct Node {
    Node* left;
    Node* right;
};

template <class Contender>
Node* tree(Contender& contender, int depth) {
    auto* const node = ::new (contender.template small<sizeof(Node)>()) Node;
    node->left = depth == 0 ? nullptr : tree(contender, depth - 1);
    node->right = depth == 0 ? nullptr : tree(contender, depth - 1);
    return node;
}

template <class Contender>
void add_tree(bench::Race& race) {
    auto contender = std::make_shared<Contender>();
    race.add("arena: binary tree of depth 18, a node", Contender::kName, (1 << 19) - 1, [contender] {
        escape(tree(*contender, 18));
        contender->reset();
    });
}

constexpr int kPushes = 1'000'000;

void add_vectors(bench::Race& race) {
    auto arena = std::make_shared<heapwright::Arena>(heapwright::os::kPages);
    race.add("arena: a vector of 1M pushes", "heapwright GrowingArray", kPushes, [arena] {
        {
            heapwright::GrowingArray<int> array{*arena};
            for (int value = 0; value < kPushes; ++value) {
                array.emplace_back(value);
            }
            escape(array.begin());
        }
        arena->reset();
    });
    auto room = std::make_shared<std::vector<int>>(kPushes);
    race.add("arena: a vector of 1M pushes", "a bare array with room for all", kPushes, [room] {
        int* end = room->data();
        int* const limit = end + room->size();
        for (int value = 0; value < kPushes && end != limit; ++value) {
            *end++ = value;
            asm volatile("" : "+r"(end));  // one by one, as pushes come
        }
        escape(room->data());
    });
    race.add("arena: a vector of 1M pushes", "std::vector", kPushes, [] {
        std::vector<int> array;
        for (int value = 0; value < kPushes; ++value) {
            array.push_back(value);
        }
        escape(array.data());
    });
    race.add("arena: a vector of 1M pushes", "std::pmr::vector on monotonic", kPushes, [] {
        std::pmr::monotonic_buffer_resource resource;
        std::pmr::vector<int> array{&resource};
        for (int value = 0; value < kPushes; ++value) {
            array.push_back(value);
        }
        escape(array.data());
    });
}

template <class Contender>
void add_all(bench::Race& race) {
    add_small<8, Contender>(race);
    add_small<32, Contender>(race);
    add_mixed<Contender>(race);
    add_tree<Contender>(race);
}

}  // namespace

int main(int count, char** words) {
    bench::Race race;
    add_all<Heapwright>(race);
    add_all<HeapwrightShared>(race);
    add_all<BarePointer>(race);
    add_all<Monotonic>(race);
#if defined(BENCH_BOOST_CONTAINER)
    add_all<BoostMonotonic>(race);
#endif
#if defined(BENCH_PROTOBUF)
    add_all<Protobuf>(race);
#endif
    add_all<Glibc>(race);
#if defined(BENCH_LLVM)
    add_all<Llvm>(race);
#endif
#if defined(BENCH_FOONATHAN)
    add_all<Foonathan>(race);
#endif
    add_vectors(race);
    race.start(count > 1 ? std::atoi(words[1]) : 9, count > 2 ? words[2] : "");
}
