// How rows are made of edges: count, sum, put each where it belongs.
#pragma once

namespace heapwright::graph {

struct FrozenGraph::Counts {
    Column<std::uint32_t> out;
    Column<std::uint32_t> in;  // empty where nobody needs it
    std::uint64_t edges = 0;
};

/// How many edges each row will hold.
template <class ForEachEdge>
Result<void> FrozenGraph::count_edges(std::size_t node_count, ForEachEdge& for_each_edge, bool drop_loops, Counts& counts) {
    bool overflows = false;
    std::uint64_t stranger = UINT64_MAX;  // the first number that no node has
    for_each_edge([&](NodeId from, NodeId to) {
        if (HEAPWRIGHT_UNLIKELY(from >= node_count || to >= node_count)) {
            const NodeId wrong = from >= node_count ? from : to;
            stranger = stranger != UINT64_MAX ? stranger : wrong;
            return;
        }
        if (drop_loops && from == to) {
            return;
        }
        overflows = ++counts.out.data()[from] == 0 || overflows;
        if (!counts.in.empty()) {
            overflows = ++counts.in.data()[to] == 0 || overflows;
        }
        ++counts.edges;
    });
    if (stranger != UINT64_MAX) {
        return fail_with(Errc::invalid_argument, stranger);
    }
    if (overflows || counts.edges > detail::kEdgesMax) {
        return fail_with(Errc::overflow, counts.edges);
    }
    return {};
}

template <class ForEachEdge>
Result<FrozenGraph> FrozenGraph::build(std::size_t node_count, ForEachEdge& for_each_edge, SourceRef memory, FreezeOptions options,
                                       Column<std::uint64_t>* origins) {
    const bool sorts = options.sort_rows || options.drop_duplicates;
    auto counts = room_for_counts(node_count, sorts || options.in_edges, memory);
    if (!counts) {
        return std::unexpected(counts.error());
    }
    if (const auto counted = count_edges(node_count, for_each_edge, options.drop_loops, *counts); !counted) {
        return std::unexpected(counted.error());
    }
    const bool in_rows_now = options.in_edges && !options.drop_duplicates;
    auto made = with_room(*counts, in_rows_now, sorts, memory);
    if (!made) {
        return made;
    }
    if (origins != nullptr) {
        auto room = Column<std::uint64_t>::uninitialised(counts->edges, memory);
        if (!room) {
            return std::unexpected(room.error());
        }
        *origins = std::move(*room);
    }
    if (!sorts) {
        made->fill_in_order(for_each_edge, *counts, options.drop_loops, origins);
    } else if (const auto filled = made->fill_sorted(for_each_edge, *counts, options.drop_loops, memory, origins); !filled) {
        return std::unexpected(filled.error());
    }
    if (options.drop_duplicates) {
        return without_duplicates(std::move(*made), origins, options.in_edges, memory);
    }
    if (in_rows_now) {
        made->fill_in_rows(*counts);
    }
    return made;
}

template <class ForEachEdge>
void FrozenGraph::fill_in_order(ForEachEdge& for_each_edge, const Counts& counts, bool drop_loops, Column<std::uint64_t>* origins) {
    out_.start(counts.out.span());
    std::uint64_t index = 0;
    for_each_edge([&](NodeId from, NodeId to) {
        if (!(drop_loops && from == to)) {
            const std::uint64_t place = out_.take(from);
            targets_[place] = to;
            if (origins != nullptr) {
                origins->data()[place] = index;
            }
        }
        ++index;
    });
}

/// Two passes over the edges sort them twice, without a comparison: first by where they lead to, then by where they come from.
template <class ForEachEdge>
Result<void> FrozenGraph::fill_sorted(ForEachEdge& for_each_edge, const Counts& counts, bool drop_loops, SourceRef memory,
                                      Column<std::uint64_t>* origins) {
    using Wide = detail::WideGroup;
    const auto size = detail::RowIndex::size_for(counts.in.span());
    auto groups = Column<detail::RowGroup>::uninitialised(size.groups, memory);
    auto wide = Column<Wide>::uninitialised(size.wide, memory);
    auto sources = Column<NodeId>::uninitialised(counts.edges, memory);
    auto indices = Column<std::uint64_t>::uninitialised(origins == nullptr ? 0 : counts.edges, memory);
    if (!groups || !wide || !sources || !indices) {
        return fail_with(Errc::out_of_memory, size.bytes() + counts.edges * sizeof(NodeId));
    }
    detail::RowIndex by_target(groups->data(), wide->data());
    by_target.start(counts.in.span());
    std::uint64_t index = 0;
    for_each_edge([&](NodeId from, NodeId to) {
        if (!(drop_loops && from == to)) {
            const std::uint64_t place = by_target.take(to);
            sources->data()[place] = from;
            if (origins != nullptr) {
                indices->data()[place] = index;
            }
        }
        ++index;
    });
    out_.start(counts.out.span());
    std::uint64_t next = 0;
    for (std::size_t target = 0; target < nodes_; ++target) {
        for (std::uint32_t left = counts.in[target]; left > 0; --left, ++next) {
            const std::uint64_t place = out_.take(sources->data()[next]);
            targets_[place] = static_cast<NodeId>(target);
            if (origins != nullptr) {
                origins->data()[place] = indices->data()[next];
            }
        }
    }
    return {};
}

template <class ForEachEdge>
Result<FrozenGraph> FrozenGraph::from_each_edge(std::size_t node_count, ForEachEdge for_each_edge, SourceRef memory,
                                                FreezeOptions options) {
    return build(node_count, for_each_edge, memory, options, nullptr);
}

template <DirectedGraph G>
Result<FrozenGraph> FrozenGraph::from_graph(const G& graph, SourceRef memory, FreezeOptions options) {
    const std::size_t nodes = node_bound(graph);
    const auto each = [&graph, nodes](auto take) {
        for (std::size_t node = 0; node < nodes; ++node) {
            for (const auto target : detail::row_of(graph, static_cast<NodeId>(node))) {
                take(static_cast<NodeId>(node), static_cast<NodeId>(target));
            }
        }
    };
    return build(nodes, each, memory, options, nullptr);
}

template <class T>
Result<FrozenGraph::WithValues<T>> FrozenGraph::from_edges(std::size_t node_count, std::span<const Edge> edges, std::span<const T> values,
                                                           SourceRef memory, FreezeOptions options) {
    HEAPWRIGHT_CHECK(edges.size() == values.size(), "each edge needs one value");
    const auto each = [edges](auto take) {
        for (const Edge edge : edges) {
            take(edge.from, edge.to);
        }
    };
    Column<std::uint64_t> origins;
    auto graph = build(node_count, each, memory, options, &origins);
    if (!graph) {
        return std::unexpected(graph.error());
    }
    auto carried = Column<T>::uninitialised(graph->edge_count(), memory);
    if (!carried) {
        return std::unexpected(carried.error());
    }
    for (std::size_t edge = 0; edge < carried->size(); ++edge) {
        carried->data()[edge] = values[origins[edge]];
    }
    return WithValues<T>{std::move(*graph), std::move(*carried)};
}

}  // namespace heapwright::graph
