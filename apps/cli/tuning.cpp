#include "tuning.hpp"

#include <algorithm>
#include <cmath>

namespace heapwright::cli {
namespace {

using study::Difference;

constexpr double kMostHarm = 1.05;     // a change that costs more than a twentieth of anything is no free advice
constexpr double kLeastScore = -0.02;  // about two per cent: less is not worth a line in a start script

double logarithm(const Difference& difference) { return difference.real && difference.ratio > 0 ? std::log(difference.ratio) : 0; }

bool hurts(const Difference& difference) { return difference.real && difference.ratio > kMostHarm; }

}  // namespace

double RealDifference::score() const { return logarithm(cpu) + logarithm(peak); }

bool RealDifference::harmless() const { return !hurts(cpu) && !hurts(wall) && !hurts(peak); }

RealDifference real_difference(const Tuning& tuning, std::size_t variant) {
    const Variant& plain = tuning.variants.front();
    const Variant& other = tuning.variants[variant];
    return {study::compare(plain.cpu_s(), other.cpu_s()), study::compare(plain.wall_s(), other.wall_s()),
            study::compare(plain.peak_bytes(), other.peak_bytes())};
}

std::optional<std::size_t> best_variant(const Tuning& tuning) {
    std::optional<std::size_t> best;
    double least = kLeastScore;
    for (std::size_t i = 1; i < tuning.variants.size(); ++i) {
        const RealDifference difference = real_difference(tuning, i);
        if (tuning.variants[i].all_well() && difference.harmless() && difference.score() < least) {
            best = i;
            least = difference.score();
        }
    }
    return best;
}

}  // namespace heapwright::cli
