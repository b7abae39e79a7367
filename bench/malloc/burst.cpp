// A burst of small blocks in two threads, all freed, then a second of idleness: what is still resident counts. Prints that, and how long it slept.
#include <algorithm>
#include <chrono>

#include <bench/malloc/workload.hpp>

int main(int count, char** words) {
    using workload::Block;
    const workload::Scale scale{count, words};
    const std::size_t blocks = scale.of(500'000);
    const std::uint64_t checksum = workload::in_threads(2, [&](unsigned index) {
        workload::Random random{index + 18};
        std::vector<Block> all(blocks);
        std::uint64_t sum = 0;
        for (int round = 0; round < 2; ++round) {
            for (std::size_t i = 0; i < blocks; ++i) {
                all[i] = workload::make(random.size_between(16, 1024), i);
            }
            workload::shuffle(all, random);
            for (Block& block : all) {
                sum += workload::release(block);
            }
        }
        return sum;
    });
    const auto begin = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(std::chrono::milliseconds{std::min<std::size_t>(scale.of(1000), 1000)});
    const double slept = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf("slept_s %.6f\nidle_kib %zu\n", slept, workload::resident_kib());
    return workload::finish(checksum);
}
