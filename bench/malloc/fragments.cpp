// Fragmentation: many small blocks, nine in ten freed at random, then other sizes are wanted; twice over.
#include <bench/malloc/workload.hpp>

namespace {

using workload::Block;

void fill(std::vector<Block>& live, std::size_t bytes, std::size_t least, std::size_t most, workload::Random& random) {
    for (std::size_t filled = 0; filled < bytes;) {
        const std::size_t size = random.size_between(least, most);
        live.push_back(workload::make(size, filled));
        filled += size;
    }
}

std::uint64_t thin_out(std::vector<Block>& live, workload::Random& random) {
    std::uint64_t sum = 0;
    workload::shuffle(live, random);
    const std::size_t stay = live.size() / 10;
    while (live.size() > stay) {
        sum += workload::release(live.back());
        live.pop_back();
    }
    return sum;
}

}  // namespace

int main(int count, char** words) {
    const workload::Scale scale{count, words};
    const std::size_t mib = scale.of(1U << 20U, 4096);
    workload::Random random{17};
    std::uint64_t checksum = 0;
    for (int round = 0; round < 2; ++round) {
        std::vector<Block> live;
        fill(live, 120 * mib, 16, 512, random);
        checksum += thin_out(live, random);
        fill(live, 70 * mib, 1024, 4096, random);
        checksum += thin_out(live, random);
        fill(live, 70 * mib, 64, 1024, random);
        checksum += thin_out(live, random);
        for (Block& block : live) {
            checksum += workload::release(block);
        }
    }
    return workload::finish(checksum);
}
