#include <heapwright/study/paired/signed_rank.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <heapwright/base/check.hpp>

namespace heapwright::study {
namespace {

constexpr double kSameDistance = 1e-12;  // of logarithms: below what a figure of a run can resolve

double logarithm_of_ratio(double plain, double changed) {
    if (plain == changed) {
        return 0;
    }
    const double least = std::numeric_limits<double>::min();
    return std::log(std::max(changed, least)) - std::log(std::max(plain, least));
}

std::vector<double> logarithms(std::span<const double> plain, std::span<const double> changed) {
    std::vector<double> ratios(plain.size());
    std::ranges::transform(plain, changed, ratios.begin(), logarithm_of_ratio);
    return ratios;
}

/// Differences without zeros, which belong to no side, in order of size; each with twice its rank, equal ones with their mean.
struct Ranked {
    std::vector<std::size_t> doubled_ranks;
    std::size_t doubled_sum_of_positive = 0;

    explicit Ranked(std::vector<double> differences) {
        std::erase_if(differences, [](double one) { return std::fabs(one) < kSameDistance; });
        std::ranges::sort(differences, {}, [](double one) { return std::fabs(one); });
        for (std::size_t begin = 0; begin < differences.size();) {
            std::size_t end = begin + 1;
            while (end < differences.size() && std::fabs(differences[end]) - std::fabs(differences[begin]) < kSameDistance) {
                ++end;
            }
            for (std::size_t i = begin; i < end; ++i) {
                doubled_ranks.push_back(begin + 1 + end);  // twice the mean of begin + 1 ... end
                doubled_sum_of_positive += differences[i] > 0 ? doubled_ranks.back() : 0;
            }
            begin = end;
        }
    }

    [[nodiscard]] std::size_t doubled_sum() const { return std::accumulate(doubled_ranks.begin(), doubled_ranks.end(), std::size_t{0}); }
};

/// The means of any two, and of each with itself.
std::vector<double> walsh_averages(const std::vector<double>& values) {
    std::vector<double> means;
    means.reserve(values.size() * (values.size() + 1) / 2);
    for (std::size_t i = 0; i < values.size(); ++i) {
        for (std::size_t j = i; j < values.size(); ++j) {
            means.push_back((values[i] + values[j]) / 2);
        }
    }
    std::ranges::sort(means);
    return means;
}

double middle_of(const std::vector<double>& sorted) {
    const std::size_t half = sorted.size() / 2;
    return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/// chance[s]: that ranks which are each taken or not by a toss of a coin add up to s, for all s up to `most`.
std::vector<double> chances_of_sums(std::span<const std::size_t> ranks, std::size_t most) {
    std::vector<double> chance(most + 1, 0);
    chance[0] = 1;
    for (const std::size_t rank : ranks) {
        for (std::size_t sum = chance.size(); sum-- > 0;) {
            chance[sum] = (chance[sum] + (sum >= rank ? chance[sum - rank] : 0)) / 2;
        }
    }
    return chance;
}

/// How many of the means of two lie outside of the interval on each side; with too few pairs none.
std::size_t means_left_out(std::size_t pairs) {
    std::vector<std::size_t> ranks(pairs);
    std::iota(ranks.begin(), ranks.end(), std::size_t{1});
    std::size_t out = 0;
    double tail = 0;
    for (const double chance : chances_of_sums(ranks, pairs * (pairs + 1) / 2)) {
        tail += chance;
        if (tail > kErrorRate / 2) {
            break;
        }
        ++out;
    }
    return out;
}

}  // namespace

double signed_rank_tail(std::span<const std::size_t> doubled_ranks, std::size_t doubled_sum) {
    const std::vector<double> chance = chances_of_sums(doubled_ranks, doubled_sum);
    return std::accumulate(chance.begin(), chance.end(), 0.0);
}

PairedChange compare_pairs(std::span<const double> plain, std::span<const double> changed) {
    HEAPWRIGHT_CHECK(plain.size() == changed.size(), "pairs need as many figures of the one as of the other");
    HEAPWRIGHT_CHECK(plain.size() <= kMostPairs, "too many pairs for an exact test");
    HEAPWRIGHT_CHECK(std::ranges::all_of(plain, [](double one) { return one >= 0; }) &&
                         std::ranges::all_of(changed, [](double one) { return one >= 0; }),
                     "ratios need figures that are not below 0");
    PairedChange change{.pairs = plain.size(), .high = std::numeric_limits<double>::infinity()};
    if (plain.empty()) {
        return change;
    }
    const std::vector<double> ratios = logarithms(plain, changed);
    const std::vector<double> means = walsh_averages(ratios);
    change.ratio = std::exp(middle_of(means));
    if (const std::size_t out = means_left_out(plain.size()); out > 0) {
        change.low = std::exp(means[out - 1]);
        change.high = std::exp(means[means.size() - out]);
    }
    const Ranked ranked{ratios};
    change.p_less = signed_rank_tail(ranked.doubled_ranks, ranked.doubled_sum_of_positive);
    change.p_greater = signed_rank_tail(ranked.doubled_ranks, ranked.doubled_sum() - ranked.doubled_sum_of_positive);
    return change;
}

PairedChange compare_rounds(std::span<const double> plain, std::span<const double> changed) {
    const std::size_t pairs = std::min({plain.size(), changed.size(), kMostPairs});
    return compare_pairs(plain.first(pairs), changed.first(pairs));
}

}  // namespace heapwright::study
