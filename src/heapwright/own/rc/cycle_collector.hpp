// Frees cycles of counted objects: what only each other's handles keep.
//
//   CycleCollector collector;
//   Rc<Person> ada = collector.make<Person>("Ada");     // Person says what it refers to, see traced.hpp
//   ada->friend_ = ada;
//   ada.reset();                                        // keeps itself: counting alone never frees it
//   collector.collect();                                // freed
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/own/rc/detail/long_pass.hpp>
#include <heapwright/own/rc/detail/pass.hpp>
#include <heapwright/own/rc/detail/pass_clock.hpp>
#include <heapwright/own/rc/make.hpp>

namespace heapwright {

/// What a budget means for a cycle with more nodes than it, of which no part can be known to be garbage alone.
///
/// Only where some type of the collector's nodes does not promise kHandlesStay, see traced.hpp: else no call visits more than its
/// budget, and every cycle is collected all the same.
enum class Overdraft : std::uint8_t {
    saved,  // calls that met such a cycle save up for it, and now and then one visits what they saved
    never,  // no call visits more than its budget: such a cycle waits for collect() without one, or for collect_all()
};

/// The nodes of one type.
struct NodeTypeReport {
    std::string_view name;
    std::uint64_t made;
    std::uint64_t live;       // held from outside, or by a cycle that was not collected yet
    std::uint64_t collected;  // that only cycles kept: who is high here makes cycles
    std::size_t block_bytes;  // of each
};

namespace detail {

/// A number for each type and policy, in the order of their first use in the program. 0 is none.
[[nodiscard]] std::uint32_t claim_type_number(std::atomic<std::uint32_t>& number) noexcept;

template <class T, class Policy>
inline constinit std::atomic<std::uint32_t> g_type_number{0};

template <class T, class Policy>
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint32_t type_number() noexcept {
    // Relaxed: the number is all there is to it.
    const std::uint32_t number = g_type_number<T, Policy>.load(std::memory_order_relaxed);
    return HEAPWRIGHT_LIKELY(number != 0) ? number : claim_type_number(g_type_number<T, Policy>);
}

/// The kinds of nodes of a collector, by type number.
class NodeKinds {
public:
    constexpr NodeKinds(NodeList::Allocate allocate, NodeList::Deallocate deallocate) noexcept
        : allocate_(allocate), deallocate_(deallocate) {}
    NodeKinds(const NodeKinds&) = delete;
    NodeKinds& operator=(const NodeKinds&) = delete;
    ~NodeKinds();

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE NodeKind* find(std::uint32_t number) const noexcept {
        return HEAPWRIGHT_LIKELY(number < size_) ? kinds_[number] : nullptr;
    }
    /// Returns:  nullptr when memory is refused.
    [[nodiscard]] HEAPWRIGHT_COLD NodeKind* add(std::uint32_t number, const NodeOps* ops, Candidates* home) noexcept;
    /// Whether all of them promise it, see traced.hpp.
    [[nodiscard]] bool handles_stay() const noexcept { return handles_stay_; }
    template <class Visit>
    void for_each(Visit visit) const {
        for (std::uint32_t number = 0; number < size_; ++number) {
            if (kinds_[number] != nullptr) {
                visit(*kinds_[number]);
            }
        }
    }

private:
    NodeKind** kinds_ = nullptr;
    std::uint32_t size_ = 0;
    bool handles_stay_ = true;
    NodeList::Allocate allocate_;
    NodeList::Deallocate deallocate_;
};

/// Stops the program because nodes are left when their collector ends; names the type that has most.
[[noreturn]] HEAPWRIGHT_COLD void refuse_orphans(const NodeKind& most, std::uint64_t live) noexcept;

/// One thread at a time: nothing to lock.
class PlainHome : public Candidates {
public:
    using Candidates::Candidates;

    struct ListsGuard {
        explicit ListsGuard(PlainHome& /*home*/) noexcept {}
    };
    /// Requires: none.
    [[nodiscard]] bool try_begin() noexcept { return !std::exchange(is_collecting_, true); }
    void end() noexcept { is_collecting_ = false; }
    void stop_others() noexcept {}
    void resume_others() noexcept {}

private:
    bool is_collecting_ = false;
};

}  // namespace detail

/// Makes nodes, and frees the cycles among them. CycleCollector is for Rc, SharedCycleCollector for Arc.
///
/// A node has 24 bytes before the object: its kind, the collector's notes, and the counts. Handles are as any. A node whose
/// last handle is dropped dies at once, as any counted object; the collector is for the others.
/// Destructors of a collected cycle run in no order: one must not follow handles into the cycle (checked in debug builds),
/// and cannot keep a node of it (checked).
///
///   CC1  every candidate is in one list, under the place that its slot says
///   CC2  no node is in a pass between collections
///
/// Thread safety: CycleCollector and its nodes are one thread's at a time. See shared_cycle_collector.hpp for the other.
template <class Policy, class Home>
class BasicCycleCollector {
    using Blocks = typename Policy::Blocks;

public:
    static constexpr std::size_t kUnlimited = SIZE_MAX;

