// calloc all the time: small records, tables of some KiB, and now and then a large one of which little is used.
#include <bench/malloc/workload.hpp>

namespace {

/// What is given must be zero; looked at in a few places, the whole of small ones.
void expect_zero(const workload::Block& block) {
    const std::size_t step = block.size <= 256 ? 8 : (block.size / 16 / 8) * 8;
    for (std::size_t at = 0; at + 8 <= block.size; at += step) {
        if (workload::load(static_cast<const char*>(block.at) + at) != 0) {
            workload::fail("calloc gave a block that is not zero");
        }
    }
}

}  // namespace

int main(int count, char** words) {
    using workload::Block;
    const workload::Scale scale{count, words};
    workload::Random random{16};
    std::vector<Block> table(4000);
    std::uint64_t checksum = 0;
    for (std::size_t i = 0; i < scale.of(3'000'000); ++i) {
        std::size_t size = random.size_between(16, 1024);
        if (i % 2000 == 0) {
            size = random.size_between(1U << 20U, 8U << 20U);
        } else if (i % 50 == 0) {
            size = random.size_between(4096, 65536);
        }
        size = (size + 7) / 8 * 8;
        // Large ones stay where few live at a time.
        Block& place = i % 2000 == 0 ? table[random.below(4)] : table[random.below(table.size())];
        checksum += workload::release(place);
        place = {workload::given(std::calloc(size / 8, 8)), size};
        expect_zero(place);
        workload::mark(place.at, place.size, i);
    }
    for (Block& block : table) {
        checksum += workload::release(block);
    }
    return workload::finish(checksum);
}
