// Captured stacks against libgcc's, inside one process: the same frames, in the same order.
#include <heapwright/trace/stack/stack_capture.hpp>

#include <array>
#include <csetjmp>
#include <csignal>
#include <stdexcept>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <alloca.h>
#include <ucontext.h>
#include <unwind.h>

#include <heapwright/trace/stack/call_site.hpp>

#include <tests/support/random.hpp>

using namespace heapwright::trace;
using namespace heapwright::trace::stack;
using heapwright::test::Random;

namespace {

#define TEST_NOINLINE __attribute__((noinline))

constexpr unsigned kDepth = 32;

/// Addresses without memory of their own: signal handlers compare stacks too.
struct Frames {
    void add(std::uintptr_t pc) { pcs[size++] = pc; }
    friend bool operator==(const Frames&, const Frames&) = default;
    std::array<std::uintptr_t, kDepth> pcs{};
    std::size_t size = 0;
};

struct World {
    explicit World(std::uint32_t max_nodes = 1U << 20) {
        REQUIRE(rules.open());
        REQUIRE(nodes.open(rules, max_nodes));
    }
    ~World() {
        nodes.close();
        rules.close();
    }
    /// The frames of a stack, innermost first.
    Frames frames(StackId stack) const {
        Frames result;
        for (auto at = static_cast<std::uint32_t>(stack); at != 0 && result.size < kDepth;) {
            result.add(nodes.node(at).pc);
            at = static_cast<std::uint32_t>(nodes.node(at).parent);
        }
        return result;
    }
    RuleCache rules;
    NodeTree nodes;
};

struct Reference {
    std::uintptr_t site;
    Frames frames;
    bool found = false;
};

_Unwind_Reason_Code visit(_Unwind_Context* context, void* argument) {
    auto& reference = *static_cast<Reference*>(argument);
    int is_exact = 0;
    const std::uintptr_t pc = _Unwind_GetIPInfo(context, &is_exact);
    reference.found = reference.found || pc == reference.site;
    if (reference.found && pc != 0) {
        reference.frames.add(is_exact != 0 ? pc + 1 : pc);
    }
    return reference.frames.size == kDepth ? _URC_NORMAL_STOP : _URC_NO_REASON;
}

/// One thread's capture and how often it was right.
struct Checker {
    explicit Checker(World& in, StackMode mode = StackMode::full) : world{in} { REQUIRE(capture.open(world.rules, world.nodes, mode)); }
    ~Checker() { capture.close(); }

    /// Takes the caller's stack both ways.
    TEST_NOINLINE void check() {
        const CallSite site = call_site_here();
        const StackId stack = capture.capture(site, kDepth);
        Reference reference{site.return_address, {}};
        _Unwind_Backtrace(&visit, &reference);
        wrong += world.frames(stack) == reference.frames ? 0 : 1;
        ++taken;
        if (const char* const sentence = capture.broken_invariant(); sentence != nullptr) {
            FAIL(sentence);
        }
    }

    World& world;
    StackCapture capture;
    int taken = 0;
    int wrong = 0;
};

thread_local volatile unsigned sink = 0;  // what keeps the frames from being optimised away

TEST_NOINLINE void wander(Checker& checker, Random& random, int depth);

TEST_NOINLINE void through_alloca(Checker& checker, Random& random, int depth) {
    auto* room = static_cast<volatile char*>(alloca(16 + random.below(400)));
    room[0] = 1;
    wander(checker, random, depth - 1);
    checker.check();
    sink = sink + static_cast<unsigned char>(room[0]);
}

TEST_NOINLINE void through_realigned(Checker& checker, Random& random, int depth) {
    alignas(64) volatile char room[64];
    room[random.below(64)] = 1;
    wander(checker, random, depth - 1);
    sink = sink + static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(&room[0]) % 64);
    checker.check();
}

TEST_NOINLINE void through_exception(Checker& checker, Random& random, int depth) {
    try {
        wander(checker, random, depth - 1);
        if (random.one_in(2)) {
            throw std::runtime_error("out");
        }
    } catch (const std::runtime_error&) {
        wander(checker, random, depth - 2);
    }
    checker.check();
}

TEST_NOINLINE void through_many_registers(Checker& checker, Random& random, int depth) {
    std::uint64_t a = random.next(), b = random.next(), c = random.next(), d = random.next(), e = random.next();
    for (int i = 0; i < 2; ++i) {
        wander(checker, random, depth - 1);
        checker.check();
        a += b;
        b ^= c;
        c += d;
        d ^= e;
        e += a;
    }
    sink = sink + static_cast<unsigned>(a + b + c + d + e);
}

void wander(Checker& checker, Random& random, int depth) {
    using Way = void (*)(Checker&, Random&, int);
    static constexpr Way kWays[] = {&through_alloca, &through_realigned, &through_exception, &through_many_registers};
    if (depth <= 0) {
        checker.check();
        return;
    }
    kWays[random.below(4)](checker, random, depth - 1);
    checker.check();
}

TEST_NOINLINE void descend(Checker& checker, int depth) {
    if (depth % 3 == 0) {
        checker.check();
    }
    if (depth > 0) {
        descend(checker, depth - 1);
    }
    if (depth % 5 == 0) {
        checker.check();
    }
    sink = sink + static_cast<unsigned>(depth);
}

Checker* signalled = nullptr;

