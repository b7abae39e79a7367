// The containers of the C++ library in one program: hash table, ordered map, list, strings and a priority queue over the same records.
#include <list>
#include <map>
#include <queue>
#include <string>
#include <unordered_map>

#include <bench/malloc/workload.hpp>

namespace {

using workload::Random;

std::string name_of(std::size_t number) { return "a record with the number " + std::to_string(number * 7919 % 1'000'003); }

/// Records are found by name, listed by age and dropped by rank; each structure holds its own copy of what it needs.
std::uint64_t work(std::size_t records, std::uint64_t seed) {
    Random random{seed};
    std::unordered_map<std::string, std::size_t> by_name;
    std::map<std::size_t, std::string> by_rank;
    std::list<std::string> by_age;
    std::priority_queue<std::pair<std::size_t, std::string>> urgent;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < records; ++i) {
        const std::string name = name_of(i);
        const std::size_t rank = random.next() >> 20U;
        by_name[name] = rank;
        by_rank[rank] = name;
        by_age.push_back(name);
        urgent.emplace(rank, name.substr(random.below(name.size())));
        if (i % 4 == 3) {
            const std::string oldest = std::move(by_age.front());
            by_age.pop_front();
            const auto found = by_name.find(oldest);
            if (found == by_name.end() || by_rank.erase(found->second) != 1) {
                workload::fail("a record is gone");
            }
            sum += workload::mixed(found->second);
            by_name.erase(found);
            urgent.pop();
        }
    }
    by_age.sort();
    for (const std::string& name : by_age) {
        sum = sum * 31 + by_name.at(name);
    }
    return sum;
}

}  // namespace

int main(int count, char** words) {
    const workload::Scale scale{count, words};
    std::uint64_t checksum = 0;
    for (std::uint64_t round = 0; round < 6; ++round) {
        checksum += work(scale.of(60'000, 100), round);
    }
    return workload::finish(checksum);
}
