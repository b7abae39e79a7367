// The longest of some operations of one thread: what took long, the operation or the scheduler?
#pragma once

#include <algorithm>
#include <cstdint>

#include <sys/resource.h>

#include <bench/defrag/clocks.hpp>

namespace defrag {

/// Times operations of the calling thread, one after the other. A thread that waits for a lock gives the processor up by itself; one that is
/// preempted does not.
class Longest {
public:
    template <class Operation>
    void time(Operation operation) {
        const long preempted = preemptions();
        const std::uint64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);
        const std::uint64_t begin = now_ns(CLOCK_MONOTONIC);
        operation();
        const std::uint64_t took = now_ns(CLOCK_MONOTONIC) - begin;
        cpu_ns_ = std::max(cpu_ns_, now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu);
        wall_ns_ = std::max(wall_ns_, took);
        if (preemptions() == preempted) {
            undisturbed_ns_ = std::max(undisturbed_ns_, took);
        }
    }
    /// Of all operations; in nanoseconds, as the others.
    [[nodiscard]] std::uint64_t wall_ns() const { return wall_ns_; }
    /// Of those that were not preempted, their waits for locks included.
    [[nodiscard]] std::uint64_t undisturbed_ns() const { return undisturbed_ns_; }
    /// Of processor time of the thread, the two readings of its clock included.
    [[nodiscard]] std::uint64_t cpu_ns() const { return cpu_ns_; }

private:
    static long preemptions() {
        rusage usage{};
        ::getrusage(RUSAGE_THREAD, &usage);
        return usage.ru_nivcsw;
    }

    std::uint64_t wall_ns_ = 0;
    std::uint64_t undisturbed_ns_ = 0;
    std::uint64_t cpu_ns_ = 0;
};

}  // namespace defrag
