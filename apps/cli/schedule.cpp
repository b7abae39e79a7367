#include "schedule.hpp"

#include <algorithm>
#include <cmath>

#include <heapwright/study/paired/signed_rank.hpp>

namespace heapwright::cli {
namespace {

// What each part may take; the least counts are kept even when they take longer.
constexpr double kRoundsS = 120;
constexpr double kCloserRoundsS = 40;
constexpr double kPairsS = 180;

constexpr std::size_t kFewCandidates = 5;
constexpr std::size_t kManyCandidates = 10;
constexpr unsigned kFewRounds = 3;
constexpr unsigned kManyRounds = 5;
constexpr unsigned kMostCloserRounds = 6;
constexpr unsigned kManyPairs = 25;

double fit(double budget_s, double each_s, double least, double most) {
    return std::clamp(std::floor(budget_s / std::max(each_s, 1e-3)), least, most);
}

}  // namespace

unsigned Schedule::runs() const noexcept {
    return static_cast<unsigned>(candidates + 1) * rounds + static_cast<unsigned>(kCloserLook + 1) * closer_rounds + 2 * pairs;
}

Schedule schedule_for(double run_s, unsigned pairs) noexcept {
    Schedule schedule;
    schedule.candidates = static_cast<std::size_t>(fit(kRoundsS, kFewRounds * run_s, kFewCandidates + 1, kManyCandidates + 1)) - 1;
    schedule.rounds = static_cast<unsigned>(fit(kRoundsS, static_cast<double>(schedule.candidates + 1) * run_s, kFewRounds, kManyRounds));
    schedule.closer_rounds = static_cast<unsigned>(fit(kCloserRoundsS, static_cast<double>(kCloserLook + 1) * run_s, 0, kMostCloserRounds));
    schedule.pairs =
        pairs != 0 ? pairs : static_cast<unsigned>(fit(kPairsS, 2 * run_s, static_cast<double>(study::kLeastPairs), kManyPairs));
    if (pairs != 0 && pairs < kFewRounds) {  // the user is in a hurry
        schedule.candidates = kFewCandidates;
        schedule.rounds = pairs;
        schedule.closer_rounds = 0;
    }
    return schedule;
}

}  // namespace heapwright::cli
