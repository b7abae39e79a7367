// Counted arrays.
#include <heapwright/own/rc/counted_array.hpp>

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/own/rc/biased_counts.hpp>
#include <heapwright/own/rc/rc.hpp>

namespace heapwright {
namespace {

#define HEAPWRIGHT_LAW(sentence) TEST_CASE_TEMPLATE(sentence, Policy, SingleThread, ManyThreads, Biased)

HEAPWRIGHT_LAW("arrays know their length and are destroyed last element first") {
    struct Order {
        std::vector<int>* log = nullptr;
        int number = 0;
        ~Order() {
            if (log != nullptr) {
                log->push_back(number);
            }
        }
    };
    std::vector<int> log;
    {
        const auto array = make_counted<Order[], Policy>(std::size_t{3});
        int number = 0;
        for (Order& each : array) {
            each.log = &log;
            each.number = number++;
        }
        CHECK(array.size() == 3);
        auto copy = array;
        CHECK(copy.get_mut().empty());
        CHECK(copy[2].number == 2);
        WeakCounted<Order[], Policy> weak = copy;
        CHECK(weak.upgrade() == array);
    }
    CHECK(log == std::vector<int>{2, 1, 0});
    const auto none = make_counted<int[], Policy>(std::size_t{0});
    CHECK(none);
    CHECK(none.span().empty());
    const std::vector<std::string> words{"a", "bb"};
    const auto copied = make_counted_copy<std::string, Policy>(words);
    CHECK(copied[1] == "bb");
}

}  // namespace
}  // namespace heapwright
