// Two threads that allocate and free as fast as they can, one block in ten freed by the other thread.
// Usage: storm [operations per thread] [seed]
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

namespace {

constexpr std::size_t kSlots = 1000;
constexpr std::size_t kExchangeSlots = 64;

/// Blocks on their way to the other thread.
std::array<std::atomic<void*>, kExchangeSlots> exchange;

class Random {
public:
    explicit Random(std::uint64_t seed) : state_{seed * 2654435769U + 1} {}
    std::uint64_t next() noexcept {
        state_ ^= state_ << 13U;
        state_ ^= state_ >> 7U;
        state_ ^= state_ << 17U;
        return state_;
    }

private:
    std::uint64_t state_;
};

void work(std::uint64_t operations, std::uint64_t seed) {
    Random random{seed};
    std::array<void*, kSlots> slots{};
    for (std::uint64_t i = 0; i < operations; ++i) {
        const std::uint64_t roll = random.next();
        void*& slot = slots[roll % kSlots];
        if (slot == nullptr) {
            slot = std::malloc(16 + (roll >> 20U) % 500);
            std::memset(slot, 1, 16);
        } else if ((roll >> 40U) % 10 == 0) {
            // Partner: the exchange below in the other thread takes the block and may read what we wrote.
            std::free(exchange[(roll >> 32U) % kExchangeSlots].exchange(slot, std::memory_order_acq_rel));
            slot = nullptr;
        } else {
            std::free(slot);
            slot = nullptr;
        }
    }
    for (void* block : slots) {
        std::free(block);
    }
}

}  // namespace

int main(int count, char** words) {
    const std::uint64_t operations = count > 1 ? std::strtoull(words[1], nullptr, 10) : 10'000'000;
    const std::uint64_t seed = count > 2 ? std::strtoull(words[2], nullptr, 10) : 1;
    std::thread other{work, operations, seed + 1};
    work(operations, seed);
    other.join();
    for (auto& block : exchange) {
        std::free(block.load(std::memory_order_relaxed));  // both threads have ended: no order is needed
    }
    std::puts("done");
    return 0;
}
