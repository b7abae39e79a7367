// A pass of trial deletion that is carried on from call to call: for cycles larger than any one call may visit.
//
//   gather     from the candidates, follow handles; for each node, count those found
//   check      in rounds: what lost a handle meanwhile, or has more than were found, is held from outside; what it reaches is, too.
//              A round that finds nothing, and in which nothing was lost, proves the rest to be garbage
//   condemn, destroy, give back     no handle to the rest is left outside of it, so that nothing can disturb this
//
// Between the calls the program goes on, and its copies and moves are not seen. Why a quiet round is a proof nevertheless: a
// handle that was found stays where it was found until it is dropped (the promise of the types, see traced.hpp), and drops are
// seen. So while nothing is lost, a node has at least the handles that were found, and never fewer than before. If at its turn
// in the round it has just these, it had just these when the round began; and so had all others, at that one moment. What
// nobody holds at one moment nobody can ever reach, but through a weak handle, and upgrades are seen as well.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/base/check.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/own/rc/detail/node.hpp>

namespace heapwright::detail {

/// What a long pass knows between two calls.
///
///   LP1  a node that is looked at knows its place, and is in no list of candidates
///   LP2  what was followed lives, and what lives is in front
///
/// Thread safety: as Pass; where `is_looking()`, only while other threads are stopped.
template <class Policy>
class LongPass {
    using Counts = typename Policy::Counts;

public:
    explicit LongPass(Candidates& home) noexcept : home_(home) {}

    [[nodiscard]] bool is_active() const noexcept { return phase_ != Phase::idle; }
    /// Whether the next step reads the graph, or counts.
    [[nodiscard]] bool is_looking() const noexcept { return is_active() && !is_freeing(); }
    /// Whether the next step destroys garbage, or gives back its blocks: other threads may go on.
    [[nodiscard]] bool is_freeing() const noexcept { return phase_ == Phase::destroy || phase_ == Phase::give_back; }
    /// Nodes that were gathered, and those that were destroyed, since the pass began.
    [[nodiscard]] std::size_t gathered() const noexcept { return gathered_; }
    [[nodiscard]] std::size_t freed() const noexcept { return freed_; }

    /// Requires: idle; other threads are stopped.
    void begin() noexcept {
        phase_ = Phase::gather;
        gathered_ = freed_ = 0;
        next_ = living_ = followed_ = rounds_ = 0;
    }

    /// Ends a pass that has proved nothing yet: what it looked at is idle again, and what has to be looked at is a candidate.
    void abandon() noexcept {
        if (phase_ == Phase::gather || phase_ == Phase::check) {
            enter(Phase::release, followed_);
        }
    }

    /// Looks, until it frees, is idle, or has made so many steps: one node each. Requires: is_looking(), others are stopped.
    /// Returns:  the steps.
    std::size_t look(std::size_t most_steps) noexcept {
        std::size_t steps = 0;
        for (; steps < most_steps && is_looking(); ++steps) {
            switch (phase_) {
                case Phase::gather: gather_one(); break;
                case Phase::check: check_one(); break;
                case Phase::condemn: condemn_one(); break;
                default: release_one(); break;
            }
        }
        return steps;
    }

    /// Frees, until all is freed or so many steps are made: `destroy(node)` for each, then `give_back(node)`. Returns: the steps.
    template <class Destroy, class GiveBack>
    std::size_t end_garbage(std::size_t most_steps, Destroy destroy, GiveBack give_back) noexcept {
        std::size_t steps = 0;
        for (; steps < most_steps && is_freeing(); ++steps) {
            NodeHeader* const node = nodes()[next_++];
            if (phase_ == Phase::destroy) {
                freed_ += node != nullptr ? 1U : 0U;
                if (node != nullptr) {
                    destroy(*node);
                }
                go_on_with(Phase::give_back);
            } else {
                if (node != nullptr) {
                    give_back(*node);
                }
                go_on_with(Phase::idle);
            }
        }
        return steps;
    }

