// A router: packets of 64 to 1500 bytes wait in a queue, first in, first out, each with a small record that is freed a little later.
#include <deque>

#include <bench/malloc/workload.hpp>

int main(int count, char** words) {
    using workload::Block;
    const workload::Scale scale{count, words};
    workload::Random random{23};
    std::deque<Block> packets;
    std::deque<Block> records;
    std::uint64_t checksum = 0;
    const auto pop = [&checksum](std::deque<Block>& queue) {
        checksum += workload::release(queue.front());
        queue.pop_front();
    };
    for (std::size_t i = 0; i < scale.of(8'000'000); ++i) {
        packets.push_back(workload::make(random.below(3) == 0 ? 1500 : 64 + random.below(600), i));
        records.push_back(workload::make(48, i));
        // The queue is long at times and empty at others.
        const std::size_t length = 200 + (i / 50'000 % 4) * 3000;
        while (packets.size() > length) {
            pop(packets);
        }
        while (records.size() > length + 500) {
            pop(records);
        }
    }
    while (!packets.empty()) {
        pop(packets);
    }
    while (!records.empty()) {
        pop(records);
    }
    return workload::finish(checksum);
}
