// Four threads on a ring: each sends small messages to the next, which answers some with new ones and frees what it got.
#include <bench/malloc/handover.hpp>
#include <bench/malloc/workload.hpp>

namespace {

using workload::Block;

constexpr unsigned kThreads = 4;
constexpr std::size_t kInFlight = 256;
workload::Handover<Block> mailboxes[kThreads];

/// Every thread sends as often as it receives, so the ring ends as it began.
std::uint64_t pass_on(unsigned self, std::size_t rounds) {
    workload::Random random{self + 60};
    std::uint64_t sum = 0;
    auto& next = mailboxes[(self + 1) % kThreads];
    for (std::size_t i = 0; i < kInFlight; ++i) {
        next.send(workload::make(32 + random.below(200), i));
    }
    for (std::size_t i = 0; i < rounds; ++i) {
        Block message = mailboxes[self].receive();
        if (i % 4 == 0) {  // a message may go round several times before somebody frees it
            next.send(message);
            continue;
        }
        sum += workload::release(message);
        next.send(workload::make(32 + random.below(200), i));
    }
    for (std::size_t i = 0; i < kInFlight; ++i) {
        Block message = mailboxes[self].receive();
        sum += workload::release(message);
    }
    return sum;
}

}  // namespace

int main(int count, char** words) {
    const workload::Scale scale{count, words};
    const std::size_t rounds = scale.of(6'000'000);
    return workload::finish(workload::in_threads(kThreads, [&](unsigned self) { return pass_on(self, rounds); }));
}