void handle(int) { descend(*signalled, 4); }

}  // namespace

TEST_CASE("captured stacks are libgcc's stacks") {
    World world;
    Checker checker{world};
    Random random;
    for (int round = 0; round < 150; ++round) {
        wander(checker, random, 8);
    }
    CHECK(checker.taken > 1000);
    CHECK(checker.wrong == 0);
    CHECK(world.nodes.broken_invariant() == nullptr);
}

TEST_CASE("a recursion deeper than the walk is long stays right as far as it is shown") {
    World world;
    Checker checker{world};
    descend(checker, 4000);
    CHECK(checker.wrong == 0);
    descend(checker, 900);
    checker.capture.forget_last();
    descend(checker, 50);
    CHECK(checker.wrong == 0);
}

TEST_CASE("threads capture their own stacks into one tree") {
    World world;
    std::vector<int> wrong(4, -1);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < wrong.size(); ++i) {
        threads.emplace_back([&, i] {
            Checker checker{world};
            Random random{i};
            for (int round = 0; round < 60; ++round) {
                wander(checker, random, 6);
            }
            descend(checker, 100);
            wrong[i] = checker.wrong;
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(wrong == std::vector<int>(4, 0));
    CHECK(world.nodes.broken_invariant() == nullptr);
}

TEST_CASE("a handler's stack goes on into the code that it interrupted") {
    World world;
    Checker checker{world};
    signalled = &checker;
    std::vector<char> alternate(1 << 18);
    stack_t stack{};
    stack.ss_sp = alternate.data();
    stack.ss_size = alternate.size();
    stack_t old{};
    REQUIRE(sigaltstack(&stack, &old) == 0);
    struct sigaction action{};
    struct sigaction before{};
    action.sa_handler = &handle;
    for (const int flags : {0, SA_ONSTACK}) {
        action.sa_flags = flags;
        sigaction(SIGUSR1, &action, &before);
        for (int i = 0; i < 3; ++i) {
            std::raise(SIGUSR1);
            checker.check();
        }
        sigaction(SIGUSR1, &before, nullptr);
    }
    sigaltstack(&old, nullptr);
    CHECK(checker.taken > 20);
    CHECK(checker.wrong == 0);
}

TEST_CASE("a jump out of many frames leaves nothing stale") {
    World world;
    Checker checker{world};
    std::jmp_buf back;
    static int round = 0;
    for (round = 0; round < 20; ++round) {
        if (setjmp(back) == 0) {
            descend(checker, 5 + round % 3);
            std::longjmp(back, 1);
        }
        checker.check();
    }
    CHECK(checker.wrong == 0);
}

TEST_CASE("a stack met before is answered without a walk") {
    World world;
    Checker checker{world};
    std::uint64_t walks = 0;
    for (int i = 0; i < 100; ++i) {
        descend(checker, 6);
        walks = i == 5 ? checker.capture.counters().walks : walks;
    }
    CHECK(checker.wrong == 0);
    CHECK(checker.capture.counters().walks == walks);
}

TEST_CASE("when the tree is full a stack is that of an outer frame") {
    World world{4};
    Checker checker{world};
    descend(checker, 10);
    CHECK(world.nodes.published() == 4);
    CHECK(world.nodes.refused() > 0);
}

TEST_CASE("without stacks nothing is captured and nothing is needed") {
    RuleCache rules;
    NodeTree nodes;
    StackCapture capture;
    REQUIRE(capture.open(rules, nodes, StackMode::none));
    CHECK(capture.capture(call_site_here(), kDepth) == StackId::none);
    capture.close();
    StackCapture never_opened;
    CHECK(never_opened.capture(call_site_here(), kDepth) == StackId::none);
}

TEST_CASE("capture by frame pointers finds the callers that have one") {
    World world;
    Checker checker{world, StackMode::frames};
    descend(checker, 20);
    CHECK(checker.taken > 5);  // how many frames have a frame pointer is the compiler's choice
}

TEST_CASE("forgetting code makes all known stacks stale") {
    World world;
    Checker checker{world};
    descend(checker, 6);
    const std::uint32_t nodes = world.nodes.published();
    world.rules.forget(0, ~std::uintptr_t{0});
    descend(checker, 6);
    CHECK(checker.wrong == 0);
    CHECK(world.nodes.published() == 2 * nodes);
}

#if !HEAPWRIGHT_UNDER_ASAN && !HEAPWRIGHT_UNDER_TSAN  // the sanitizers must be told of each switch
namespace {

ucontext_t outside;
ucontext_t inside;

void coroutine() {
    for (int i = 0;; ++i) {
        descend(*signalled, 3 + i % 4);
        swapcontext(&inside, &outside);
    }
}

}  // namespace

TEST_CASE("coroutines have stacks of their own") {
    World world;
    Checker checker{world};
    signalled = &checker;
    std::vector<char> stack(1 << 18);
    getcontext(&inside);
    inside.uc_stack.ss_sp = stack.data();
    inside.uc_stack.ss_size = stack.size();
    inside.uc_link = nullptr;
    makecontext(&inside, &coroutine, 0);
    for (int i = 0; i < 20; ++i) {
        descend(checker, 4);
        swapcontext(&outside, &inside);
    }
    CHECK(checker.wrong == 0);
    CHECK(checker.capture.counters().stack_switches > 20);
}
#endif
