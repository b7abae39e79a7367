// A share of time for work that cannot be cut at any moment.
#pragma once

#include <cstdint>

namespace heapwright::heap {

/// Work in turns, each of which is given some time. What takes longer than it was given is owed: the turns after it have less, or none.
///
///   WS1  what was spent is at most what was given, and what is owed
///
/// Thread safety: one thread at a time.
class WorkShare {
public:
    /// A turn begins, and is given so much. Returns: how long it may work.
    [[nodiscard]] std::uint64_t begin(std::uint64_t given) noexcept {
        given_ += given;
        const std::uint64_t paid = owed_ < given ? owed_ : given;
        owed_ -= paid;
        allowed_ = given - paid;
        return allowed_;
    }
    /// The turn is over; it worked so long.
    void end(std::uint64_t worked) noexcept {
        spent_ += worked;
        owed_ += worked > allowed_ ? worked - allowed_ : 0;
        allowed_ = 0;
    }

    [[nodiscard]] std::uint64_t given() const noexcept { return given_; }
    [[nodiscard]] std::uint64_t spent() const noexcept { return spent_; }
    /// The name of the first invariant that does not hold, or nullptr. Requires: no turn is under way.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        return spent_ <= given_ + owed_ ? nullptr : "WS1: more was spent than given and owed";
    }

private:
    std::uint64_t allowed_ = 0;
    std::uint64_t owed_ = 0;
    std::uint64_t given_ = 0;
    std::uint64_t spent_ = 0;
};

}  // namespace heapwright::heap
