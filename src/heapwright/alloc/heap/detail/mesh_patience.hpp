// When the clock meshes again: where little was found, not before enough changed.
#pragma once

#include <algorithm>
#include <cstdint>

namespace heapwright::heap {

/// A pass that took more time than what it saved is worth makes the next one wait, until so many spans were stirred as are a share of what it
/// looked at: each vain pass doubles the share. One that was worth it begins anew.
///
///   MP1  what is waited for is no more than what the last pass looked at
///
/// Thread safety: one thread at a time.
class MeshPatience {
public:
    /// `stirred`: spans since the process began, modulo 2^32.
    [[nodiscard]] bool is_due(std::uint32_t stirred) const noexcept { return stirred - stirred_ >= wanted_; }
    /// A pass begins.
    void begin(std::uint32_t stirred) noexcept { stirred_ = stirred; }
    /// The pass is over: how long it worked, pages that it saved, and spans that it looked into.
    void end(std::uint64_t worked_ns, std::uint64_t saved_pages, std::uint32_t looked_at) noexcept {
        looked_at_ = looked_at;
        if (saved_pages * kWorthOfPageNs >= worked_ns) {
            share_ = kMostShare;
            wanted_ = 0;
            return;
        }
        wanted_ = looked_at / share_;
        share_ = std::max(share_ / 2, 1U);
    }
    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        return wanted_ <= looked_at_ ? nullptr : "MP1: more spans are waited for than were looked at";
    }

private:
    /// About what it takes to make a page shared.
    static constexpr std::uint64_t kWorthOfPageNs = 20'000;
    static constexpr std::uint32_t kMostShare = 16;

    std::uint32_t stirred_ = 0;
    std::uint32_t wanted_ = 0;
    std::uint32_t looked_at_ = 0;
    std::uint32_t share_ = kMostShare;
};

}  // namespace heapwright::heap
