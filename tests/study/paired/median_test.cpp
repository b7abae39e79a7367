#include <heapwright/study/paired/median.hpp>

#include <doctest/doctest.h>

namespace heapwright::test {

TEST_CASE("the median is the value in the middle, or the mean of the two there") {
    CHECK(study::median({}) == 0);
    CHECK(study::median({7}) == 7);
    CHECK(study::median({9, 1, 2}) == 2);
    CHECK(study::median({4, 1, 100, 2}) == 3);
}

}  // namespace heapwright::test