    /// The name of the first invariant that does not hold, or nullptr. Requires: others are stopped.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        if (followed_ > living_ || living_ > nodes().size()) {
            return "LP2: more was followed than lives";
        }
        if (phase_ != Phase::gather && phase_ != Phase::check) {
            return nullptr;
        }
        for (std::uint32_t place = phase_ == Phase::check ? followed_ : 0; place < nodes().size(); ++place) {
            const NodeHeader* const node = nodes()[place];
            if (node != nullptr &&
                (!node->is_looked_at() || node->place() != place || (node->slot & NodeHeader::kListMask & ~NodeHeader::kChanged) != 0)) {
                return "LP1: a node that is looked at does not know its place";
            }
        }
        return nullptr;
    }

private:
    enum class Phase : std::uint8_t { idle, gather, check, condemn, destroy, give_back, release };

    static constexpr std::uint32_t kMostRounds = 8;

    /// What following a handle does in each phase.
    struct Gather : EdgeSink {
        explicit Gather(LongPass& owner) noexcept : EdgeSink(&to), pass(owner) {}
        LongPass& pass;
        static void to(EdgeSink& sink, NodeHeader& node) noexcept { static_cast<Gather&>(sink).pass.found(node); }
    };
    struct Follow : EdgeSink {
        explicit Follow(LongPass& owner) noexcept : EdgeSink(&to), pass(owner) {}
        LongPass& pass;
        static void to(EdgeSink& sink, NodeHeader& node) noexcept {
            LongPass& pass = static_cast<Follow&>(sink).pass;
            if (node.is_looked_at() && node.kind->home == &pass.home_) {
                pass.keep(node);
            }
        }
    };
    struct Recount : EdgeSink {
        explicit Recount(LongPass& owner) noexcept : EdgeSink(&to), pass(owner) {}
        LongPass& pass;
        static void to(EdgeSink& sink, NodeHeader& node) noexcept {
            if (node.is_looked_at() && node.kind->home == &static_cast<Recount&>(sink).pass.home_) {
                HEAPWRIGHT_CHECK(node.found() > 0, kMoved);
                --node.trial;
            }
        }
    };

    static constexpr const char* kMoved =
        "a handle was moved out of a node while a collector looked at it, though the type says kHandlesStay; copy it instead, and drop "
        "the one in the node";

    [[nodiscard]] NodeList& nodes() noexcept { return home_.list(Candidates::looked_at); }
    [[nodiscard]] const NodeList& nodes() const noexcept { return home_.list(Candidates::looked_at); }

    void enter(Phase phase, std::uint32_t next) noexcept {
        phase_ = phase;
        next_ = next;
        home_.is_freeing = phase == Phase::condemn;
        if (next_ == nodes().size() && phase != Phase::check) {
            finish();
        }
    }
    /// At the end of a phase of what is garbage, to the next.
    void go_on_with(Phase phase) noexcept {
        if (next_ == nodes().size()) {
            enter(phase, phase == Phase::idle ? next_ : living_);
        }
    }
    void finish() noexcept {
        nodes().clear();
        next_ = living_ = followed_ = 0;
        home_.is_freeing = false;
        phase_ = Phase::idle;
    }

    /// Returns:  false when memory is refused: it stays outside.
    bool look_at(NodeHeader& node, std::uint32_t found) noexcept {
        if (!nodes().try_push(&node)) {
            return false;
        }
        const bool was_candidate = node.list() != Candidates::none;
        if (was_candidate) {
            home_.remove(node);
        }
        node.trial = NodeHeader::kLookedAt | found;
        node.slot = NodeHeader::kOld | (was_candidate ? NodeHeader::kWaits : 0) | (nodes().size() - 1);
        ++gathered_;
        return true;
    }
    void found(NodeHeader& node) noexcept {
        if (node.kind->home != &home_) {
            return;  // another collector's: it stays outside for ever
        }
        if (node.is_looked_at()) {
            ++node.trial;
        } else {
            if (!look_at(node, 1)) {
                abandon();  // of a part that leads to what is not known nothing can be said
            }
        }
    }

    void gather_one() noexcept {
        if (next_ == nodes().size() && !take_candidate()) {
            start_round();
            return;
        }
        if (NodeHeader* const node = nodes()[next_++]; node != nullptr) {
            Gather gather{*this};
            node->kind->ops->follow(*node, gather);
        }
    }
    [[nodiscard]] bool take_candidate() noexcept {
        const NodeList& waiting = home_.list(Candidates::large);
        return waiting.size() > 0 && look_at(*waiting[waiting.size() - 1], 0);
    }

    void start_round() noexcept {
        if (rounds_ == kMostRounds) {
            enter(Phase::release, followed_);
            return;
        }
        ++rounds_;
        is_quiet_ = true;
        home_.is_disturbed = false;
        enter(Phase::check, living_);
    }
    void check_one() noexcept {
        if (followed_ < living_) {
            if (NodeHeader* const node = nodes()[followed_++]; node != nullptr) {
                release(*node, Candidates::old);  // from here on a handle to it leads to an idle node, as it should
                Follow follow{*this};
                node->kind->ops->follow(*node, follow);
            }
        } else if (next_ < living_) {
            next_ = living_;
        } else if (next_ < nodes().size()) {
            NodeHeader* const node = nodes()[next_++];
            if (node != nullptr && (node->is_changed() || node->template counts<Counts>().strong() != node->found())) {
                keep(*node);
            }
        } else if (is_quiet_ && !home_.is_disturbed) {
            assert_recounted();
            enter(Phase::condemn, living_);
        } else {
            start_round();
        }
    }
    /// Moves a node to the living, once.
    void keep(NodeHeader& node) noexcept {
        const std::uint32_t place = node.place();
        if (place < living_) {
            return;
        }
        is_quiet_ = false;
        NodeHeader* const first = nodes()[living_];
        nodes()[place] = first;
        nodes()[living_] = &node;
        if (first != nullptr) {
            first->move_to(place);
        }
        node.move_to(living_);
        ++living_;
    }

    /// In debug builds, whether the handles that were found are still there: the types' promise.
    void assert_recounted() noexcept {
#ifndef NDEBUG
        Recount recount{*this};
        for (std::uint32_t place = living_; place < nodes().size(); ++place) {
            if (NodeHeader* const node = nodes()[place]; node != nullptr) {
                node->kind->ops->follow(*node, recount);
            }
        }
        for (std::uint32_t place = living_; place < nodes().size(); ++place) {
            HEAPWRIGHT_CHECK(nodes()[place] == nullptr || nodes()[place]->found() == 0, kMoved);
        }
#endif
    }

    void condemn_one() noexcept {
        if (NodeHeader* const node = nodes()[next_++]; node != nullptr) {
            node->template counts<Counts>().condemn();
            node->trial = NodeHeader::kIdle;
            node->slot = NodeHeader::kListMask;  // nobody puts it into a list
        }
        go_on_with(Phase::destroy);
    }

    void release_one() noexcept {
        if (next_ < nodes().size()) {
            if (NodeHeader* const node = nodes()[next_++]; node != nullptr && node->is_looked_at()) {
                release(*node, Candidates::large);
            }
        }
        if (next_ == nodes().size()) {
            finish();
        }
    }
    void release(NodeHeader& node, Candidates::List when_waiting) noexcept {
        const bool waits = node.is_changed() || (when_waiting == Candidates::large && (node.slot & NodeHeader::kWaits) != 0);
        node.trial = NodeHeader::kIdle;
        node.slot = NodeHeader::kOld;
        if (waits) {
            home_.add(node, when_waiting);
        }
    }

    Candidates& home_;
    Phase phase_ = Phase::idle;
    bool is_quiet_ = false;       // the round has found nobody held from outside
    std::uint32_t next_ = 0;      // the phase's next node
    std::uint32_t living_ = 0;    // this many in front are known to live
    std::uint32_t followed_ = 0;  // of these, how many were released, and their handles followed
    std::uint32_t rounds_ = 0;
    std::size_t gathered_ = 0;
    std::size_t freed_ = 0;
};

}  // namespace heapwright::detail
