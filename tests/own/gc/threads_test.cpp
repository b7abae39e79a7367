#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/base/platform.hpp>
#include <heapwright/base/poison.hpp>
#include <heapwright/own/gc/make.hpp>
#include <heapwright/own/gc/root.hpp>
#include <heapwright/own/gc/weak.hpp>

#include <tests/own/gc/trees.hpp>
#include <tests/support/random.hpp>

namespace gc = heapwright::gc;

namespace {

using heapwright::test::count_tree;
using heapwright::test::make_tree;
using Node = heapwright::test::TreeNode;

gc::GcConfig stressed(std::uint32_t every) {
    gc::GcConfig config;
    config.stress = every;
    config.verify_always = true;
    return config;
}

/// Its members refer to what its constructor makes, while a collection runs at each allocation.
struct Nested {
    explicit Nested(gc::Heap& heap, int depth)
        : first(gc::make<Node>(heap)),
          inner(depth == 0 ? gc::Ptr<Nested>() : gc::make<Nested>(heap, heap, depth - 1)),
          last(gc::make<Node>(heap)) {
        first->number = 1;
        last->number = 2;
    }
    void trace(gc::Tracer& tracer) const { tracer(first, inner, last); }
    gc::Ptr<Node> first;
    gc::Ptr<Nested> inner;
    gc::Ptr<Node> last;
};

/// Puts a reference into one callee-saved register, takes it from everywhere else, collects, and gives it back.
#define HEAPWRIGHT_TEST_REGISTER(name, reg)                                                   \
    HEAPWRIGHT_NOINLINE void* held_in_##name(void* hidden, void (*call)(void*), void* heap) { \
        void* result = nullptr;                                                               \
        asm volatile(                                                                         \
            "subq $128, %%rsp\n\t"                                                            \
            "pushq %%" reg                                                                    \
            "\n\t"                                                                            \
            "pushq %%rbx\n\t"                                                                 \
            "pushq %%r12\n\t"                                                                 \
            "movq %%rsp, %%rax\n\t"                                                           \
            "andq $-16, %%rsp\n\t"                                                            \
            "pushq %%rax\n\t"                                                                 \
            "pushq %%rax\n\t"                                                                 \
            "notq %%rsi\n\t"                                                                  \
            "movq %%rsi, %%" reg                                                              \
            "\n\t"                                                                            \
            "xorq %%rsi, %%rsi\n\t"                                                           \
            "callq *%%rdx\n\t"                                                                \
            "movq %%" reg                                                                     \
            ", %%rcx\n\t"                                                                     \
            "popq %%rax\n\t"                                                                  \
            "movq %%rax, %%rsp\n\t"                                                           \
            "popq %%r12\n\t"                                                                  \
            "popq %%rbx\n\t"                                                                  \
            "popq %%" reg                                                                     \
            "\n\t"                                                                            \
            "addq $128, %%rsp\n\t"                                                            \
            : "=c"(result), "+S"(hidden), "+d"(call), "+D"(heap)                              \
            :                                                                                 \
            : "rax", "r8", "r9", "r10", "r11", "memory", "cc", "xmm0", "xmm1");               \
        return result;                                                                        \
    }
HEAPWRIGHT_TEST_REGISTER(rbx, "rbx")
HEAPWRIGHT_TEST_REGISTER(rbp, "rbp")
HEAPWRIGHT_TEST_REGISTER(r12, "r12")
HEAPWRIGHT_TEST_REGISTER(r13, "r13")
HEAPWRIGHT_TEST_REGISTER(r14, "r14")
HEAPWRIGHT_TEST_REGISTER(r15, "r15")
#undef HEAPWRIGHT_TEST_REGISTER

/// Makes an object that nothing refers to, and returns its address with all bits turned over.
HEAPWRIGHT_NOINLINE std::uintptr_t hidden_node(gc::Heap& heap) {
    auto node = gc::make<Node>(heap);
    node->number = 4711;
    return ~reinterpret_cast<std::uintptr_t>(node.get());
}

HEAPWRIGHT_NOINLINE void wipe_stack() {
    volatile std::uintptr_t words[512];
    for (auto& word : words) {
        word = 0;
    }
}

}  // namespace

TEST_CASE("raw pointers on the stack are enough, with a collection at every allocation") {
    gc::Heap heap{stressed(1)};
    auto made = make_tree(heap, 6);
    CHECK(count_tree(made.get()) == 127);
    heap.collect();
    CHECK(count_tree(made.get()) == 127);
}

TEST_CASE("a pointer into the middle of an object keeps it") {
    gc::Heap heap{stressed(5)};
    gc::Array<std::uint64_t>* array = gc::make_array<std::uint64_t>(heap, 2000).get();
    std::uint64_t* middle = array->data() + 1500;
    *middle = 99;
    array = nullptr;
    wipe_stack();
    for (int round = 0; round < 300; ++round) {
        gc::make<Node>(heap);
    }
    CHECK(*middle == 99);
}

