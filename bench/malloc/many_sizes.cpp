// Single thread, sizes from 16 bytes to 32 KiB in a table of live blocks: a random one dies, another of a random size is born.
#include <bench/malloc/workload.hpp>

int main(int count, char** words) {
    using workload::Block;
    const workload::Scale scale{count, words};
    workload::Random random{3};
    std::vector<Block> table(8000);
    std::uint64_t checksum = 0;
    for (std::size_t i = 0; i < scale.of(5'000'000); ++i) {
        Block& place = table[random.below(table.size())];
        checksum += workload::release(place);
        place = workload::make(random.size_between(16, 32768), i);
    }
    for (Block& block : table) {
        checksum += workload::release(block);
    }
    return workload::finish(checksum);
}
