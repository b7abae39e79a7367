// One thread only allocates, another only frees: every block crosses over.
#include <bench/malloc/handover.hpp>
#include <bench/malloc/workload.hpp>

int main(int count, char** words) {
    using workload::Block;
    const workload::Scale scale{count, words};
    const std::size_t messages = scale.of(12'000'000);
    static workload::Handover<Block> queue;
    const std::uint64_t checksum = workload::in_threads(2, [&](unsigned index) {
        std::uint64_t sum = 0;
        workload::Random random{5};
        for (std::size_t i = 0; i < messages; ++i) {
            if (index == 0) {
                queue.send(workload::make(random.size_between(16, 512), i));
            } else {
                Block block = queue.receive();
                sum += workload::release(block);
            }
        }
        return sum;
    });
    return workload::finish(checksum);
}
