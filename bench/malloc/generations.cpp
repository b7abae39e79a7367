// Long-lived among short-lived: requests allocate and free a few blocks each, while now and then a session is born or dies among them.
#include <array>

#include <bench/malloc/workload.hpp>

int main(int count, char** words) {
    using workload::Block;
    const workload::Scale scale{count, words};
    workload::Random random{10};
    std::vector<Block> sessions(scale.of(100'000, 100));
    std::uint64_t checksum = 0;
    for (std::size_t request = 0; request < scale.of(2'000'000); ++request) {
        std::array<Block, 12> scratch{};
        for (Block& block : scratch) {
            block = workload::make(random.size_between(16, 1024), request);
        }
        Block& session = sessions[random.below(sessions.size())];
        checksum += workload::release(session);
        session = workload::make(random.size_between(32, 1024), request);
        for (Block& block : scratch) {
            checksum += workload::release(block);
        }
    }
    for (Block& block : sessions) {
        checksum += workload::release(block);
    }
    return workload::finish(checksum);
}
