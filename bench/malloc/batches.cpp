// Single thread: as many blocks as a batch holds, then all freed, newest first, oldest first and in random order.
#include <algorithm>

#include <bench/malloc/workload.hpp>

int main(int count, char** words) {
    using workload::Block;
    const workload::Scale scale{count, words};
    workload::Random random{13};
    std::vector<Block> batch(scale.of(20'000, 100));
    std::uint64_t checksum = 0;
    for (std::size_t round = 0; round < 600; ++round) {
        for (std::size_t i = 0; i < batch.size(); ++i) {
            batch[i] = workload::make(random.size_between(16, 1024), i);
        }
        switch (round % 3) {
            case 0: std::reverse(batch.begin(), batch.end()); break;
            case 1: break;
            default: workload::shuffle(batch, random); break;
        }
        for (Block& block : batch) {
            checksum += workload::release(block);
        }
    }
    return workload::finish(checksum);
}
