// Blocks of 64 KiB to 2 MiB, as buffers of images, files and network messages: sixty live, every OS page written.
#include <array>

#include <bench/malloc/workload.hpp>

int main(int count, char** words) {
    using workload::Block;
    const workload::Scale scale{count, words};
    workload::Random random{8};
    std::array<Block, 60> table{};
    std::uint64_t checksum = 0;
    for (std::size_t i = 0; i < scale.of(50'000, 200); ++i) {
        Block& place = table[random.below(table.size())];
        if (place.at != nullptr) {
            checksum += workload::mixed(workload::tag_of_pages(place.at, place.size));
            std::free(place.at);
        }
        const std::size_t size = random.size_between(65536, 2U << 20U);
        place = {workload::given(std::malloc(size)), size};
        workload::mark_pages(place.at, size, i);
    }
    for (Block& block : table) {
        std::free(block.at);
    }
    return workload::finish(checksum);
}
