// Thread stress with migration: short-lived threads build groups of blocks and exchange whole groups through places that all of them see.
#include <array>
#include <atomic>

#include <bench/malloc/workload.hpp>

namespace {

using workload::Block;

/// A group is one block that names the others; who takes it frees all of them.
struct Group {
    std::size_t count;
    Block blocks[1];
};

std::array<std::atomic<Group*>, 256> places;

Group* build(workload::Random& random, std::uint64_t tag) {
    const std::size_t number = 1 + random.below(60);
    auto* group = static_cast<Group*>(workload::given(std::malloc(sizeof(Group) + number * sizeof(Block))));
    group->count = number;
    for (std::size_t i = 0; i < number; ++i) {
        // Now and then a larger one, as in programs.
        group->blocks[i] = workload::make(random.below(100) == 0 ? random.size_between(4096, 65536) : random.size_between(8, 512), tag + i);
    }
    return group;
}

std::uint64_t destroy(Group* group) {
    std::uint64_t sum = 0;
    if (group != nullptr) {
        for (std::size_t i = 0; i < group->count; ++i) {
            sum += workload::release(group->blocks[i]);
        }
        std::free(group);
    }
    return sum;
}

std::uint64_t work(std::uint64_t seed, std::size_t groups) {
    workload::Random random{seed};
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < groups; ++i) {
        Group* group = build(random, i);
        const std::size_t place = random.below(places.size());
        if (random.below(4) != 0) {
            // Partner: the same exchange in another thread; who takes a group may read what its builder wrote.
            group = places[place].exchange(group, std::memory_order_acq_rel);
        }
        sum += destroy(group);
    }
    return sum;
}

}  // namespace

int main(int count, char** words) {
    const workload::Scale scale{count, words};
    const std::size_t groups = scale.of(12'000);
    std::uint64_t checksum = 0;
    for (std::uint64_t round = 0; round < 20; ++round) {
        checksum += workload::in_threads(2, [&](unsigned index) { return work(round * 2 + index, groups); });
    }
    for (auto& place : places) {
        checksum += destroy(place.load(std::memory_order_relaxed));  // all threads have ended: no order is needed
    }
    return workload::finish(checksum);
}
