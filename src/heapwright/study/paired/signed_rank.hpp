// Whether one of two ways to run a program is cheaper, from runs that were made in pairs.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace heapwright::study {

/// What pairs of runs say of a change. A ratio is changed over plain: 0.9 is a tenth less.
///
/// The test is Wilcoxon's signed-rank test (F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin
/// 1945), exact, on the logarithms of the ratios of the pairs. The estimate and the interval belong to it: the median of
/// the means of any two logarithms (J. L. Hodges and E. L. Lehmann, Annals of Mathematical Statistics 1963) and
/// what the test would not refute (M. Hollander, D. A. Wolfe, "Nonparametric Statistical Methods", chapter 3).
///
/// Where a lot decides which of a pair runs first, the levels hold whatever the machine did meanwhile: if the change does
/// nothing, each ratio is as likely to be its own inverse (R. A. Fisher, "The Design of Experiments", 1935).
struct PairedChange {
    std::size_t pairs = 0;
    double ratio = 1;      ///< Hodges-Lehmann estimate; near the median of the ratios of the pairs, and steadier
    double low = 0;        ///< 99 % confidence interval of the ratio; 0 and infinity where there are too few pairs for one
    double high = 0;       ///< as `low`
    double p_less = 1;     ///< chance of ratios as low as these, or lower, if the change does nothing
    double p_greater = 1;  ///< the same for high ones

    friend bool operator==(const PairedChange&, const PairedChange&) = default;
};

/// What the interval misses, and how often chance passes for a change that is believed where one of the two p is at most half of this.
inline constexpr double kErrorRate = 0.01;
/// With fewer pairs not even one that wins every time can be told from luck: 2 * 2^-7 is more than kErrorRate.
inline constexpr std::size_t kLeastPairs = 8;
/// More add little, and the exact distribution takes time and room with their third power.
inline constexpr std::size_t kMostPairs = 200;

/// Whether there were pairs enough for an interval.
[[nodiscard]] constexpr bool has_interval(const PairedChange& change) noexcept { return change.low > 0; }

/// `plain[i]` and `changed[i]` are of one pair.
///
/// Requires: as many of the one as of the other, at most kMostPairs, none below 0 (checked). Pairs of two zeros are equal;
///           beside a value that is not 0, a zero counts as the least number above it.
/// Returns:  no change, with p of 1, where there are no pairs.
/// Cost:     O(pairs^3); 25 pairs take some microseconds.
[[nodiscard]] PairedChange compare_pairs(std::span<const double> plain, std::span<const double> changed);

/// The same of rounds, some of which only one of the two may have seen: what is beyond the shorter one, or kMostPairs, is left out.
[[nodiscard]] PairedChange compare_rounds(std::span<const double> plain, std::span<const double> changed);

/// Whether chance is no explanation: the 99 % interval leaves out "no change".
[[nodiscard]] constexpr bool is_shown(const PairedChange& change) noexcept {
    return (change.p_less < change.p_greater ? change.p_less : change.p_greater) <= kErrorRate / 2;
}

/// P(W <= w) of the sum W of the ranks of positive differences, if each sign is a toss of a coin. `doubled_ranks` are twice
/// the ranks, so that the mean rank of two equal differences is whole.
[[nodiscard]] double signed_rank_tail(std::span<const std::size_t> doubled_ranks, std::size_t doubled_sum);

}  // namespace heapwright::study
