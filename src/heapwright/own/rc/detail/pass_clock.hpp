// When a collector looks at what its usual pass leaves out: nodes that survived, and cycles larger than a budget.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapwright {

/// What a collection did.
struct Collection {
    std::size_t visited = 0;  // nodes looked at, each pass of them
    std::size_t freed = 0;
    bool was_cut = false;  // the budget ended it; call again
};

namespace detail {

/// How much rarer a look has become by those that freed little: four times with each, within bounds, and no rarer after one that paid.
class Patience {
public:
    [[nodiscard]] std::uint32_t times() const noexcept { return times_; }
    /// After a look. Returns: whether it was wasted.
    bool passed(std::size_t visited, std::size_t freed) noexcept {
        const bool was_wasted = freed * 16 < visited;
        const std::uint32_t more = times_ >= kMost ? kMost : times_ * 4;
        times_ = was_wasted ? more : 1;
        return was_wasted;
    }

private:
    static constexpr std::uint32_t kMost = 64;
    std::uint32_t times_ = 1;
};

/// When the old candidates are looked at again: when much was made since, or now and then. A pass that finds nothing
/// makes the next one four times rarer, so that a large living graph that is touched all the time costs little.
class OldPassClock {
public:
    /// `made`: nodes ever.
    [[nodiscard]] bool is_due(std::uint64_t made) noexcept {
        return is_running_ || made - made_before_ >= live_after_ / 4 + kLeastMade || ++waited_ >= patience_.times();
    }
    void passed(const Collection& pass, std::uint64_t made, std::uint64_t live, bool is_finished) noexcept {
        is_running_ = !is_finished;
        made_before_ = made;
        waited_ = 0;
        live_after_ = live;
        patience_.passed(pass.visited, pass.freed);
    }

private:
    static constexpr std::uint64_t kLeastMade = 10'000;

    std::uint64_t made_before_ = 0;
    std::uint64_t live_after_ = 0;
    std::uint32_t waited_ = 0;
    Patience patience_;
    bool is_running_ = false;
};

/// What calls with a budget save up for a look at what is larger than their budgets. A look that was too short makes the next
/// one twice as long; one that freed little makes the next one rarer, so that a large living graph that is touched all the
/// time costs little.
class LargePassSavings {
public:
    /// A call with this budget, while something large waits. Returns: whether enough is saved for budget().
    [[nodiscard]] bool save(std::size_t budget_nodes) noexcept {
        const std::size_t budget = budget_nodes > kMostNodes ? kMostNodes : budget_nodes;
        wanted_ = wanted_ < budget * 2 ? budget * 2 : wanted_;
        saved_ += budget;
        return saved_ / patience_.times() >= wanted_;
    }
    /// What the look may visit.
    [[nodiscard]] std::size_t budget() const noexcept { return wanted_; }
    void spent(const Collection& pass) noexcept {
        saved_ = 0;
        if (pass.was_cut && pass.freed == 0) {
            wanted_ *= 2;  // and a cut means that there are more nodes than that, so it cannot overflow
            return;
        }
        wanted_ = 0;  // what is met next may be smaller
        patience_.passed(pass.visited, pass.freed);
    }

private:
    static constexpr std::size_t kMostNodes = std::size_t{1} << 28;  // a node's place has no more bits

    std::size_t wanted_ = 0;
    std::size_t saved_ = 0;
    Patience patience_;  // how many times what it needs is saved before a look
};

/// When a long pass begins: at once, or, where the last ones freed little, after ever more calls.
class LongPassClock {
public:
    /// A call with this budget, while something large waits.
    [[nodiscard]] bool is_due(std::size_t budget_nodes) noexcept {
        saved_ = saved_ > SIZE_MAX - budget_nodes ? SIZE_MAX : saved_ + budget_nodes;
        return saved_ >= wanted_;
    }
    void passed(std::size_t gathered, std::size_t freed) noexcept {
        wanted_ = patience_.passed(gathered, freed) ? gathered * patience_.times() : 0;
        saved_ = 0;
    }

private:
    std::size_t wanted_ = 0;
    std::size_t saved_ = 0;
    Patience patience_;
};

}  // namespace detail

}  // namespace heapwright
