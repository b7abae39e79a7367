// Two threads in waves of ever smaller blocks: each wave frees three quarters of what the waves before left, in strides, and keeps the rest.
#include <bench/malloc/workload.hpp>

namespace {

using workload::Block;

std::uint64_t ride(unsigned index, std::size_t rounds) {
    workload::Random random{index + 14};
    std::vector<Block> kept;
    std::uint64_t sum = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
        for (std::size_t size = 1000; size > 8; size -= size / 5 + 1) {
            for (std::size_t i = 0; i < 200; ++i) {
                kept.push_back(workload::make(size, round));
            }
            // From both ends in turn: neither a stack nor a queue.
            for (std::size_t i = 0; i < 50 && !kept.empty(); ++i) {
                std::swap(kept[random.below(kept.size())], kept.back());
                sum += workload::release(kept.back());
                kept.pop_back();
                sum += workload::release(kept[i]);
                sum += workload::release(kept[kept.size() - 1 - i]);
            }
        }
        std::vector<Block> left;
        for (Block& block : kept) {
            if (random.below(4) == 0) {
                left.push_back(block);
            } else {
                sum += workload::release(block);
            }
        }
        kept = std::move(left);
    }
    for (Block& block : kept) {
        sum += workload::release(block);
    }
    return sum;
}

}  // namespace

int main(int count, char** words) {
    const workload::Scale scale{count, words};
    const std::size_t rounds = scale.of(3000);
    return workload::finish(workload::in_threads(2, [&](unsigned index) { return ride(index, rounds); }));
}
