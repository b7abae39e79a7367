#include <heapwright/graph/graph.hpp>

#include <cstring>

namespace heapwright::graph {

using detail::capacity_of_class;
using detail::class_for_capacity;
using detail::RowPlace;
using detail::RowStore;

Graph::Graph(Graph&& other) noexcept : Graph(other.memory_) { swap(other); }

Graph& Graph::operator=(Graph&& other) noexcept {
    swap(other);
    return *this;
}

void Graph::swap(Graph& other) noexcept {
    std::swap(memory_, other.memory_);
    nodes_.swap(other.nodes_);
    rows_.swap(other.rows_);
    std::swap(live_nodes_, other.live_nodes_);
    std::swap(edges_, other.edges_);
    std::swap(stale_, other.stale_);
    std::swap(retired_, other.retired_);
    std::swap(free_, other.free_);
    std::swap(pending_, other.pending_);
    std::swap(first_generation_, other.first_generation_);
}

std::uint32_t Graph::capacity_of(const void* graph, NodeId node) noexcept {
    return capacity_of_class(static_cast<const Graph*>(graph)->nodes_[node].row_class());
}

void Graph::row_moved(void* graph, NodeId node, RowPlace place) noexcept { static_cast<Graph*>(graph)->nodes_[node].row = place; }

// ---- nodes

Result<NodeHandle> Graph::add_node() noexcept {
    NodeId id = free_;
    if (id != kNoNode) {
        Record& node = nodes_[id];
        free_ = node.row;
        const std::uint32_t generation = node.generation() + 1;
        node = Record{};
        node.set(generation, 0);
    } else {
        const auto appended = nodes_.append();
        if (!appended) {
            return std::unexpected(appended.error());
        }
        id = *appended;
        nodes_[id].set(first_generation_, 0);
    }
    ++live_nodes_;
    return NodeHandle{.id = id, .generation = nodes_[id].generation()};
}

bool Graph::remove_node(NodeHandle handle) noexcept {
    if (!contains(handle)) {
        return false;
    }
    Record& node = nodes_[handle.id];
    forget_row(node);
    // Its own loops were forgotten with its row: what still leads to it stands in other rows.
    edges_ -= node.in_degree;
    stale_ += node.in_degree;
    node.in_degree = 0;
    --live_nodes_;
    if (handle.generation == detail::kGenerationMax) {
        node.set(0, 0);  // even, and on no list: nobody will ever be here again
        ++retired_;
    } else {
        node.set(handle.generation + 1, 0);
        node.row = pending_;
        pending_ = handle.id;
    }
    if (stale_ > edges_ / 4 + RowStore::kFirstWords) {
        sweep();
    } else if (stale_ == 0) {
        release_pending();
    }
    return true;
}

/// Takes the node's row away; what it led to has one edge less.
void Graph::forget_row(Record& node) noexcept {
    if (node.row_class() == 0) {
        return;
    }
    const NodeId* const targets = rows_.targets(node.row);
    for (std::uint32_t i = 0; i < node.degree; ++i) {
        Record& target = nodes_[targets[i]];
        if (target.is_live()) {
            --target.in_degree;
            --edges_;
        } else {
            --stale_;
        }
    }
    rows_.drop(node.row, capacity_of_class(node.row_class()));
    node.degree = 0;
    node.set_class(0);
}

/// Nothing leads to the pending places any more: they can be used again.
void Graph::release_pending() noexcept {
    while (pending_ != kNoNode) {
        const NodeId id = pending_;
        pending_ = nodes_[id].row;
        nodes_[id].row = free_;
        free_ = id;
    }
}

void Graph::sweep() noexcept {
    for (NodeId id = 0; stale_ > 0 && id < nodes_.count(); ++id) {
        if (nodes_[id].is_live()) {
            purge_row(nodes_[id]);
            shrink_row(id);
        }
    }
    release_pending();
    HEAPWRIGHT_AUDIT(*this);
}

void Graph::purge_row(Record& node) noexcept {
    if (node.row_class() == 0) {
        return;
    }
    NodeId* const targets = rows_.targets(node.row);
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < node.degree; ++i) {
        targets[kept] = targets[i];
        kept += is_node(targets[i]) ? 1U : 0U;
    }
    stale_ -= node.degree - kept;
    node.degree = kept;
}

// ---- edges

