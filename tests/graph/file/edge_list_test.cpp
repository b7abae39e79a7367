#include <heapwright/graph/file/edge_list.hpp>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

#include <doctest/doctest.h>

#include <heapwright/graph/frozen_graph.hpp>

#include <tests/support/failing_source.hpp>
#include <tests/support/random.hpp>

namespace {

using namespace heapwright::graph;
using heapwright::Errc;
using heapwright::test::FailingSource;

/// A file with these contents, gone with this object.
class Written {
public:
    explicit Written(const std::string& contents) {
        char name[] = "/tmp/heapwright_edges_XXXXXX";
        ::close(::mkstemp(name));
        path_ = name;
        std::ofstream(path_, std::ios::binary) << contents;
    }
    Written(const Written&) = delete;
    Written& operator=(const Written&) = delete;
    ~Written() { ::unlink(path_.c_str()); }
    [[nodiscard]] const char* path() const { return path_.c_str(); }

private:
    std::string path_;
};

std::vector<Edge> edges_of(const EdgeList& list) { return {list.edges().begin(), list.edges().end()}; }

TEST_CASE("lines of two numbers are edges, whatever stands between and behind them") {
    const Written file("# comment\n% another\n0 1\n\n  2\t3  0.5\r\n4,5,6\n7 -> 8");
    FailingSource source;
    const auto list = read_text_edges(file.path(), source);
    REQUIRE(list);
    CHECK(edges_of(*list) == std::vector<Edge>{{0, 1}, {2, 3}, {4, 5}, {7, 8}});
    CHECK(list->node_bound() == 9);
    const auto graph = FrozenGraph::from_edges(list->node_bound(), list->edges(), source);
    REQUIRE(graph);
    CHECK(graph->has_edge(7, 8));
}

TEST_CASE("a line without an edge is told by its number") {
    FailingSource source;
    for (const char* const broken : {"0 1\n2\n", "0 1\nx 2\n", "0 1\n1 4294967295\n", "0 1\n99999999999999999999 1"}) {
        const Written file(broken);
        const auto list = read_text_edges(file.path(), source);
        REQUIRE_FALSE(list);
        CHECK(list.error().kind == Errc::damaged_data);
        CHECK(list.error().number == 2);
    }
    CHECK(read_text_edges("/nonexistent", source).error().kind == Errc::not_found);
    CHECK(source.outstanding() == 0);
}

TEST_CASE("random edges survive both ways of writing, at any length of a line") {
    heapwright::test::Random random;
    std::vector<Edge> edges;
    std::string text;
    for (int i = 0; i < 20'000; ++i) {
        const Edge edge{static_cast<NodeId>(random.size_up_to(kNoNode - 1)), static_cast<NodeId>(random.size_up_to(kNoNode - 1))};
        edges.push_back(edge);
        text += std::to_string(edge.from) + std::string(1 + random.below(20), ' ') + std::to_string(edge.to) + "\n";
    }
    FailingSource source;
    const Written file(text);
    const auto from_text = read_text_edges(file.path(), source);
    REQUIRE(from_text);
    CHECK(edges_of(*from_text) == edges);
    const Written binary("");
    REQUIRE(write_binary_edges(binary.path(), edges));
    const auto from_binary = read_binary_edges(binary.path(), source);
    REQUIRE(from_binary);
    CHECK(edges_of(*from_binary) == edges);
    CHECK(from_binary->node_bound() == from_text->node_bound());
}

TEST_CASE("a binary list of half an edge is refused") {
    FailingSource source;
    const Written file("123456789012");
    const auto list = read_binary_edges(file.path(), source);
    REQUIRE_FALSE(list);
    CHECK(list.error() == heapwright::Error{.kind = Errc::damaged_data, .number = 12});
}

TEST_CASE("reading gives back all memory when it runs out at any step") {
    std::string text;
    for (int i = 0; i < 500; ++i) {
        text += std::to_string(i) + " 1\n";
    }
    const Written file(text);
    heapwright::test::fail_at_every_step([&](FailingSource& source) { return read_text_edges(file.path(), source).has_value(); });
}

}  // namespace
