// Thousands of threads that live for a moment: each frees half of what it allocates and leaves the rest to whoever started it.
#include <functional>

#include <bench/malloc/workload.hpp>

namespace {

using workload::Block;

void live_shortly(std::uint64_t seed, std::vector<Block>& left, std::uint64_t& sum) {
    workload::Random random{seed};
    for (std::size_t i = 0; i < 400; ++i) {
        Block block = workload::make(random.size_between(16, 2048), i);
        Block& place = left[random.below(left.size())];
        sum += workload::release(place);
        place = block;
    }
}

}  // namespace

int main(int count, char** words) {
    const workload::Scale scale{count, words};
    const std::size_t threads = scale.of(8000);
    const std::uint64_t checksum = workload::in_threads(2, [&](unsigned index) {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < threads; ++i) {
            std::vector<Block> left(100);
            std::thread{live_shortly, i * 2 + index, std::ref(left), std::ref(sum)}.join();
            for (Block& block : left) {
                sum += workload::release(block);
            }
        }
        return sum;
    });
    return workload::finish(checksum);
}
