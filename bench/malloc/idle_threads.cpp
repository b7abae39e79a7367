// Sixty-four threads that each use some memory and then wait, while the main thread goes on working: what idle threads keep is lost to it.
#include <barrier>

#include <bench/malloc/workload.hpp>

namespace {

using workload::Block;

std::uint64_t churn(std::vector<Block>& table, std::size_t operations, std::uint64_t seed) {
    workload::Random random{seed};
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < operations; ++i) {
        Block& place = table[random.below(table.size())];
        sum += workload::release(place);
        place = workload::make(random.size_between(16, 2048), i);
    }
    return sum;
}

}  // namespace

int main(int count, char** words) {
    constexpr unsigned kThreads = 64;
    const workload::Scale scale{count, words};
    std::barrier used{kThreads + 1};
    std::barrier over{kThreads + 1};
    std::vector<std::uint64_t> sums(kThreads);
    std::vector<std::thread> threads;
    for (unsigned index = 0; index < kThreads; ++index) {
        threads.emplace_back([&, index] {
            std::vector<Block> table(1500);
            std::uint64_t sum = churn(table, scale.of(100'000), index + 19);
            for (Block& block : table) {
                sum += workload::release(block);
            }
            sums[index] = sum;
            used.arrive_and_wait();
            over.arrive_and_wait();
        });
    }
    used.arrive_and_wait();
    std::vector<Block> table(20'000);
    std::uint64_t checksum = churn(table, scale.of(6'000'000), 99);
    over.arrive_and_wait();
    for (unsigned index = 0; index < kThreads; ++index) {
        threads[index].join();
        checksum += sums[index];
    }
    for (Block& block : table) {
        checksum += workload::release(block);
    }
    return workload::finish(checksum);
}
