#include <heapwright/study/report/call_tree.hpp>

#include <string>

#include <doctest/doctest.h>

#include <tests/study/report/sample_findings.hpp>
#include <tests/support/random.hpp>

namespace heapwright::study {
namespace {

constexpr auto kPeak = static_cast<std::size_t>(Weight::peak);
constexpr auto kAllocations = static_cast<std::size_t>(Weight::allocations);

TEST_CASE("stacks that share their callers share their nodes, lines do not count") {
    test::FindingsBuilder builder;
    const FrameId main = builder.frame("main", "m.cpp", 1);
    const FrameId f_at_5 = builder.frame("f()", "m.cpp", 5);
    const FrameId f_at_6 = builder.frame("f()", "m.cpp", 6);
    const FrameId f_elsewhere = builder.frame("f()", "", 0, "libother.so");
    builder.site({f_at_5, main}, 10, 1, 1);
    builder.site({f_at_6, main}, 10, 2, 2);
    builder.site({f_elsewhere, main}, 10, 4, 4);
    builder.site({main}, 10, 8, 8);
    const CallTree tree(builder.build());
    REQUIRE(tree.broken_invariant() == nullptr);
    REQUIRE(tree.nodes().size() == 4);  // root, main, f, the other f
    CHECK(tree.nodes()[0].frame == CallTree::kRoot);
    CHECK(tree.nodes()[0].values[kAllocations] == 15);
    CHECK(tree.nodes()[1].values[kPeak] == 150);
    CHECK(tree.nodes()[2].values[kPeak] == 30);
    CHECK(tree.nodes()[3].values[kPeak] == 40);
    CHECK(tree.nodes()[2].frame == static_cast<std::int32_t>(f_at_5));
}

TEST_CASE("a recursive function is a chain of nodes") {
    test::FindingsBuilder builder;
    const FrameId f = builder.frame("f()", "m.cpp", 1);
    builder.site({f, f, f}, 8, 1);
    CHECK(CallTree(builder.build()).nodes().size() == 4);
}

TEST_CASE("no site, and a site without a stack, leave the root alone") {
    CHECK(CallTree(Findings{}).nodes().size() == 1);
    test::FindingsBuilder builder;
    builder.site({}, 8, 3);
    const CallTree tree(builder.build());
    REQUIRE(tree.nodes().size() == 1);
    CHECK(tree.nodes()[0].values[kAllocations] == 3);
}

TEST_CASE("a comparison holds both sides and numbers the first trace's own frames behind the second's") {
    test::FindingsBuilder before;
    const FrameId gone = before.frame("gone()", "", 0);
    const FrameId main_before = before.frame("main", "m.cpp", 1);
    before.site({gone, main_before}, 10, 5, 5);
    test::FindingsBuilder after;
    const FrameId main = after.frame("main", "m.cpp", 2);
    after.site({main}, 10, 7, 7);
    const Findings a = before.build();
    const Findings b = after.build();
    const CallTree tree(a, b);
    REQUIRE(tree.is_comparison());
    REQUIRE(tree.broken_invariant() == nullptr);
    REQUIRE(tree.nodes().size() == 3);
    CHECK(tree.nodes()[1].frame == 0);
    CHECK(tree.nodes()[1].values[kPeak] == 70);
    CHECK(tree.nodes()[1].before[kPeak] == 50);
    CHECK(tree.nodes()[2].frame == 1);  // after has one frame; before's "gone" is frame 0 of its own
    CHECK(tree.nodes()[2].values[kPeak] == 0);
    CHECK(tree.nodes()[2].before[kPeak] == 50);
}

TEST_CASE("pruning keeps totals and what leads for any weight") {
    heapwright::test::Random random;
    test::FindingsBuilder builder;
    std::vector<FrameId> frames;
    for (int i = 0; i < 50; ++i) {
        frames.push_back(builder.frame("f" + std::to_string(i) + "()", "", 0));
    }
    for (int i = 0; i < 2000; ++i) {
        std::vector<FrameId> stack;
        for (std::uint64_t depth = random.next() % 12; depth-- > 0;) {
            stack.push_back(frames[random.next() % frames.size()]);
        }
        builder.site(std::move(stack), 16, 1 + random.next() % 1000, random.next() % 2, random.next() % 2);
    }
    const FrameId rare = builder.frame("rare()", "", 0);
    Site& pinning = builder.site({rare}, 16, 1);
    pinning.pinned_free_bytes_at_end = 1 << 20;  // the only one with this weight
    const Findings findings = builder.build();
    CallTree tree(findings);
    const std::size_t all = tree.nodes().size();
    const Weights totals = tree.nodes()[0].values;
    for (const std::size_t limit : {1000U, 100U, 10U, 3U}) {
        tree.prune(limit);
        CHECK(tree.nodes().size() <= limit);
        CHECK(tree.nodes()[0].values == totals);
        REQUIRE(tree.broken_invariant() == nullptr);
        // Nothing is lost: a node with children that were cut has a child for them.
        Weights sums{};
        for (const CallTree::Node& node : tree.nodes()) {
            if (node.parent == 0) {
                for (std::size_t w = 0; w < kWeightCount; ++w) {
                    sums[w] += node.values[w];
                }
            }
        }
        CHECK(sums[static_cast<std::size_t>(Weight::pinned_free_end)] == totals[static_cast<std::size_t>(Weight::pinned_free_end)]);
        bool found = false;
        for (const CallTree::Node& node : tree.nodes()) {
            found = found || node.frame == static_cast<std::int32_t>(rare);
        }
        CHECK(found);
    }
    CHECK(tree.nodes_omitted() > 0);
    CHECK(all > 1000);
}

TEST_CASE("a tree that fits is not touched") {
    CallTree tree(test::sample_findings());
    const std::size_t nodes = tree.nodes().size();
    tree.prune(nodes);
    CHECK(tree.nodes().size() == nodes);
    CHECK(tree.nodes_omitted() == 0);
}

}  // namespace
}  // namespace heapwright::study
