// Wilcoxon's test against counting all signs, its interval against the test, and how often it errs on runs of a noisy machine.
#include <heapwright/study/paired/signed_rank.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include <doctest/doctest.h>

namespace heapwright::test {
namespace {

using study::compare_pairs;
using study::kErrorRate;
using study::PairedChange;

/// Pairs whose ratios are these.
PairedChange change_of_ratios(const std::vector<double>& ratios) { return compare_pairs(std::vector<double>(ratios.size(), 1.0), ratios); }

/// Runs of a machine that others use too: drift, bursts in which everything takes longer, and a few runs far out.
class NoisyMachine {
public:
    explicit NoisyMachine(std::uint64_t seed) : random_{seed} {}

    double run(double cost) {
        drift_ += 0.02 * normal_(random_);
        if (uniform_(random_) < 0.05) {
            burst_ = burst_ > 0 ? 0 : 0.3;
        }
        const double outlier = uniform_(random_) < 0.05 ? 0.8 * uniform_(random_) : 0;
        return cost * std::exp(drift_ + burst_ + outlier + 0.05 * normal_(random_));
    }

    /// As tune does it: a lot decides who of a pair goes first.
    PairedChange pairs(std::size_t count, double factor) {
        std::vector<double> plain(count);
        std::vector<double> changed(count);
        for (std::size_t i = 0; i < count; ++i) {
            if (uniform_(random_) < 0.5) {
                plain[i] = run(1);
                changed[i] = run(factor);
            } else {
                changed[i] = run(factor);
                plain[i] = run(1);
            }
        }
        return compare_pairs(plain, changed);
    }

private:
    std::mt19937_64 random_;
    std::normal_distribution<double> normal_;
    std::uniform_real_distribution<double> uniform_;
    double drift_ = 0;
    double burst_ = 0;
};

}  // namespace

TEST_CASE("the tail is what counting all signs gives, with equal differences too") {
    for (const std::vector<std::size_t>& doubled :
         {std::vector<std::size_t>{2, 4, 6, 8, 10, 12, 14, 16}, {3, 3, 6, 9, 9, 12}, {5, 5, 5, 5}}) {
        std::size_t all = 0;
        for (const std::size_t rank : doubled) {
            all += rank;
        }
        for (std::size_t sum = 0; sum <= all; ++sum) {
            std::size_t ways = 0;
            for (std::uint32_t signs = 0; signs < (1U << doubled.size()); ++signs) {
                std::size_t positive = 0;
                for (std::size_t i = 0; i < doubled.size(); ++i) {
                    positive += (signs >> i & 1U) != 0 ? doubled[i] : 0;
                }
                ways += positive <= sum ? 1 : 0;
            }
            const double expected = static_cast<double>(ways) / static_cast<double>(1U << doubled.size());
            CHECK(study::signed_rank_tail(doubled, sum) == doctest::Approx(expected));
        }
    }
}

TEST_CASE("published critical values of the signed-rank test hold") {
    // One-sided 0.005: W <= 0 for 8 pairs, 1 for 9, 3 for 10, 19 for 16, 37 for 20, 68 for 25.
    for (const auto& [pairs, critical] : {std::pair{8U, 0U}, {9U, 1U}, {10U, 3U}, {16U, 19U}, {20U, 37U}, {25U, 68U}}) {
        std::vector<std::size_t> doubled;
        for (std::size_t rank = 1; rank <= pairs; ++rank) {
            doubled.push_back(2 * rank);
        }
        CHECK(study::signed_rank_tail(doubled, 2 * critical) <= 0.005);
        CHECK(study::signed_rank_tail(doubled, 2 * (critical + 1)) > 0.005);
    }
}

TEST_CASE("eight wins of eight are the least that can be told from luck") {
    const PairedChange eight = change_of_ratios({0.90, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97});
    CHECK(eight.p_less == doctest::Approx(1.0 / 256));
    CHECK(eight.p_greater == doctest::Approx(1.0));
    CHECK(eight.low == doctest::Approx(0.90));
    CHECK(eight.high == doctest::Approx(0.97));
    CHECK(eight.ratio == doctest::Approx(0.9349).epsilon(0.001));
    const PairedChange seven = change_of_ratios({0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1});
    CHECK(seven.p_less > kErrorRate / 2);
    CHECK_FALSE(study::has_interval(seven));
    CHECK(study::kLeastPairs == 8);
}

TEST_CASE("one run far out does not hide a steady gain, and does not make one") {
    CHECK(change_of_ratios({0.9, 0.91, 0.9, 0.92, 0.9, 0.89, 0.9, 0.91, 0.9, 0.9, 0.92, 0.9, 0.91, 0.92, 0.9, 3.0}).p_less <=
          kErrorRate / 2);
    CHECK(change_of_ratios({1.01, 0.99, 1.02, 0.98, 1.0, 1.01, 0.97, 1.02, 0.99, 1.01, 1.0, 0.1}).p_less > kErrorRate / 2);
}

TEST_CASE("equal pairs say nothing, and two zeros are equal") {
    const PairedChange same = compare_pairs(std::vector<double>{5, 0, 7}, std::vector<double>{5, 0, 7});
    CHECK(same.ratio == 1);
    CHECK(same.p_less == 1);
    CHECK(same.p_greater == 1);
    CHECK(compare_pairs({}, {}).pairs == 0);
    CHECK(compare_pairs({}, {}).p_less == 1);
    CHECK(compare_pairs(std::vector<double>{0, 0}, std::vector<double>{1, 1}).ratio > 1);
}

TEST_CASE("whatever the differences are, at most the stated share of their signs is believed") {
    std::mt19937_64 random{20261122};
    for (std::size_t pairs = 5; pairs <= 14; ++pairs) {
        std::vector<double> sizes(pairs);
        for (double& size : sizes) {
            size = static_cast<double>(random() % 7);  // ties and zeros among them
        }
        std::size_t less = 0;
        std::size_t greater = 0;
        std::vector<double> ratios(pairs);
        for (std::uint32_t signs = 0; signs < (1U << pairs); ++signs) {
            for (std::size_t i = 0; i < pairs; ++i) {
                ratios[i] = std::exp((signs >> i & 1U) != 0 ? sizes[i] : -sizes[i]);
            }
            const PairedChange change = change_of_ratios(ratios);
            less += change.p_less <= kErrorRate / 2 ? 1 : 0;
            greater += change.p_greater <= kErrorRate / 2 ? 1 : 0;
        }
        CHECK(static_cast<double>(less) <= kErrorRate / 2 * static_cast<double>(1U << pairs));
        CHECK(less == greater);
    }
}

TEST_CASE("the interval leaves out no change exactly when the test says so") {
    int told = 0;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        NoisyMachine machine{seed};
        const PairedChange change = machine.pairs(8 + seed % 18, 0.93);
        CHECK((change.high < 1) == (change.p_less <= kErrorRate / 2));
        CHECK((change.low > 1) == (change.p_greater <= kErrorRate / 2));
        CHECK(change.low <= change.ratio);
        CHECK(change.ratio <= change.high);
        told += change.high < 1 ? 1 : 0;
    }
    CHECK(told > 20);
    CHECK(told < 380);
}

