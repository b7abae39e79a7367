// Two threads, sizes from 8 bytes to 16 KiB, one block in eight freed by the other thread.
#include <bench/malloc/handover.hpp>
#include <bench/malloc/workload.hpp>

namespace {

using workload::Block;

workload::Handover<Block, 4096> outgoing[2];

/// Blocks are swapped in groups after as many operations in both threads: what is freed where is the same in every run.
std::uint64_t work(unsigned self, std::size_t rounds) {
    workload::Random random{self + 12};
    std::vector<Block> table(2000);
    std::uint64_t sum = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < 700; ++i) {
            Block& place = table[random.below(table.size())];
            sum += workload::release(place);
            place = workload::make(random.size_between(8, 16384), round);
        }
        for (std::size_t i = 0; i < 100; ++i) {
            Block block = workload::make(random.size_between(8, 16384), i);
            outgoing[self].send(block);
        }
        for (std::size_t i = 0; i < 100; ++i) {
            Block block = outgoing[1 - self].receive();
            sum += workload::release(block);
        }
    }
    for (Block& block : table) {
        sum += workload::release(block);
    }
    return sum;
}

}  // namespace

int main(int count, char** words) {
    const workload::Scale scale{count, words};
    const std::size_t rounds = scale.of(6000);
    return workload::finish(workload::in_threads(2, [&](unsigned self) { return work(self, rounds); }));
}
