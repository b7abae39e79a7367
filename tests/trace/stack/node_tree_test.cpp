// The tree of stacks: numbers, parents, limits, threads, fork.
#include <heapwright/trace/stack/node_tree.hpp>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/os/maps.hpp>

#include <tests/support/random.hpp>

using namespace heapwright::trace;
using namespace heapwright::trace::stack;
using heapwright::test::Random;

namespace {

struct Tree {
    explicit Tree(std::uint32_t most = 1U << 20) {
        REQUIRE(pcs.open());
        REQUIRE(nodes.open(pcs, most));
    }
    ~Tree() {
        nodes.close();
        pcs.close();
    }
    /// The number of a return address in this program.
    PcIndex pc(std::size_t number) {
        std::array<char, heapwright::os::kMapsBufferBytes> buffer;
        const PcIndex index = pcs.lookup(reinterpret_cast<std::uintptr_t>(&waitpid) + 1 + number, buffer).index;
        REQUIRE(index != PcIndex::none);
        return index;
    }
    RuleCache pcs;
    NodeTree nodes;
};

}  // namespace

TEST_CASE("the same frame under the same caller is the same node") {
    Tree tree;
    const StackId main = tree.nodes.intern(StackId::none, tree.pc(0));
    const StackId left = tree.nodes.intern(main, tree.pc(1));
    const StackId right = tree.nodes.intern(main, tree.pc(2));
    CHECK(main == StackId{1});
    CHECK(left != right);
    CHECK(tree.nodes.intern(main, tree.pc(1)) == left);
    CHECK(tree.nodes.intern(left, tree.pc(1)) != left);
    CHECK(tree.nodes.published() == 4);
    CHECK(tree.nodes.node(3).parent == main);
    CHECK(tree.nodes.node(3).pc == tree.pcs.pc(tree.pc(2)));
    CHECK(tree.nodes.broken_invariant() == nullptr);
}

TEST_CASE("a full tree answers with the caller and counts it") {
    Tree tree{2};
    const StackId main = tree.nodes.intern(StackId::none, tree.pc(0));
    const StackId left = tree.nodes.intern(main, tree.pc(1));
    CHECK(tree.nodes.intern(main, tree.pc(2)) == main);
    CHECK(tree.nodes.intern(left, tree.pc(2)) == left);
    CHECK(tree.nodes.intern(main, tree.pc(1)) == left);
    CHECK(tree.nodes.refused() == 2);
}

TEST_CASE("a frame without a number is left out") {
    Tree tree;
    const StackId main = tree.nodes.intern(StackId::none, tree.pc(0));
    CHECK(tree.nodes.intern(main, PcIndex::none) == main);
    CHECK(tree.nodes.intern(StackId::none, PcIndex::none) == StackId::none);
    CHECK(tree.nodes.published() == 1);
}

TEST_CASE("a reader that takes the count after a stack's number finds the whole stack") {
    Tree tree;
    std::array<PcIndex, 64> pcs;
    for (std::size_t i = 0; i < pcs.size(); ++i) {
        pcs[i] = tree.pc(i);
    }
    std::atomic<std::uint32_t> latest{0};
    std::atomic<bool> is_done{false};
    std::thread reader{[&] {
        while (!is_done.load()) {
            const std::uint32_t stack = latest.load();
            const std::uint32_t published = tree.nodes.published();
            REQUIRE(stack <= published);
            for (std::uint32_t at = stack; at != 0;) {
                const StackNode node = tree.nodes.node(at);
                REQUIRE(node.pc != 0);
                REQUIRE(static_cast<std::uint32_t>(node.parent) < at);
                at = static_cast<std::uint32_t>(node.parent);
            }
        }
    }};
    std::vector<std::thread> writers;
    for (std::uint64_t thread = 0; thread < 3; ++thread) {
        writers.emplace_back([&, thread] {
            Random random{thread};
            for (int round = 0; round < 5000; ++round) {
                StackId stack = StackId::none;
                for (std::uint64_t depth = 1 + random.below(12); depth > 0; --depth) {
                    stack = tree.nodes.intern(stack, pcs[random.below(pcs.size())]);
                }
                latest.store(static_cast<std::uint32_t>(stack));
            }
        });
    }
    for (std::thread& writer : writers) {
        writer.join();
    }
    is_done.store(true);
    reader.join();
    CHECK(tree.nodes.broken_invariant() == nullptr);
}

TEST_CASE("a forked child reads all nodes and makes new ones") {
    Tree tree;
    const StackId main = tree.nodes.intern(StackId::none, tree.pc(0));
    const StackId left = tree.nodes.intern(main, tree.pc(1));
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        tree.pcs.after_fork_in_child();
        tree.nodes.after_fork_in_child();
        const bool is_same = tree.nodes.published() == 2 && tree.nodes.node(2).parent == main;
        const StackId fresh = tree.nodes.intern(left, tree.pc(2));
        _exit(is_same && fresh == StackId{3} ? 0 : 1);
    }
    int status = 1;
    waitpid(child, &status, 0);
    CHECK(status == 0);
    CHECK(tree.nodes.published() == 2);
}
