// Keeps threads out of a graph while a collector looks at it.
#pragma once

#include <atomic>
#include <cstdint>

#include <heapwright/base/platform.hpp>

namespace heapwright::detail {

/// Many threads may be inside, or one that wants all others out.
///
///   GA1  the lower 31 bits are the number of threads inside; the highest bit says that somebody wants them out
///
/// A thread that is inside may enter again without waiting, so that a drop inside of an access cannot block itself. Not
/// for nesting two gates in different orders.
class Gate {
public:
    /// A thread's stay inside, on its stack.
    class Inside {
    public:
        explicit Inside(Gate& gate) noexcept;
        Inside(const Inside&) = delete;
        Inside& operator=(const Inside&) = delete;
        ~Inside();

    private:
        friend class Gate;
        Gate* gate_;
        const Inside* outer_;
        bool was_inside_;
    };

    /// Waits until nobody is inside; nobody enters before reopen(). Requires: one thread at a time; it is not inside.
    void close() noexcept;
    void reopen() noexcept;
    [[nodiscard]] bool is_inside() const noexcept;

    /// The name of the first invariant that does not hold, or nullptr. Requires: nobody is inside.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        // Relaxed: a figure of a moment.
        return state_.load(std::memory_order_relaxed) != 0 ? "GA1: somebody is counted who is not inside" : nullptr;
    }

private:
    static constexpr std::uint32_t kClosed = 1U << 31;

    void enter() noexcept;
    void leave() noexcept;

    std::atomic<std::uint32_t> state_{0};
};

}  // namespace heapwright::detail
