// Which nodes hang together: ignoring which way edges lead, or there and back again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/graph/access.hpp>
#include <heapwright/graph/column.hpp>
#include <heapwright/graph/types.hpp>

namespace heapwright::graph {

/// Each node's component, numbered from 0.
struct Components {
    Column<NodeId> of;  // by node; kNoNode where there is no node
    std::size_t count = 0;

    /// The number of nodes in each component.
    ///
    /// Fails:    out_of_memory.
    [[nodiscard]] Result<Column<std::uint32_t>> sizes(SourceRef memory) const {
        auto sizes = Column<std::uint32_t>::filled(count, 0, memory);
        for (std::size_t node = 0; sizes && node < of.size(); ++node) {
            if (of[node] != kNoNode) {
                ++(*sizes)[of[node]];
            }
        }
        return sizes;
    }
};

namespace detail {

/// The root of a node's tree; paths are halved on the way, so that trees stay flat.
[[nodiscard]] inline NodeId root_of(NodeId* parents, NodeId node) {
    while (parents[node] != node) {
        parents[node] = parents[parents[node]];
        node = parents[node];
    }
    return node;
}

/// One walk of Pearce's algorithm ("A space-efficient algorithm for finding strongly connected components", 2016): Tarjan's, with one
/// number a node instead of two, and no flags. Numbers below the next index are of open nodes, those from `component` up of finished
/// components.
template <class G>
class StrongWalk {
public:
    struct Frame {
        NodeId node;
        bool is_root;
        RowCursor<G> cursor;
    };

    StrongWalk(const G& graph, Column<NodeId>& numbers, Column<Frame>& frames, Column<NodeId>& waiting)
        : graph_(graph), numbers_(numbers), frames_(frames), waiting_(waiting), component_(static_cast<NodeId>(numbers.size())) {}

    void walk(NodeId start) {
        enter(start);
        while (depth_ > 0) {
            Frame& top = frames_[depth_ - 1];
            const NodeId target = top.cursor.next(graph_, top.node);
            if (target == kNoNode) {
                leave();
            } else if (numbers_[target] == 0) {
                enter(target);
            } else if (numbers_[target] < numbers_[top.node]) {
                numbers_[top.node] = numbers_[target];
                top.is_root = false;
            }
        }
    }
    /// Components were numbered downwards from here.
    [[nodiscard]] NodeId next_component() const { return component_; }

private:
    void enter(NodeId node) {
        numbers_[node] = index_++;
        frames_[depth_++] = Frame{node, true, RowCursor<G>(graph_, node)};
    }
    void leave() {
        const Frame done = frames_[--depth_];
        if (done.is_root) {
            close(done.node);
        } else {
            waiting_[waiting_count_++] = done.node;
        }
        if (depth_ > 0 && numbers_[done.node] < numbers_[frames_[depth_ - 1].node]) {
            numbers_[frames_[depth_ - 1].node] = numbers_[done.node];
            frames_[depth_ - 1].is_root = false;
        }
    }
    /// All that waits since `root` was entered is its component.
    void close(NodeId root) {
        --index_;
        while (waiting_count_ > 0 && numbers_[root] <= numbers_[waiting_[waiting_count_ - 1]]) {
            numbers_[waiting_[--waiting_count_]] = component_;
            --index_;
        }
        numbers_[root] = component_--;
    }

    const G& graph_;
    Column<NodeId>& numbers_;
    Column<Frame>& frames_;
    Column<NodeId>& waiting_;
    std::size_t depth_ = 0;
    std::size_t waiting_count_ = 0;
    NodeId index_ = 1;
    NodeId component_;
};

}  // namespace detail

/// Nodes that paths connect when every edge may be walked both ways. Numbered in the order of their first nodes.
///
/// Fails:    out_of_memory.
/// Cost:     O(nodes + edges), nearly; 4 bytes a node of `memory` meanwhile.
template <DirectedGraph G>
[[nodiscard]] Result<Components> connected_components(const G& graph, SourceRef memory) {
    const std::size_t bound = node_bound(graph);
    auto of = Column<NodeId>::filled(bound, kNoNode, memory);
    auto parents = Column<NodeId>::uninitialised(bound, memory);
    if (!of || !parents) {
        return std::unexpected(of ? parents.error() : of.error());
    }
    NodeId* const trees = parents->data();
    for (std::size_t node = 0; node < bound; ++node) {
        trees[node] = static_cast<NodeId>(node);
    }
    for (std::size_t number = 0; number < bound; ++number) {
        const auto node = static_cast<NodeId>(number);
        if (!is_node(graph, node)) {
            continue;
        }
        NodeId root = detail::root_of(trees, node);
        for (const auto target : out_neighbours(graph, node)) {
            const NodeId other = detail::root_of(trees, static_cast<NodeId>(target));
            // The smaller number stays the root, so that components come out in the order of their first nodes.
            const NodeId low = other < root ? other : root;
            trees[other < root ? root : other] = low;
            root = low;
        }
    }
    Components components{.of = std::move(*of)};
    for (std::size_t number = 0; number < bound; ++number) {
        const auto node = static_cast<NodeId>(number);
        if (is_node(graph, node)) {
            const NodeId root = detail::root_of(trees, node);
            components.of[node] = root == node ? static_cast<NodeId>(components.count++) : components.of[root];
        }
    }
    return components;
}

/// Nodes that paths connect both ways. Numbered so that every edge between two components leads to the lower number.
///
/// Fails:    out_of_memory.
/// Cost:     O(nodes + edges) time; 24 bytes a node of `memory` (more where rows cannot be indexed), none of the call stack.
template <DirectedGraph G>
[[nodiscard]] Result<Components> strongly_connected_components(const G& graph, SourceRef memory) {
    using Walk = detail::StrongWalk<G>;
    const std::size_t bound = node_bound(graph);
    auto numbers = Column<NodeId>::filled(bound, 0, memory);
    auto frames = Column<typename Walk::Frame>::uninitialised(bound, memory);
    auto waiting = Column<NodeId>::uninitialised(bound, memory);
    if (!numbers || !frames || !waiting) {
        return fail_with(Errc::out_of_memory, bound * sizeof(typename Walk::Frame));
    }
    Walk walk(graph, *numbers, *frames, *waiting);
    for (std::size_t number = 0; number < bound; ++number) {
        const auto node = static_cast<NodeId>(number);
        if (is_node(graph, node) && (*numbers)[node] == 0) {
            walk.walk(node);
        }
    }
    for (NodeId& component : *numbers) {
        component = component == 0 ? kNoNode : static_cast<NodeId>(bound - component);
    }
    return Components{.of = std::move(*numbers), .count = bound - walk.next_component()};
}

}  // namespace heapwright::graph
