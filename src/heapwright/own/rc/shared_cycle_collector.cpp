// The gate, and what drops and upgrades do between the passes of a collector.
#include <heapwright/own/rc/shared_cycle_collector.hpp>

#include <heapwright/base/check.hpp>
#include <heapwright/os/thread.hpp>

namespace heapwright::detail {
namespace {

// The innermost stay of this thread: the others follow.
constinit thread_local const Gate::Inside* t_inside = nullptr;

[[nodiscard]] SharedHome& home_of(const NodeHeader& node) noexcept {
    // Nodes with atomic counts are made by collectors with such a home only.
    return static_cast<SharedHome&>(*node.kind->home);  // NOLINT(cppcoreguidelines-pro-type-static-cast-downcast)
}

}  // namespace

Gate::Inside::Inside(Gate& gate) noexcept : gate_(&gate), outer_(t_inside), was_inside_(gate.is_inside()) {
    if (!was_inside_) {
        gate.enter();
    }
    t_inside = this;
}

Gate::Inside::~Inside() {
    t_inside = outer_;
    if (!was_inside_) {
        gate_->leave();
    }
}

bool Gate::is_inside() const noexcept {
    for (const Inside* stay = t_inside; stay != nullptr; stay = stay->outer_) {
        if (stay->gate_ == this) {
            return true;
        }
    }
    return false;
}

void Gate::enter() noexcept {
    std::uint32_t seen = state_.load(std::memory_order_relaxed);  // a guess
    for (;;) {
        if ((seen & kClosed) != 0) {
            static_cast<void>(os::futex_wait(&state_, seen));
            seen = state_.load(std::memory_order_relaxed);  // a guess
            continue;
        }
        // Acquire pairs with the release of reopen(): what the collector did to the nodes is seen.
        if (state_.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire, std::memory_order_relaxed)) {
            return;
        }
    }
}

void Gate::leave() noexcept {
    // Release pairs with the acquire of close(): what this thread did to the nodes is seen by the collector.
    if (state_.fetch_sub(1, std::memory_order_release) == (kClosed | 1U)) {
        os::futex_wake(&state_);
    }
}

void Gate::close() noexcept {
    HEAPWRIGHT_CHECK(!is_inside(), "a thread collects inside its own access, which it would wait for; end the access first");
    // Acquire, here and below, pairs with the release of leave().
    std::uint32_t seen = state_.fetch_or(kClosed, std::memory_order_acquire) | kClosed;
    while (seen != kClosed) {
        static_cast<void>(os::futex_wait(&state_, seen));
        seen = state_.load(std::memory_order_acquire);
    }
}

void Gate::reopen() noexcept {
    // Release pairs with the acquire of enter().
    state_.store(0, std::memory_order_release);
    os::futex_wake(&state_);
}

bool SharedHome::try_begin() noexcept {
    const auto me = static_cast<std::uint64_t>(os::current_thread());
    // Relaxed, all three: a thread finds its own number there only if it wrote it itself.
    if (collecting_thread_.load(std::memory_order_relaxed) == me) {
        return false;
    }
    HEAPWRIGHT_CHECK(!gate_.is_inside(), "a thread collects inside its own access, which it would wait for; end the access first");
    collecting_lock_.lock();
    collecting_thread_.store(me, std::memory_order_relaxed);
    return true;
}

void SharedHome::end() noexcept {
    collecting_thread_.store(0, std::memory_order_relaxed);
    collecting_lock_.unlock();
}

bool drop_node(NodeHeader& node, AtomicCounts& counts) noexcept {
    SharedHome& home = home_of(node);
    const Gate::Inside inside(home.gate());
    // Between the drop and the note the node is this thread's to touch: no pass runs, and no other drop can be the last
    // one unseen, because it takes the same lock.
    const SharedHome::ListsGuard guard(home);
    if (counts.drop_strong()) {
        home.forget(node);
        return true;
    }
    if ((node.slot & NodeHeader::kListMask) == 0) {
        home.note(node);
    }
    return false;
}

bool upgrade_node(NodeHeader& node, AtomicCounts& counts) noexcept {
    if (counts.strong() == 0) {
        return false;  // and its collector may be gone
    }
    SharedHome& home = home_of(node);
    const Gate::Inside inside(home.gate());
    // No pass runs, so that `trial` is nobody's to change but of who drops the last handle.
    const SharedHome::ListsGuard guard(home);
    if (node.trial != NodeHeader::kIdle) {
        if (home.is_freeing) {
            return false;
        }
        home.disturb(node);
    }
    return counts.try_add_strong();
}

}  // namespace heapwright::detail
