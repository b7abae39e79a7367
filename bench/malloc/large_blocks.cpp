// Blocks of 5 to 25 MiB of which every OS page is written: the price of giving large blocks back and getting them again.
#include <array>

#include <bench/malloc/workload.hpp>

int main(int count, char** words) {
    using workload::Block;
    const workload::Scale scale{count, words};
    workload::Random random{7};
    std::array<Block, 8> table{};
    std::uint64_t checksum = 0;
    const auto replace = [&](Block& place, std::size_t size, std::uint64_t tag) {
        if (place.at != nullptr) {
            checksum += workload::mixed(workload::tag_of_pages(place.at, place.size));
            std::free(place.at);
        }
        place = {size == 0 ? nullptr : workload::given(std::malloc(size)), size};
        if (size != 0) {
            workload::mark_pages(place.at, size, tag);
        }
    };
    for (std::size_t i = 0; i < scale.of(800, 10); ++i) {
        replace(table[random.below(table.size())], (5U << 20U) + random.below(20U << 20U), i);
    }
    for (Block& block : table) {
        replace(block, 0, 0);
    }
    return workload::finish(checksum);
}