TEST_CASE("a change that does nothing passes for one no more often than stated, on a machine that drifts") {
    constexpr int kTunes = 20000;
    int gains = 0;
    int losses = 0;
    int covered = 0;
    for (std::uint64_t seed = 1; seed <= kTunes; ++seed) {
        const PairedChange change = NoisyMachine{seed}.pairs(seed % 2 == 0 ? 25 : 10, 1);
        gains += change.p_less <= kErrorRate / 2 ? 1 : 0;
        losses += change.p_greater <= kErrorRate / 2 ? 1 : 0;
        covered += change.low <= 1 && 1 <= change.high ? 1 : 0;
    }
    // 0.005 of 20000 is 100; three standard deviations of such a count are 30.
    CHECK(gains <= 130);
    CHECK(losses <= 130);
    CHECK(gains + losses > 50);  // a test that never speaks has no power
    CHECK(covered >= kTunes - 260);
}

TEST_CASE("a tenth less is nearly always seen in 25 pairs, a fifth in 12") {
    constexpr int kTunes = 1000;
    int tenths = 0;
    int fifths = 0;
    for (std::uint64_t seed = 1; seed <= kTunes; ++seed) {
        tenths += NoisyMachine{seed}.pairs(25, 0.9).p_less <= kErrorRate / 2 ? 1 : 0;
        fifths += NoisyMachine{seed}.pairs(12, 0.8).p_less <= kErrorRate / 2 ? 1 : 0;
    }
    CHECK(tenths >= 750);
    CHECK(fifths >= 700);
}

}  // namespace heapwright::test
