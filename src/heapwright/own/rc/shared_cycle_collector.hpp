// The cycle collector for Arc: nodes that many threads hold, made, dropped and collected by any of them.
//
//   SharedCycleCollector collector;
//   Arc<Page> page = collector.make<Page>();
//   { auto access = collector.access();                 // a collection waits for the end of this scope
//     page->links.push_back(other); }                   // what the trace function reads is changed inside of it
//   collector.collect();                                // any thread, now and then
#pragma once

#include <cstdint>

#include <heapwright/base/thread_safety.hpp>
#include <heapwright/os/lanes.hpp>
#include <heapwright/os/spin_lock.hpp>
#include <heapwright/own/rc/cycle_collector.hpp>
#include <heapwright/own/rc/detail/gate.hpp>

namespace heapwright {

namespace detail {

/// The lists and the gate of a collector that many threads use.
class SharedHome : public Candidates {
public:
    using Candidates::Candidates;

    /// Guards the lists and the kinds' figures.
    class ListsGuard {
    public:
        explicit ListsGuard(SharedHome& home) noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS : home_(home) { home_.lists_lock_.lock(); }
        ListsGuard(const ListsGuard&) = delete;
        ListsGuard& operator=(const ListsGuard&) = delete;
        ~ListsGuard() HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS { home_.lists_lock_.unlock(); }

    private:
        SharedHome& home_;
    };

    /// One thread collects at a time; others wait. Returns: false when this very thread is collecting already.
    [[nodiscard]] bool try_begin() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    void end() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    void stop_others() noexcept { gate_.close(); }
    void resume_others() noexcept { gate_.reopen(); }
    [[nodiscard]] Gate& gate() noexcept { return gate_; }

private:
    Gate gate_;
    os::SpinLock lists_lock_;
    os::SpinLock collecting_lock_;
    std::atomic<std::uint64_t> collecting_thread_{0};
};

}  // namespace detail

/// As CycleCollector, for nodes of Arc handles.
///
/// A collection stops the threads that are about to drop a handle, to upgrade a weak one, or to begin an access, and looks
/// at a graph that does not change. Copying handles and following them needs no access: what a thread can reach is held by
/// somebody, and what is held is not garbage. Destructors of the garbage run after the threads go on.
///
/// Contract: handles inside nodes, or whatever a trace function reads, are changed inside an Access only (ThreadSanitizer
///           reports who does not). Threads that change the same node exclude each other, as with any data.
/// Cost:     a drop enters the gate, two locked instructions more than an Arc's own, none inside an access; the first drop
///           that makes a candidate takes a lock. A collection's pause is the visited nodes' tracing, not their destruction.
/// Thread safety: any thread, but for the destructor.
class SharedCycleCollector : public BasicCycleCollector<ManyThreads, detail::SharedHome> {
public:
    /// While it lives no collection looks at the graph.
    class [[nodiscard]] Access {
    public:
        explicit Access(SharedCycleCollector& collector) noexcept : inside_(collector.home().gate()) {}

    private:
        detail::Gate::Inside inside_;
    };

    /// Requires: the scope does not collect (checked), and waits for no thread that may.
    Access access() noexcept { return Access(*this); }
};

}  // namespace heapwright