Result<void> Graph::add_edge(NodeHandle from, NodeHandle to) noexcept {
    if (HEAPWRIGHT_UNLIKELY(!contains(from) || !contains(to))) {
        return fail_with(Errc::not_found, contains(from) ? to.id : from.id);
    }
    return append(from.id, to.id);
}

Result<void> Graph::append(NodeId from, NodeId to) noexcept {
    Record& node = nodes_[from];
    if (HEAPWRIGHT_UNLIKELY(node.degree == capacity_of_class(node.row_class()))) {
        if (auto grown = grow_row(from); !grown) {
            return grown;
        }
    }
    rows_.targets(node.row)[node.degree++] = to;
    ++nodes_[to].in_degree;
    ++edges_;
    return {};
}

Result<void> Graph::grow_row(NodeId from) noexcept {
    Record& node = nodes_[from];
    if (stale_ > 0) {
        purge_row(node);
        if (stale_ == 0) {
            release_pending();
        }
    }
    const std::uint32_t old_class = node.row_class();
    const std::uint32_t old_capacity = capacity_of_class(old_class);
    if (node.degree < old_capacity) {
        return {};
    }
    if (old_class + 1 == detail::kCapacityClasses) {
        return fail_with(Errc::limit_reached, old_capacity);
    }
    const auto place = rows_.take(from, capacity_of_class(old_class + 1), owner());
    if (!place) {
        return std::unexpected(place.error());
    }
    // The old row is read only now: room may have been made by moving it.
    if (old_class != 0) {
        std::memcpy(rows_.targets(*place), rows_.targets(node.row), node.degree * sizeof(NodeId));
        rows_.drop(node.row, old_capacity);
    }
    node.row = *place;
    node.set_class(old_class + 1);
    return {};
}

/// Gives words back where a row has become much shorter than its room.
void Graph::shrink_row(NodeId from) noexcept {
    Record& node = nodes_[from];
    const std::uint32_t capacity = capacity_of_class(node.row_class());
    if (capacity > 0 && node.degree == 0) {
        rows_.drop(node.row, capacity);
        node.set_class(0);
        return;
    }
    if (capacity <= 8 || node.degree > capacity / 4) {
        return;
    }
    const std::uint32_t smaller = class_for_capacity(node.degree * 2);
    if (!RowStore::has_own_block(capacity)) {
        rows_.drop_tail(node.row, capacity_of_class(smaller), capacity);
        node.set_class(smaller);
        return;
    }
    const auto place = rows_.take(from, capacity_of_class(smaller), owner());
    if (place) {  // without room for the smaller row, the larger one does as well
        std::memcpy(rows_.targets(*place), rows_.targets(node.row), node.degree * sizeof(NodeId));
        rows_.drop(node.row, capacity);
        node.row = *place;
        node.set_class(smaller);
    }
}

Result<bool> Graph::add_edge_once(NodeHandle from, NodeHandle to) noexcept {
    if (has_edge(from, to)) {
        return false;
    }
    const auto added = add_edge(from, to);
    if (!added) {
        return std::unexpected(added.error());
    }
    return true;
}

bool Graph::remove_edge(NodeHandle from, NodeHandle to) noexcept {
    if (!contains(from) || !contains(to) || nodes_[from.id].row_class() == 0) {
        return false;
    }
    Record& node = nodes_[from.id];
    NodeId* const targets = rows_.targets(node.row);
    for (std::uint32_t i = 0; i < node.degree; ++i) {
        if (targets[i] == to.id) {
            targets[i] = targets[--node.degree];
            --nodes_[to.id].in_degree;
            --edges_;
            shrink_row(from.id);
            return true;
        }
    }
    return false;
}

bool Graph::has_edge(NodeHandle from, NodeHandle to) const noexcept {
    if (!contains(from) || !contains(to)) {
        return false;
    }
    for (const NodeId target : out_neighbours(from.id)) {
        if (target == to.id) {
            return true;
        }
    }
    return false;
}

std::size_t Graph::out_degree(NodeId id) const noexcept {
    if (!is_node(id)) {
        return 0;
    }
    if (stale_ == 0) {
        return nodes_[id].degree;
    }
    std::size_t degree = 0;
    for ([[maybe_unused]] const NodeId target : out_neighbours(id)) {
        ++degree;
    }
    return degree;
}

}  // namespace heapwright::graph
