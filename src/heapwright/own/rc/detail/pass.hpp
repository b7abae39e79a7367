// One pass of trial deletion: which of the visited nodes are kept by nothing but each other?
//
//   gather   from each candidate, follow handles; for each node, count down its strong handles by those found
//   rescue   what has handles left over is held from outside; whatever it reaches lives
//   the rest is garbage: all its handles come from the rest
//
// After D. F. Bacon, V. T. Rajan, "Concurrent Cycle Collection in Reference Counted Systems" (2001), with three changes.
// The trial counts lie beside the real ones, so that a pass may stop anywhere and nothing has to be restored. The list of
// the visited is the queue of both phases, so that there is no recursion and no stack. And what was not visited counts as
// outside, so that a pass may be as short as its budget: it finds less, but never calls a living node dead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

#include <heapwright/base/check.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/own/rc/detail/node.hpp>
#include <heapwright/own/rc/detail/shape.hpp>
#include <heapwright/own/rc/detail/type_name.hpp>
#include <heapwright/own/rc/traced.hpp>

namespace heapwright::detail {

/// How far a pass goes.
struct PassLimits {
    std::size_t budget;  // nodes visited at most
    bool is_young;       // nodes that survived a pass before count as outside
};

/// The state of one pass over nodes whose counts are of one policy.
///
///   CP1  a node is in the list of the visited just when its trial is not idle, and its slot says where
///   CP2  no node's trial exceeds its strong handles
template <class Policy>
class Pass {
    using Counts = typename Policy::Counts;

public:
    Pass(Candidates& home, NodeList& visited, PassLimits limits) noexcept : home_(home), visited_(visited), limits_(limits) {
        visited_.clear();
    }

    /// Visits a candidate, and what it leads to.
    ///
    /// Requires: it is in no list of candidates.
    /// Returns:  false when the budget or memory ended it; the nodes since `begin` are then not known well.
    [[nodiscard]] bool gather_from(NodeHeader& candidate) noexcept {
        const std::uint32_t begin = visited_.size();
        met_outside_ = false;
        was_cut_ = false;
        if (candidate.trial != NodeHeader::kIdle) {
            return true;  // another candidate led to it
        }
        if (!visit(candidate, candidate.counts<Counts>().strong(), true)) {
            return false;
        }
        for (std::uint32_t next = begin; next < visited_.size(); ++next) {
            NodeHeader& node = *visited_[next];
            node.kind->ops->gather(node.object<Counts>(), this);
        }
        if (HEAPWRIGHT_UNLIKELY(met_outside_ || was_cut_)) {
            for (std::uint32_t place = begin; place < visited_.size(); ++place) {
                visited_[place]->slot |= was_cut_ ? NodeHeader::kCut : NodeHeader::kUnsure;
            }
        }
        return !was_cut_;
    }

    /// Visits all candidates of a list, which is empty afterwards, and what they lead to. Requires: no limit, an idle pass.
    ///
    /// The list becomes that of the visited: no node is taken from one and put into the other.
    /// Returns:  false when memory ended it.
    [[nodiscard]] bool gather_all(Candidates::List which) noexcept {
        visited_.swap(home_.list(which));
        becoming_ = which;
        for (std::uint32_t next = 0; next < visited_.size(); ++next) {
            NodeHeader& node = *visited_[next];
            if (node.trial == NodeHeader::kIdle) {
                begin_candidate(node, node.counts<Counts>().strong());
            }
            node.kind->ops->gather(node.object<Counts>(), this);
        }
        becoming_ = Candidates::none;
        if (HEAPWRIGHT_UNLIKELY(met_outside_ || was_cut_)) {
            for (std::uint32_t place = 0; place < visited_.size(); ++place) {
                visited_[place]->slot |= was_cut_ ? NodeHeader::kCut : NodeHeader::kUnsure;
            }
        }
        return !was_cut_;
    }

    /// A handle that a visited node names.
    template <class T, class OtherPolicy>
    HEAPWRIGHT_ALWAYS_INLINE void edge(const T* object, OtherPolicy* /*tag*/) noexcept {
        if constexpr (std::is_same_v<typename OtherPolicy::Counts, Counts>) {
            edge_to(Shape<T, OtherPolicy>::node(object));
        }
    }

