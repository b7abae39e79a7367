#include <heapwright/study/advice/suggestion.hpp>

#include <string>

#include <doctest/doctest.h>

namespace heapwright::test {

TEST_CASE("gains, experiments and verdicts have names") {
    for (const auto gain : {study::Gain::peak, study::Gain::mean, study::Gain::retained, study::Gain::time}) {
        CHECK(std::string(study::name_of(gain)).size() > 3);
    }
    for (int kind = 0; kind <= static_cast<int>(study::Experiment::Kind::trim); ++kind) {
        CHECK(std::string(study::name_of(static_cast<study::Experiment::Kind>(kind))).size() > 3);
    }
    CHECK(std::string(study::name_of(study::Verdict::proved)) == "proved");
    CHECK(std::string(study::name_of(study::Verdict::refuted)) == "refuted");
    CHECK(std::string(study::name_of(study::Verdict::not_tried)) == "not tried");
}

}  // namespace heapwright::test
