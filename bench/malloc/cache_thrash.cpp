// Two threads write their own small blocks all the time: slow where an allocator puts blocks of two threads on one cache line.
#include <bench/malloc/workload.hpp>

int main(int count, char** words) {
    const workload::Scale scale{count, words};
    const std::size_t blocks = scale.of(1'000'000);
    const std::uint64_t checksum = workload::in_threads(2, [&](unsigned index) {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < blocks; ++i) {
            auto* counter = static_cast<volatile std::uint64_t*>(workload::given(std::malloc(8 + 8 * (i % 2))));
            *counter = index;
            for (int write = 0; write < 1000; ++write) {
                *counter = *counter + 1;
            }
            sum += *counter;
            std::free(const_cast<std::uint64_t*>(counter));
        }
        return sum;
    });
    return workload::finish(checksum);
}