    /// Splits the visited: the living first, then the garbage. The living are idle and old from now on. What is not known
    /// well stays a candidate if it was one: an old one where old nodes counted as outside, one of `when_cut` where the
    /// budget ended the look.
    ///
    /// Returns:  how many live.
    [[nodiscard]] std::uint32_t rescue(Candidates::List when_cut) noexcept {
        for (std::uint32_t place = 0; place < visited_.size(); ++place) {
            if (visited_[place]->trial != 0) {
                keep(*visited_[place]);
            }
        }
        Rescue rescue{*this};
        for (std::uint32_t next = 0; next < living_; ++next) {
            NodeHeader& node = *visited_[next];
            release(node, when_cut);  // from here on a handle to it leads to an idle node, as it should
            node.kind->ops->rescue(node.object<Counts>(), &rescue);
        }
        return living_;
    }

    /// From now on no handle to the garbage can be made, and dropping those in it does nothing.
    void condemn_garbage() noexcept {
        for (std::uint32_t place = living_; place < visited_.size(); ++place) {
            NodeHeader& node = *visited_[place];
            node.counts<Counts>().condemn();
            node.trial = NodeHeader::kIdle;
            node.slot = NodeHeader::kListMask;  // a list that does not exist: nobody puts it into another
        }
    }
    [[nodiscard]] std::uint32_t visited() const noexcept { return visited_.size(); }

    /// The second phase's view of a handle.
    struct Rescue {
        Pass& pass;
        template <class T, class OtherPolicy>
        HEAPWRIGHT_ALWAYS_INLINE void edge(const T* object, OtherPolicy* /*tag*/) noexcept {
            if constexpr (std::is_same_v<typename OtherPolicy::Counts, Counts>) {
                NodeHeader& node = Shape<T, OtherPolicy>::node(object);
                if (node.is_visited() && node.kind->home == &pass.home_) {
                    pass.keep(node);
                }
            }
        }
    };

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        for (std::uint32_t place = 0; place < visited_.size(); ++place) {
            NodeHeader& node = *visited_[place];
            if (!node.is_visited() || place_of(node) != place) {
                return "CP1: a visited node does not know its place";
            }
            if (node.trial > node.counts<Counts>().strong()) {
                return "CP2: more handles are left over than there are";
            }
        }
        return nullptr;
    }

private:
    [[nodiscard]] static std::uint32_t place_of(const NodeHeader& node) noexcept { return node.slot & NodeHeader::kPlaceMask; }

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool visit(NodeHeader& node, std::uint32_t trial, bool was_candidate) noexcept {
        if (HEAPWRIGHT_UNLIKELY(visited_.size() >= limits_.budget) || HEAPWRIGHT_UNLIKELY(!visited_.try_push(&node))) {
            was_cut_ = true;
            return false;
        }
        node.trial = trial;
        node.slot = (node.slot & NodeHeader::kOld) | (was_candidate ? NodeHeader::kWasCandidate : 0) | (visited_.size() - 1);
        return true;
    }

    /// A node of the list that became that of the visited is in it already: its place is its place.
    HEAPWRIGHT_ALWAYS_INLINE void begin_candidate(NodeHeader& node, std::uint32_t trial) noexcept {
        node.trial = trial;
        node.slot = (node.slot & (NodeHeader::kOld | NodeHeader::kPlaceMask)) | NodeHeader::kWasCandidate;
    }