    BasicCycleCollector() noexcept
        : home_(&Blocks::try_allocate, &Blocks::deallocate),
          visited_(&Blocks::try_allocate, &Blocks::deallocate),
          kinds_(&Blocks::try_allocate, &Blocks::deallocate),
          long_pass_(home_) {}
    BasicCycleCollector(const BasicCycleCollector&) = delete;
    BasicCycleCollector& operator=(const BasicCycleCollector&) = delete;
    /// Collects all that is left. Requires: no node is alive afterwards (checked, with the name of the type).
    ~BasicCycleCollector() {
        static_cast<void>(collect_all());
        refuse_orphans();
    }

    /// Returns:  the first handle of a new node; an empty one when memory is refused.
    /// Cost:     that of make_counted() and about 10 instructions.
    template <class T, class... Args>
    [[nodiscard]] Counted<T, Policy> try_make(Args&&... args);
    /// Requires: memory suffices (checked).
    template <class T, class... Args>
    [[nodiscard]] Counted<T, Policy> make(Args&&... args) {
        Counted<T, Policy> made = try_make<T>(std::forward<Args>(args)...);
        HEAPWRIGHT_CHECK(made.get() != nullptr, detail::kNoMemory);
        return made;
    }

    /// Looks at the nodes that lost a handle since the last time, and now and then at older ones.
    ///
    /// `budget_nodes` bounds how many nodes are visited, and thereby the pause: 20 to 50 ns each.
    ///
    /// What is larger is looked at in steps where all types of the nodes promise kHandlesStay, see traced.hpp: half of each budget
    /// goes on with it where the last call stopped, whatever changed meanwhile. A garbage cycle of n nodes is freed by the
    /// 12 * n / budget_nodes calls after it was met: gathered, checked, condemned, destroyed and given back are a step each.
    /// Destructors of such a cycle run in several calls. `is_expired()` may say false of a node that upgrade() refuses by then.
    ///
    /// Else it is looked at in one go: with Overdraft::saved after so many calls that all together visit no more than twice
    /// their budgets. A garbage cycle of n nodes is freed by the 4 * n / budget_nodes calls after it was met, one of which visits
    /// up to 2 * n nodes.
    ///
    /// Both take longer where such looks were in vain before, because what is large and lives is touched all the time.
    /// Called by a destructor that a collection runs, it does nothing. The handles of one node are followed in one go.
    Collection collect(std::size_t budget_nodes = kUnlimited, Overdraft overdraft = Overdraft::saved) noexcept;
    /// Frees every cycle there is.
    Collection collect_all() noexcept;

    /// Nodes whose handles were dropped and that wait to be looked at.
    [[nodiscard]] std::size_t candidates() noexcept;
    [[nodiscard]] std::uint64_t live_nodes() noexcept;
    /// Calls `visit(NodeTypeReport)` for each type that nodes were made of. After collect_all(), live nodes that nobody is
    /// known to hold are leaks: some handle is not named by its type's trace function.
    template <class Visit>
    void for_each_type(Visit visit);

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() noexcept;

protected:
    [[nodiscard]] Home& home() noexcept { return home_; }

private:
    using List = detail::Candidates::List;

    template <class T>
    [[nodiscard]] detail::NodeKind* count_new_node() noexcept;
    void run_pass(List from, detail::PassLimits limits, Collection& result) noexcept;
    void run_saved_pass(std::size_t budget_nodes, Collection& result) noexcept;
    [[nodiscard]] std::size_t share_of_long_pass(std::size_t budget_nodes) noexcept;
    void run_long_pass(std::size_t most_steps, Collection& result) noexcept;
    void free_of_long_pass(std::size_t most_steps, Collection& result) noexcept;
    void settle_long_pass(Collection& result) noexcept;
    void destroy_garbage(std::uint32_t begin) noexcept;
    void refuse_orphans() noexcept;
    [[nodiscard]] std::uint64_t made_nodes() noexcept;
    [[nodiscard]] std::size_t count_of(List list) noexcept;

    Home home_;
    detail::NodeList visited_;
    detail::NodeKinds kinds_;
    detail::OldPassClock clock_;
    detail::LargePassSavings savings_;
    detail::LongPass<Policy> long_pass_;
    detail::LongPassClock long_clock_;
    bool is_long_first_ = false;  // who has the odd node of the next budget
};

using CycleCollector = BasicCycleCollector<SingleThread, detail::PlainHome>;

}  // namespace heapwright

#include <heapwright/own/rc/detail/cycle_collector_impl.hpp>