TEST_CASE("a root held in a callee-saved register only is found") {
    gc::GcConfig config;
    gc::Heap heap{config};
    const auto collect = [](void* its_heap) { static_cast<gc::Heap*>(its_heap)->collect(); };
    for (const auto hold : {&held_in_rbx, &held_in_rbp, &held_in_r12, &held_in_r13, &held_in_r14, &held_in_r15}) {
        const std::uintptr_t hidden = hidden_node(heap);
        gc::WeakRoot<Node> weak{heap, gc::Ptr<Node>(reinterpret_cast<Node*>(~hidden))};
        wipe_stack();
        auto* const held = static_cast<Node*>(hold(reinterpret_cast<void*>(hidden), collect, &heap));
        CHECK(reinterpret_cast<std::uintptr_t>(held) == ~hidden);
        CHECK(weak.lock().get() == held);
        CHECK(held->number == 4711);
    }
}

TEST_CASE("objects under construction, and what they refer to, survive collections inside their constructors") {
    for (const auto stack : {gc::StackScan::conservative, gc::StackScan::none}) {
        auto config = stressed(1);
        config.stack = stack;
        gc::Heap heap{config};
        gc::Root<Nested> root{heap, gc::make<Nested>(heap, heap, 12)};
        for (int round = 0; round < 20; ++round) {
            gc::make<Node>(heap);
        }
        int depth = 0;
        for (const Nested* at = root.get(); at != nullptr; at = at->inner.get()) {
            REQUIRE(at->first->number == 1);
            REQUIRE(at->last->number == 2);
            ++depth;
        }
        CHECK(depth == 13);
    }
}

TEST_CASE("conservative stacks keep little that is dead") {
    gc::GcConfig config;
    gc::Heap heap{config};
    std::vector<std::uintptr_t> hidden;
    std::vector<std::unique_ptr<gc::WeakRoot<Node>>> weak;
    for (int number = 0; number < 1000; ++number) {
        hidden.push_back(hidden_node(heap));
        weak.push_back(std::make_unique<gc::WeakRoot<Node>>(heap, gc::Ptr<Node>(reinterpret_cast<Node*>(~hidden.back()))));
    }
    wipe_stack();
    heap.collect();
    int kept = 0;
    for (const auto& one : weak) {
        kept += one->lock() != nullptr ? 1 : 0;
    }
    MESSAGE(kept << " of 1000 dead objects were kept by words on the stack");
    CHECK(kept <= 10);
}

TEST_CASE("freed lines are poisoned") {
    gc::GcConfig config;
    config.stack = gc::StackScan::none;
    gc::Heap heap{config};
    const Node* const node = gc::make<Node>(heap).get();
    for (int number = 0; number < 20; ++number) {
        gc::make<Node>(heap);
    }
    CHECK_FALSE(heapwright::is_poisoned(node, sizeof(Node)));
    heap.collect();
    CHECK(heapwright::is_poisoned(node, sizeof(Node)) == heapwright::kPoisoning);
}

TEST_CASE("several threads make and share objects while collections run") {
    gc::GcConfig config;
    config.nursery_bytes = 100'000;
    config.threshold_bytes = 300'000;
    config.step_bytes = 20'000;
    config.pause_budget_ns = 50'000;
    config.verify_always = true;
    config.markers = 2;
    gc::Heap heap{config};
    gc::Root<gc::Array<gc::Ptr<Node>>> shared{heap, gc::make_array<gc::Ptr<Node>>(heap, 64)};
    std::atomic<bool> all_whole{true};
    std::atomic<int> left{3};
    {
        std::vector<std::jthread> threads;
        for (std::uint64_t number = 0; number < 3; ++number) {
            threads.emplace_back([&, number] {
                const gc::ThreadScope attached{heap};
                heapwright::test::Random random(number);
                const int rounds = HEAPWRIGHT_UNDER_TSAN != 0 ? 60 : 200;
                for (int round = 0; round < rounds; ++round) {
                    auto made = make_tree(heap, 7);
                    if (count_tree(made.get()) != 255) {
                        all_whole = false;
                    }
                    // Each thread has slots of its own; all of them are in one old object.
                    auto& slot = (*shared)[number * 16 + random.below(16)];
                    if (slot && count_tree(slot.get()) != 255) {
                        all_whole = false;
                    }
                    slot = made;
                }
                --left;
            });
        }
        // A thread that waits delays nobody.
        const gc::BlockingRegion waiting{heap};
        while (left.load() != 0) {
            std::this_thread::yield();
        }
    }
    CHECK(all_whole);
    for (const auto& slot : *shared) {
        CHECK((!slot || count_tree(slot.get()) == 255));
    }
    CHECK(heap.stats().threads == 1);
    CHECK(heap.stats().pauses > 5);
    CHECK(heap.broken_invariant() == nullptr);
}

TEST_CASE("two markers mark what one would") {
    for (const unsigned markers : {1U, 2U, 3U}) {
        gc::GcConfig config;
        config.markers = markers;
        config.mark_stack_entries = markers == 3 ? 64 : 32768;
        gc::Heap heap{config};
        gc::Root<Node> root{heap, make_tree(heap, 16)};
        for (int round = 0; round < 3; ++round) {
            heap.collect();
            REQUIRE(count_tree(root.get()) == 131'071);
            REQUIRE(heap.broken_invariant() == nullptr);
        }
    }
}