    HEAPWRIGHT_ALWAYS_INLINE void edge_to(NodeHeader& node) noexcept {
        if (HEAPWRIGHT_LIKELY(node.is_visited())) {
            if (HEAPWRIGHT_UNLIKELY(node.trial == 0)) {
                refuse_handle();
            }
            --node.trial;
            return;
        }
        if (limits_.is_young && node.is_old()) {
            met_outside_ = true;
            return;
        }
        if (HEAPWRIGHT_UNLIKELY(node.kind->home != &home_)) {
            return;  // another collector's: it stays outside for ever
        }
        const bool was_candidate = node.list() != Candidates::none;
        if (HEAPWRIGHT_LIKELY(was_candidate) && node.list() == becoming_) {
            begin_candidate(node, node.counts<Counts>().strong() - 1);  // no long pass has anything while a list becomes that
            return;
        }
        if (HEAPWRIGHT_UNLIKELY(node.trial != NodeHeader::kIdle)) {
            met_outside_ = true;  // a long pass has it
            return;
        }
        if (HEAPWRIGHT_UNLIKELY(visited_.size() >= limits_.budget)) {
            was_cut_ = true;
            return;
        }
        if (was_candidate) {
            home_.remove(node);
        }
        if (!visit(node, node.counts<Counts>().strong() - 1, was_candidate) && was_candidate) {
            home_.add(node, Candidates::old);  // there was room for it a moment ago
        }
    }
    [[noreturn]] HEAPWRIGHT_COLD static void refuse_handle() noexcept {
        fail_check("a node names more handles to another than there are; does its trace function name a member twice?", nullptr, __FILE__,
                   __LINE__);
    }

    HEAPWRIGHT_ALWAYS_INLINE void release(NodeHeader& node, Candidates::List when_cut) noexcept {
        const std::uint32_t notes = node.slot;
        node.trial = NodeHeader::kIdle;
        node.slot = NodeHeader::kOld;
        if (HEAPWRIGHT_UNLIKELY((notes & (NodeHeader::kUnsure | NodeHeader::kCut)) != 0) && (notes & NodeHeader::kWasCandidate) != 0) {
            home_.add(node, (notes & NodeHeader::kCut) != 0 ? when_cut : Candidates::old);
        }
    }

    /// Moves a node to the living, once.
    HEAPWRIGHT_ALWAYS_INLINE void keep(NodeHeader& node) noexcept {
        const std::uint32_t place = place_of(node);
        if (place < living_) {
            return;
        }
        NodeHeader& first = *visited_[living_];
        visited_[place] = &first;
        visited_[living_] = &node;
        first.slot = (first.slot & ~NodeHeader::kPlaceMask) | place;
        node.slot = (node.slot & ~NodeHeader::kPlaceMask) | living_;
        ++living_;
    }

    Candidates& home_;
    NodeList& visited_;
    PassLimits limits_;
    std::uint32_t living_ = 0;
    Candidates::List becoming_ = Candidates::none;  // the list that is becoming that of the visited
    bool met_outside_ = false;
    bool was_cut_ = false;
};

/// What a long pass sees of a node.
template <class Policy>
struct Follow {
    EdgeSink& sink;
    template <class T, class OtherPolicy>
    HEAPWRIGHT_ALWAYS_INLINE void edge(const T* object, OtherPolicy* /*tag*/) noexcept {
        if constexpr (std::is_same_v<typename OtherPolicy::Counts, typename Policy::Counts>) {
            sink.to(sink, Shape<T, OtherPolicy>::node(object));
        }
    }
};

/// What a collector knows of T.
template <class T, class Policy>
inline constexpr NodeOps kNodeOps{
    .name = type_name<T>(),
    .gather = [](const void* object,
                 void* pass) noexcept { trace_object(*static_cast<Pass<Policy>*>(pass), *static_cast<const T*>(object)); },
    .rescue = [](const void* object,
                 void* pass) noexcept { trace_object(*static_cast<typename Pass<Policy>::Rescue*>(pass), *static_cast<const T*>(object)); },
    .follow =
        [](NodeHeader& node, EdgeSink& sink) noexcept {
            Follow<Policy> follow{sink};
            trace_object(follow, *static_cast<const T*>(node.object<typename Policy::Counts>()));
        },
    .destroy = [](void* object) noexcept { std::destroy_at(static_cast<T*>(object)); },
    .lead_bytes = Shape<T, Policy>::offset() - sizeof(typename Policy::Counts) - sizeof(NodeHeader),
    .layout = Shape<T, Policy>::layout(),
    .handles_stay = kHandlesStayIn<T>,
};

}  // namespace heapwright::detail
