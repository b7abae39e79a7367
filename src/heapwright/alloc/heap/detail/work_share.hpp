// A share of time for work that cannot be cut at any moment.
#pragma once

#include <algorithm>
#include <cstdint>

namespace heapwright::heap {

/// Work in turns, each of which is given some time. What takes longer than it was given is owed: the turns after it have less, or none. What
/// is not used may be saved up: then the share is kept on average, of some seconds, and work that comes all at once is done sooner.
///
///   WS1  what was spent is at most what was given, and what is owed
///   WS2  what is saved is no more than was given, less what was spent
///
/// Thread safety: one thread at a time.
class WorkShare {
public:
    /// So many turns' worth are saved up at most, and so many of them are used in one turn.
    static constexpr std::uint64_t kTurnsSaved = 40;
    static constexpr std::uint64_t kTurnsAtOnce = 3;

    /// A turn begins, and is given so much. Returns: how long it may work.
    [[nodiscard]] std::uint64_t begin(std::uint64_t given) noexcept {
        given_ += given;
        const std::uint64_t paid = std::min(owed_, given);
        owed_ -= paid;
        allowed_ = given - paid;
        most_saved_ = 0;
        return allowed_;
    }
    /// The same, and what earlier turns did not use may be used now. `missed`: what would have been given since, in turns that were not taken.
    [[nodiscard]] std::uint64_t begin_saving(std::uint64_t given, std::uint64_t missed) noexcept {
        static_cast<void>(begin(given));
        most_saved_ = kTurnsSaved * given;
        save(missed);
        given_ += missed;
        const std::uint64_t paid = std::min(owed_, saved_);
        const std::uint64_t used = std::min(saved_ - paid, kTurnsAtOnce * given);
        owed_ -= paid;
        saved_ -= paid + used;
        allowed_ += used;
        return allowed_;
    }
    /// The turn is over; it worked so long.
    void end(std::uint64_t worked) noexcept {
        spent_ += worked;
        owed_ += worked > allowed_ ? worked - allowed_ : 0;
        save(allowed_ > worked ? allowed_ - worked : 0);
        allowed_ = 0;
    }

    [[nodiscard]] std::uint64_t given() const noexcept { return given_; }
    [[nodiscard]] std::uint64_t spent() const noexcept { return spent_; }
    /// The name of the first invariant that does not hold, or nullptr. Requires: no turn is under way.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        if (spent_ > given_ + owed_) {
            return "WS1: more was spent than given and owed";
        }
        return saved_ + spent_ > given_ + owed_ ? "WS2: more is saved than was given and not spent" : nullptr;
    }

private:
    void save(std::uint64_t unused) noexcept { saved_ = std::min(saved_ + unused, std::max(saved_, most_saved_)); }

    std::uint64_t allowed_ = 0;
    std::uint64_t owed_ = 0;
    std::uint64_t saved_ = 0;
    std::uint64_t most_saved_ = 0;  // of this turn
    std::uint64_t given_ = 0;
    std::uint64_t spent_ = 0;
};

}  // namespace heapwright::heap
