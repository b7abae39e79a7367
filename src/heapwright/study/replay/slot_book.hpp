// Numbers for live blocks: small, used again, and never by two threads in one epoch.
#pragma once

#include <cstdint>
#include <vector>

namespace heapwright::study {

/// Hands out slots. A slot that a lane emptied is given to another lane only after end_epoch().
///
///   SB1  a slot in a list is below count() and stands in no other place of any list
///
/// Thread safety: one caller.
class SlotBook {
public:
    [[nodiscard]] std::uint32_t take(std::uint32_t lane) {
        if (lane < own_.size() && !own_[lane].empty()) {
            return pop(own_[lane]);
        }
        return common_.empty() ? count_++ : pop(common_);
    }

    void give_back(std::uint32_t lane, std::uint32_t slot) {
        if (lane >= own_.size()) {
            own_.resize(lane + std::size_t{1});
        }
        if (own_[lane].empty()) {
            used_.push_back(lane);
        }
        own_[lane].push_back(slot);
    }

    /// From now on any lane may use what was given back so far. With a single lane nothing has to move.
    void end_epoch() {
        if (own_.size() < 2) {
            return;
        }
        for (const std::uint32_t lane : used_) {
            common_.insert(common_.end(), own_[lane].begin(), own_[lane].end());
            own_[lane].clear();
        }
        used_.clear();
    }

    /// Slots ever needed at the same time.
    [[nodiscard]] std::uint32_t count() const { return count_; }
    /// The name of the first invariant that does not hold, or nullptr. Cost: O(slots).
    [[nodiscard]] const char* broken_invariant() const {
        std::vector<bool> seen(count_);
        const auto broken = [&](const std::vector<std::uint32_t>& list) {
            for (const std::uint32_t slot : list) {
                if (slot >= count_ || seen[slot]) {
                    return true;
                }
                seen[slot] = true;
            }
            return false;
        };
        bool wrong = broken(common_);
        for (const auto& list : own_) {
            wrong = broken(list) || wrong;
        }
        return wrong ? "SB1: a slot is free twice, or was never given out" : nullptr;
    }

    [[nodiscard]] std::size_t free_slots() const {
        std::size_t total = common_.size();
        for (const auto& list : own_) {
            total += list.size();
        }
        return total;
    }

private:
    static std::uint32_t pop(std::vector<std::uint32_t>& list) {
        const std::uint32_t slot = list.back();
        list.pop_back();
        return slot;
    }

    std::vector<std::vector<std::uint32_t>> own_;  // by lane
    std::vector<std::uint32_t> used_;              // lanes whose list was empty and got something; may hold doubles
    std::vector<std::uint32_t> common_;
    std::uint32_t count_ = 0;
};

}  // namespace heapwright::study
