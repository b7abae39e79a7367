#include <heapwright/graph/frozen_graph.hpp>

#include <algorithm>

#include <heapwright/base/layout.hpp>

namespace heapwright::graph {

namespace {

constexpr std::size_t kBlockAlignment = alignof(detail::RowGroup);
static_assert(sizeof(detail::RowGroup) % kBlockAlignment == 0 && sizeof(detail::WideGroup) % kBlockAlignment == 0);

struct Places {
    std::size_t groups;
    std::size_t wide;
    std::size_t rows;
    std::size_t end;
};

/// Where the parts of one direction stand in the block, from `begin` on.
Places place(std::size_t begin, detail::RowIndex::Size size, std::uint64_t edges) {
    const std::size_t wide = begin + size.groups * sizeof(detail::RowGroup);
    const std::size_t rows = wide + size.wide * sizeof(detail::WideGroup);
    return {.groups = begin, .wide = wide, .rows = rows, .end = rows + edges * sizeof(NodeId)};
}

detail::RowIndex index_in(std::byte* block, const Places& places) {
    return {reinterpret_cast<detail::RowGroup*>(block + places.groups), reinterpret_cast<detail::WideGroup*>(block + places.wide)};
}

/// Whether `node` is in the ascending row.
bool found_in(std::span<const NodeId> row, NodeId node) {
    std::size_t first = 0;
    std::size_t count = row.size();
    while (count > 0) {
        const std::size_t half = count / 2;
        if (row[first + half] < node) {
            first += half + 1;
            count -= half + 1;
        } else {
            count = half;
        }
    }
    return first < row.size() && row[first] == node;
}

std::size_t occurrences(std::span<const NodeId> row, NodeId node) {
    std::size_t count = 0;
    for (const NodeId other : row) {
        count += other == node ? 1U : 0U;
    }
    return count;
}

}  // namespace

FrozenGraph::~FrozenGraph() {
    if (block_ != nullptr) {
        memory_.deallocate(block_, Layout{.size = block_bytes_, .alignment = kBlockAlignment});
    }
}

void FrozenGraph::swap(FrozenGraph& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(block_, other.block_);
    std::swap(block_bytes_, other.block_bytes_);
    std::swap(out_, other.out_);
    std::swap(targets_, other.targets_);
    std::swap(nodes_, other.nodes_);
    std::swap(edges_, other.edges_);
    std::swap(in_, other.in_);
    std::swap(sources_, other.sources_);
    std::swap(sorted_, other.sorted_);
}

Result<FrozenGraph::Counts> FrozenGraph::room_for_counts(std::size_t node_count, bool with_in, SourceRef memory) noexcept {
    if (node_count >= kNoNode) {
        return fail_with(Errc::overflow, node_count);
    }
    auto out = Column<std::uint32_t>::filled(node_count, 0, memory);
    auto in = Column<std::uint32_t>::filled(with_in ? node_count : 0, 0, memory);
    if (!out || !in) {
        return fail_with(Errc::out_of_memory, node_count * sizeof(std::uint32_t));
    }
    return Counts{.out = std::move(*out), .in = std::move(*in)};
}

Result<FrozenGraph> FrozenGraph::with_room(const Counts& counts, bool with_in, bool sorted, SourceRef memory) noexcept {
    FrozenGraph made;
    made.nodes_ = counts.out.size();
    made.edges_ = counts.edges;
    made.sorted_ = sorted;
    const Places out = place(0, detail::RowIndex::size_for(counts.out.span()), counts.edges);
    Places both = out;
    if (with_in) {
        both = place(align_up(out.end, kBlockAlignment), detail::RowIndex::size_for(counts.in.span()), counts.edges);
    }
    if (both.end == 0) {
        return made;
    }
    made.block_ = static_cast<std::byte*>(memory.try_allocate(Layout{.size = both.end, .alignment = kBlockAlignment}));
    if (made.block_ == nullptr) {
        return fail_with(Errc::out_of_memory, both.end);
    }
    made.memory_ = memory;
    made.block_bytes_ = both.end;
    made.out_ = index_in(made.block_, out);
    made.targets_ = reinterpret_cast<NodeId*>(made.block_ + out.rows);
    if (with_in) {
        made.in_ = index_in(made.block_, both);
        made.sources_ = reinterpret_cast<NodeId*>(made.block_ + both.rows);
    }
    return made;
}

void FrozenGraph::fill_in_rows(const Counts& counts) noexcept {
    in_.start(counts.in.span());
    for (std::size_t node = 0; node < nodes_; ++node) {
        for (const NodeId target : out_neighbours(static_cast<NodeId>(node))) {
            sources_[in_.take(target)] = static_cast<NodeId>(node);
        }
    }
}

Result<FrozenGraph> FrozenGraph::without_duplicates(FrozenGraph sorted, Column<std::uint64_t>* origins, bool with_in,
                                                    SourceRef memory) noexcept {
    const auto each_once = [&sorted](auto take) {
        Edge before{.from = kNoNode, .to = kNoNode};
        sorted.for_each_edge([&](NodeId from, NodeId to, std::size_t) {
            if (from != before.from || to != before.to) {
                take(from, to);
            }
            before = {.from = from, .to = to};
        });
    };
    if (origins != nullptr) {
        std::size_t kept = 0;
        Edge before{.from = kNoNode, .to = kNoNode};
        sorted.for_each_edge([&](NodeId from, NodeId to, std::size_t edge) {
            if (from != before.from || to != before.to) {
                (*origins)[kept++] = (*origins)[edge];
            }
            before = {.from = from, .to = to};
        });
        origins->cut(kept);
    }
    // In the order of sources and targets: rows stay sorted without another sort.
    auto made = build(sorted.nodes_, each_once, memory, FreezeOptions{.sort_rows = false, .in_edges = with_in}, nullptr);
    if (made) {
        made->sorted_ = true;
    }
    return made;
}

Result<FrozenGraph> FrozenGraph::from_edges(std::size_t node_count, std::span<const Edge> edges, SourceRef memory,
                                            FreezeOptions options) noexcept {
    const auto each = [edges](auto take) {
        for (const Edge edge : edges) {
            take(edge.from, edge.to);
        }
    };
    return build(node_count, each, memory, options, nullptr);
}

Result<FrozenGraph> FrozenGraph::reversed(SourceRef memory) const noexcept {
    const auto each = [this](auto take) { for_each_edge([&take](NodeId from, NodeId to, std::size_t) { take(to, from); }); };
    auto made = build(nodes_, each, memory, FreezeOptions{.sort_rows = false, .in_edges = has_in_edges()}, nullptr);
    if (made) {
        made->sorted_ = true;  // sources came in ascending order
    }
    return made;
}

bool FrozenGraph::has_edge(NodeId from, NodeId to) const noexcept {
    const auto row = out_neighbours(from);
    return sorted_ ? found_in(row, to) : occurrences(row, to) > 0;
}

const char* FrozenGraph::broken_rows() const noexcept {
    std::uint64_t end = 0;
    std::uint64_t in_end = 0;
    for (std::size_t number = 0; number < nodes_; ++number) {
        const auto node = static_cast<NodeId>(number);
        const detail::RowBounds row = out_.row(node);
        const detail::RowBounds in_row = has_in_edges() ? in_.row(node) : detail::RowBounds{.begin = in_end, .end = in_end};
        if (row.begin != end || row.end < row.begin || row.end > edges_ || in_row.begin != in_end || in_row.end < in_end) {
            return "F1: a row does not begin where the one before it ends";
        }
        end = row.end;
        in_end = in_row.end;
    }
    return end != edges_ || (has_in_edges() && in_end != edges_) ? "F1: the rows do not hold all edges" : nullptr;
}

/// Requires: the rows are whole, and every edge leads to a node.
const char* FrozenGraph::broken_row(NodeId node) const noexcept {
    const auto row = out_neighbours(node);
    if (sorted_ && !std::is_sorted(row.begin(), row.end())) {
        return "F3: a row does not ascend";
    }
    const auto in_row = has_in_edges() ? in_neighbours(node) : std::span<const NodeId>{};
    const bool agrees = std::all_of(in_row.begin(), in_row.end(), [&](NodeId source) { return has_edge(source, node); });
    return agrees ? nullptr : "F4: an edge that comes in goes out of nowhere";
}

const char* FrozenGraph::broken_invariant() const noexcept {
    if (const char* const broken = broken_rows()) {
        return broken;
    }
    for (std::size_t edge = 0; edge < edges_; ++edge) {
        if (targets_[edge] >= nodes_ || (has_in_edges() && sources_[edge] >= nodes_)) {
            return "F2: an edge leads to no node";
        }
    }
    const char* broken = nullptr;
    for (std::size_t node = 0; node < nodes_ && broken == nullptr; ++node) {
        broken = broken_row(static_cast<NodeId>(node));
    }
    return broken;
}

}  // namespace heapwright::graph
