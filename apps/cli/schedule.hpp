// How often `tune` runs a program, from how long one run takes.
#pragma once

#include <cstddef>

namespace heapwright::cli {

/// Short programs are run often, long ones as seldom as the test of pairs allows.
struct Schedule {
    std::size_t candidates = 0;  ///< that are tried beside the plain program, at most
    unsigned rounds = 0;         ///< of all of them
    unsigned closer_rounds = 0;  ///< of the plain program and kCloserLook candidates that did best
    unsigned pairs = 0;          ///< of the plain program and the one that was chosen

    /// Of the program, at most, without the first, the recorded and the replayed ones.
    [[nodiscard]] unsigned runs() const noexcept;
};
inline constexpr std::size_t kCloserLook = 3;

/// `pairs` as the user wants them; 0: as many as there is time for, 8 to 25.
[[nodiscard]] Schedule schedule_for(double run_s, unsigned pairs) noexcept;

}  // namespace heapwright::cli
