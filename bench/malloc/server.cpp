// Two lines of server threads: each thread replaces random blocks of those it was left, passes them all on to a new thread and dies.
#include <functional>

#include <bench/malloc/workload.hpp>

namespace {

using workload::Block;

/// What one generation hands to the next.
struct Line {
    explicit Line(unsigned index) : random{index + 40}, blocks(4000) {}
    workload::Random random;
    std::vector<Block> blocks;
    std::uint64_t checksum = 0;
};

void serve(Line& line, std::size_t requests) {
    for (std::size_t i = 0; i < requests; ++i) {
        Block& place = line.blocks[line.random.below(line.blocks.size())];
        line.checksum += workload::release(place);
        place = workload::make(10 + line.random.below(490), i);
    }
}

}  // namespace

int main(int count, char** words) {
    const workload::Scale scale{count, words};
    const std::size_t generations = scale.of(150, 2);
    std::vector<Line> lines{Line{0}, Line{1}};
    const std::uint64_t checksum = workload::in_threads(2, [&](unsigned index) {
        Line& line = lines[index];
        for (std::size_t i = 0; i < generations; ++i) {
            std::thread{serve, std::ref(line), scale.of(50'000)}.join();
        }
        return line.checksum;
    });
    std::uint64_t rest = 0;
    for (Line& line : lines) {  // the main thread frees what the last generation left
        for (Block& block : line.blocks) {
            rest += workload::release(block);
        }
    }
    return workload::finish(checksum + rest);
}
