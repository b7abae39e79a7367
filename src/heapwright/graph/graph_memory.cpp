// Graph's other half: what rewrites it whole, counts its bytes or checks it.
#include <algorithm>
#include <span>
#include <utility>

#include <heapwright/graph/graph.hpp>

namespace heapwright::graph {

using detail::capacity_of_class;
using detail::class_for_capacity;

/// The nodes alone, without rows. Renumbered, those that live follow each other, all of one generation.
Result<void> Graph::copy_places(Graph& into, std::uint32_t generation, bool renumbers) const noexcept {
    for (NodeId id = 0; id < nodes_.count(); ++id) {
        if (renumbers && !nodes_[id].is_live()) {
            continue;
        }
        const auto place = into.nodes_.append();
        if (!place) {
            return std::unexpected(place.error());
        }
        into.nodes_[*place] = nodes_[id];
        into.nodes_[*place].degree = 0;
        into.nodes_[*place].set(renumbers ? generation : nodes_[id].generation(), 0);
    }
    return {};
}

/// Copies every row in its smallest class. With `renamed` the nodes get those numbers, all of one generation; without, places and
/// generations stay.
Result<void> Graph::copy_live(Graph& into, std::uint32_t generation, NodeHandle* renamed) const noexcept {
    const auto number_of = [renamed](NodeId id) { return renamed != nullptr ? renamed[id].id : id; };
    if (const auto copied = copy_places(into, generation, renamed != nullptr); !copied) {
        return copied;
    }
    for (NodeId id = 0; id < nodes_.count(); ++id) {
        const auto degree = static_cast<std::uint32_t>(out_degree(id));
        if (degree == 0) {
            continue;
        }
        const NodeId number = number_of(id);
        const std::uint32_t row_class = class_for_capacity(degree);
        const auto place = into.rows_.take(number, capacity_of_class(row_class), into.owner());
        if (!place) {
            return std::unexpected(place.error());
        }
        Record& node = into.nodes_[number];
        node.row = *place;
        node.degree = degree;
        node.set_class(row_class);
        NodeId* targets = into.rows_.targets(*place);
        for (const NodeId target : out_neighbours(id)) {
            *targets++ = number_of(target);
        }
    }
    into.live_nodes_ = live_nodes_;
    into.edges_ = edges_;
    return {};
}

Result<std::size_t> Graph::shrink_to_fit() noexcept {
    const std::size_t before = size_bytes();
    Graph fitted(memory_);
    if (const auto copied = copy_live(fitted, 0, nullptr); !copied) {
        return std::unexpected(copied.error());
    }
    fitted.retired_ = retired_;
    fitted.free_ = free_;
    fitted.pending_ = pending_;
    fitted.first_generation_ = first_generation_;
    fitted.release_pending();  // no row leads to them any more
    swap(fitted);
    const std::size_t after = size_bytes();
    HEAPWRIGHT_AUDIT(*this);
    return before > after ? before - after : 0;
}

Result<Renumbering> Graph::compact(SourceRef memory) noexcept {
    const std::size_t before = size_bytes();
    std::uint32_t newest = first_generation_;
    auto now = Column<NodeHandle>::filled(nodes_.count(), NodeHandle{}, memory);
    auto generations = Column<std::uint32_t>::uninitialised(nodes_.count(), memory);
    if (!now || !generations) {
        return fail_with(Errc::out_of_memory, nodes_.count() * (sizeof(NodeHandle) + sizeof(std::uint32_t)));
    }
    for (NodeId id = 0; id < nodes_.count(); ++id) {
        (*generations)[id] = nodes_[id].generation();
        newest = newest < nodes_[id].generation() ? nodes_[id].generation() : newest;
    }
    // Later than every generation that any place ever had, so that no old handle fits a new place.
    const std::uint32_t generation = (newest + 1) | 1U;
    if (retired_ > 0 || generation > detail::kGenerationMax) {
        return fail_with(Errc::limit_reached, detail::kGenerationMax);
    }
    NodeId next = 0;
    for (NodeId id = 0; id < nodes_.count(); ++id) {
        if (nodes_[id].is_live()) {
            (*now)[id] = NodeHandle{.id = next++, .generation = generation};
        }
    }
    Graph compacted(memory_);
    if (const auto copied = copy_live(compacted, generation, now->data()); !copied) {
        return std::unexpected(copied.error());
    }
    compacted.first_generation_ = generation;
    swap(compacted);
    const std::size_t after = size_bytes();
    HEAPWRIGHT_AUDIT(*this);
    return Renumbering{.now = std::move(*now), .before = std::move(*generations), .freed_bytes = before > after ? before - after : 0};
}

Result<FrozenGraph> Graph::freeze(SourceRef memory, FreezeOptions options) const noexcept {
    return FrozenGraph::from_graph(*this, memory, options);
}

GraphStats Graph::stats() const noexcept {
    return {.nodes = live_nodes_,
            .places = nodes_.count(),
            .edges = edges_,
            .stale_edges = stale_,
            .owned_bytes = size_bytes(),
            .dead_bytes = static_cast<std::size_t>(rows_.dead_words() * sizeof(std::uint32_t)),
            .retired = retired_};
}

const char* Graph::broken_invariant() const noexcept {
    std::size_t out = 0;
    std::size_t in = 0;
    std::size_t stale = 0;
    for (NodeId place = 0; place < nodes_.count(); ++place) {
        const Record& node = nodes_[place];
        if (!node.is_live()) {
            if (node.row_class() != 0 || node.degree != 0) {
                return "G4: a place without a node has a row";
            }
            continue;
        }
        in += node.in_degree;
        const auto row = node.row_class() == 0 ? std::span<const NodeId>{} : std::span<const NodeId>{rows_.targets(node.row), node.degree};
        const auto found = static_cast<std::size_t>(std::count_if(row.begin(), row.end(), [this](NodeId id) { return is_node(id); }));
        out += found;
        stale += row.size() - found;
    }
    if (out != edges_ || in != edges_) {
        return "G1: the edges are not the sum of the degrees";
    }
    if (stale != stale_) {
        return "G2: the stale edges are not those that lead to no node";
    }
    if (const char* const broken = broken_places()) {
        return broken;
    }
    return rows_.broken_invariant(owner());
}

const char* Graph::broken_places() const noexcept {
    std::size_t places = live_nodes_ + retired_;
    for (const NodeId first : {free_, pending_}) {
        for (NodeId id = first; id != kNoNode; id = nodes_[id].row) {
            if (id >= nodes_.count() || nodes_[id].is_live() || ++places > nodes_.count()) {
                return "G3: a list of empty places holds a node";
            }
        }
    }
    return places == nodes_.count() ? nullptr : "G3: a place is neither a node nor empty";
}

}  // namespace heapwright::graph
