// The nodes whose distance is not final, nearest first: a heap of four children each that knows where every node stands in it.
#pragma once

#include <cstddef>
#include <utility>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/graph/column.hpp>
#include <heapwright/graph/types.hpp>

namespace heapwright::graph::detail {

/// Each node is there at most once, so its size is bounded by the nodes and not by the edges.
template <class D>
class DistanceHeap {
public:
    struct Entry {
        D distance;
        NodeId node;
    };

    [[nodiscard]] static Result<DistanceHeap> make(std::size_t bound, SourceRef memory) {
        DistanceHeap heap;
        auto entries = Column<Entry>::uninitialised(bound, memory);
        auto places = Column<NodeId>::filled(bound, kNoNode, memory);
        if (!entries || !places) {
            return std::unexpected(entries ? places.error() : entries.error());
        }
        heap.entries_ = std::move(*entries);
        heap.places_ = std::move(*places);
        return heap;
    }

    [[nodiscard]] bool is_empty() const { return size_ == 0; }

    /// Adds the node, or brings it nearer.
    ///
    /// Requires: it is not there with a smaller distance.
    void put(NodeId node, D distance) {
        std::size_t place = places_[node];
        if (place == kNoNode) {
            place = size_++;
        }
        rise(place, Entry{distance, node});
    }

    /// Requires: it is not empty.
    [[nodiscard]] Entry take_nearest() {
        const Entry nearest = entries_[0];
        places_[nearest.node] = kNoNode;
        const Entry last = entries_[--size_];
        if (size_ > 0) {
            sink(last);
        }
        return nearest;
    }

private:
    static constexpr std::size_t kChildren = 4;

    void set(std::size_t place, Entry entry) {
        entries_[place] = entry;
        places_[entry.node] = static_cast<NodeId>(place);
    }
    void rise(std::size_t place, Entry entry) {
        while (place > 0) {
            const std::size_t above = (place - 1) / kChildren;
            if (!(entry.distance < entries_[above].distance)) {
                break;
            }
            set(place, entries_[above]);
            place = above;
        }
        set(place, entry);
    }
    /// From the top, which is free.
    void sink(Entry entry) {
        std::size_t place = 0;
        for (;;) {
            const std::size_t first = place * kChildren + 1;
            if (first >= size_) {
                break;
            }
            std::size_t nearest = first;
            for (std::size_t child = first + 1; child < size_ && child < first + kChildren; ++child) {
                nearest = entries_[child].distance < entries_[nearest].distance ? child : nearest;
            }
            if (!(entries_[nearest].distance < entry.distance)) {
                break;
            }
            set(place, entries_[nearest]);
            place = nearest;
        }
        set(place, entry);
    }

    Column<Entry> entries_;
    Column<NodeId> places_;  // by node
    std::size_t size_ = 0;
};

}  // namespace heapwright::graph::detail
