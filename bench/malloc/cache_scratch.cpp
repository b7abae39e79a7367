// Small blocks of one thread are given to two: slow where an allocator hands pieces of one cache line to threads that free into it.
#include <array>

#include <bench/malloc/workload.hpp>

namespace {

std::uint64_t write_often(volatile std::uint64_t* counter) {
    *counter = 0;
    for (int write = 0; write < 1000; ++write) {
        *counter = *counter + 1;
    }
    return *counter;
}

volatile std::uint64_t* counter_block() { return static_cast<volatile std::uint64_t*>(workload::given(std::malloc(8))); }

}  // namespace

int main(int count, char** words) {
    const workload::Scale scale{count, words};
    const std::size_t blocks = scale.of(8000);
    std::uint64_t checksum = 0;
    for (int round = 0; round < 100; ++round) {
        // Neighbours, from the main thread: each goes to another thread, which frees it and asks for its own.
        std::array<volatile std::uint64_t*, 2> gifts{counter_block(), counter_block()};
        checksum += workload::in_threads(2, [&](unsigned index) {
            volatile std::uint64_t* counter = gifts[index];
            std::uint64_t sum = 0;
            for (std::size_t i = 0; i < blocks; ++i) {
                sum += write_often(counter);
                std::free(const_cast<std::uint64_t*>(counter));
                counter = counter_block();
            }
            std::free(const_cast<std::uint64_t*>(counter));
            return sum;
        });
    }
    return workload::finish(checksum);
}
