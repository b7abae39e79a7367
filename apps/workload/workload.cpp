// Threads that allocate and free as a description says, and what they saw.
#include "workload.hpp"

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "measure.hpp"

namespace heapwright::workload {
namespace {

constexpr std::size_t kBatch = 32;  // blocks that travel to another thread together
constexpr std::size_t kWaitingMost = 64 * kBatch;
constexpr std::size_t kPageBytes = 4096;  // each page of a block is written to, as its owner would

struct Block {
    unsigned char* start = nullptr;
    std::size_t bytes = 0;
};

/// xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", ACM TOMS 42 (2016).
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15 + 1) {}
    std::uint64_t next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545F4914F6CDD1D;
    }
    std::size_t below(std::size_t bound) { return static_cast<std::size_t>((next() >> 32) * bound >> 32); }
    bool one_in_hundred(unsigned percent) { return below(100) < percent; }

private:
    std::uint64_t state_;
};

/// Sizes drawn beforehand, so that drawing them costs nothing while the clock runs.
class Sizes {
public:
    explicit Sizes(const Description& told) : sizes_(kDrawn) {
        Random random(told.seed);
        const double least = std::log(static_cast<double>(told.least_bytes));
        const double span = std::log(static_cast<double>(told.most_bytes) + 1) - least;
        for (std::uint32_t& size : sizes_) {
            const double share = static_cast<double>(random.next() >> 11) / static_cast<double>(std::uint64_t{1} << 53);
            size = static_cast<std::uint32_t>(std::clamp<double>(std::exp(least + share * span), static_cast<double>(told.least_bytes),
                                                                 static_cast<double>(told.most_bytes)));
        }
    }
    [[nodiscard]] std::size_t operator[](std::uint64_t index) const { return sizes_[index % kDrawn]; }

private:
    static constexpr std::size_t kDrawn = std::size_t{1} << 16;
    std::vector<std::uint32_t> sizes_;
};

/// The first word of a block: who writes beyond another block, or is given one twice, changes it.
std::uint64_t stamp_of(const Block& block) { return reinterpret_cast<std::uintptr_t>(block.start) ^ block.bytes << 48 ^ block.bytes; }

/// Blocks that other threads are to free.
class Inbox {
public:
    /// Returns: false where so many wait that the sender should wait as well.
    bool put(std::vector<Block>& batch) {
        const std::lock_guard guard(lock_);
        if (blocks_.size() + batch.size() > kWaitingMost) {
            return false;
        }
        blocks_.insert(blocks_.end(), batch.begin(), batch.end());
        batch.clear();
        holds_any_.store(true, std::memory_order_relaxed);  // a hint: take() looks under the lock
        return true;
    }
    void take(std::vector<Block>& into) {
        if (holds_any_.load(std::memory_order_relaxed)) {  // as above
            const std::lock_guard guard(lock_);
            into.swap(blocks_);
            holds_any_.store(false, std::memory_order_relaxed);  // as above
        }
    }
    void reserve() { blocks_.reserve(kWaitingMost); }

private:
    std::mutex lock_;
    std::vector<Block> blocks_;
    std::atomic<bool> holds_any_{false};
};

/// One thread's blocks and what becomes of them.
class Worker {
public:
    Worker(const Description& told, const Sizes& sizes, unsigned index)
        : told_(told), sizes_(sizes), random_(told.seed + index + 1), lasting_(told.slots()), brief_(Description::kBrief) {
        operations_ = told.operations / told.threads + (index < told.operations % told.threads ? 1 : 0);
        samples_.resize(operations_ / Figures::kSampled + 1);  // touched before the clock runs
        samples_.clear();
        leaving_.reserve(kBatch);
        arrived_.reserve(kWaitingMost);
        inbox_.reserve();
    }

    /// Its allocations, each with the free that makes room for it. Stops at the first damage or refusal.
    void work() {
        const double cpu_begin_s = thread_cpu_s();
        for (std::uint64_t done = 0; done < operations_ && problem.empty(); ++done) {
            const bool is_sampled = done % Figures::kSampled == 0;
            const std::uint64_t begin_ns = is_sampled ? now_ns() : 0;
            replace(slot_for_next(), sizes_[done + told_.seed * 7919]);
            if (is_sampled) {
                samples_.push_back(static_cast<std::uint32_t>(std::min<std::uint64_t>(now_ns() - begin_ns, UINT32_MAX)));
            }
            if (done % kBatch == 0) {
                free_arrived();
            }
        }
        // What is kept of a set that is just being freed says nothing about one that is whole.
        for (; told_.order == Order::newest && filled_ < lasting_.size() && problem.empty(); ++operations_) {
            replace(lasting_[filled_++], sizes_[operations_ + told_.seed * 7919]);
        }
        end_leaving();
        cpu_s = thread_cpu_s() - cpu_begin_s;
        has_ended_.store(true, std::memory_order_release);  // pairs with the acquire in send()
    }

    void free_arrived() {
        inbox_.take(arrived_);
        for (const Block& block : arrived_) {
            end(block);
        }
        arrived_.clear();
    }
    void free_all() {
        for (std::vector<Block>* const blocks : {&lasting_, &brief_}) {
            for (Block& block : *blocks) {
                end(std::exchange(block, {}));
            }
        }
    }
    [[nodiscard]] std::size_t live_bytes() const {
        std::size_t bytes = 0;
        for (const std::vector<Block>* const blocks : {&lasting_, &brief_}) {
            for (const Block& block : *blocks) {
                bytes += block.bytes;
            }
        }
        return bytes;
    }

    Worker* next = nullptr;  ///< who frees what is handed over; nullptr: it is a program of one thread
    std::string problem;
    double cpu_s = 0;
    [[nodiscard]] std::vector<std::uint32_t>& samples() { return samples_; }
    [[nodiscard]] std::uint64_t operations() const { return operations_; }

private:
    Block& slot_for_next() {
        if (told_.brief_percent != 0 && random_.one_in_hundred(told_.brief_percent)) {
            return brief_[brief_at_++ % Description::kBrief];
        }
        switch (told_.order) {
            case Order::random: return lasting_[filled_ < lasting_.size() ? filled_++ : random_.below(lasting_.size())];
            case Order::oldest: return lasting_[filled_++ % lasting_.size()];
            case Order::newest: break;
        }
        if (filled_ == lasting_.size()) {
            while (filled_ > 0) {
                end(std::exchange(lasting_[--filled_], {}));
            }
        }
        return lasting_[filled_++];
    }

    void replace(Block& slot, std::size_t bytes) {
        if (slot.start != nullptr) {
            leave(slot);
        }
        auto* const start = static_cast<unsigned char*>(std::malloc(bytes));
        if (start == nullptr) {
            problem = "malloc refused " + std::to_string(bytes) + " bytes";
            slot = {};
            return;
        }
        slot = {start, bytes};
        const std::uint64_t stamp = stamp_of(slot);
        std::memcpy(start, &stamp, sizeof stamp);
        for (std::size_t at = kPageBytes; at < bytes; at += kPageBytes) {
            start[at] = 1;
        }
    }

    void leave(const Block& block) {
        if (next == nullptr || told_.handed_over_percent == 0 || !random_.one_in_hundred(told_.handed_over_percent)) {
            end(block);
            return;
        }
        leaving_.push_back(block);
        if (leaving_.size() == kBatch) {
            send();
        }
    }

    /// Waits while the next thread has enough, unless it has ended: then there is nobody to free them but this one.
    void send() {
        while (!next->inbox_.put(leaving_)) {
            if (next->has_ended_.load(std::memory_order_acquire)) {  // pairs with the release in work(): it takes nothing more
                end_leaving();
                return;
            }
            free_arrived();  // else two may wait for each other
            std::this_thread::yield();
        }
    }
    void end_leaving() {
        for (const Block& block : leaving_) {
            end(block);
        }
        leaving_.clear();
    }

    void end(const Block& block) {
        if (block.start == nullptr) {
            return;
        }
        std::uint64_t stamp = 0;
        std::memcpy(&stamp, block.start, sizeof stamp);
        if (stamp != stamp_of(block) && problem.empty()) {
            problem = "a block of " + std::to_string(block.bytes) + " bytes was changed by somebody else before it was freed";
        }
        std::free(block.start);
    }

    const Description& told_;
    const Sizes& sizes_;
    Random random_;
    std::uint64_t operations_ = 0;
    std::vector<Block> lasting_;
    std::vector<Block> brief_;
    std::size_t filled_ = 0;
    std::size_t brief_at_ = 0;
    Inbox inbox_;
    std::atomic<bool> has_ended_{false};
    std::vector<Block> leaving_;
    std::vector<Block> arrived_;
    std::vector<std::uint32_t> samples_;
};

/// The value below which that share of the samples lies, in nanoseconds. Changes their order.
double quantile(std::vector<std::uint32_t>& samples, double share) {
    if (samples.empty()) {
        return 0;
    }
    const auto at =
        static_cast<std::ptrdiff_t>(std::min<double>(share * static_cast<double>(samples.size()), static_cast<double>(samples.size() - 1)));
    std::ranges::nth_element(samples, samples.begin() + at);
    return samples[static_cast<std::size_t>(at)];
}

void sum_up(std::vector<std::unique_ptr<Worker>>& workers, Figures& figures, std::string& problem) {
    std::vector<std::uint32_t> samples;
    for (const auto& worker : workers) {
        figures.operations += worker->operations();
        figures.cpu_s += worker->cpu_s;
        samples.insert(samples.end(), worker->samples().begin(), worker->samples().end());
        problem = problem.empty() ? worker->problem : problem;
    }
    figures.typical_ns = quantile(samples, 0.5);
    figures.p999_ns = quantile(samples, 0.999);
    figures.longest_ns = quantile(samples, 1);
}

}  // namespace

double Description::mean_bytes() const noexcept {
    const double least = static_cast<double>(least_bytes);
    const double most = static_cast<double>(most_bytes);
    return least_bytes == most_bytes ? least : (most - least) / (std::log(most) - std::log(least));
}

std::size_t Description::slots() const noexcept {
    return std::max<std::size_t>(1, static_cast<std::size_t>(static_cast<double>(live_bytes) / threads / mean_bytes()));
}

Figures run(const Description& description, std::string& problem) {
    Figures figures;
    const Sizes sizes(description);
    std::vector<std::unique_ptr<Worker>> workers;
    for (unsigned index = 0; index < description.threads; ++index) {
        workers.push_back(std::make_unique<Worker>(description, sizes, index));
    }
    for (unsigned index = 0; index < description.threads && description.threads > 1; ++index) {
        workers[index]->next = workers[(index + 1) % description.threads].get();
    }
    std::barrier meeting(static_cast<std::ptrdiff_t>(description.threads) + 1);
    const auto meet = [&meeting] { meeting.arrive_and_wait(); };
    std::vector<std::jthread> threads;
    for (const auto& worker : workers) {
        threads.emplace_back([&meet, &worker] {
            meet();  // all are ready
            worker->work();
            meet();  // all work is done
            worker->free_arrived();
            meet();  // what is live lies in its slots
            meet();  // and was measured
            worker->free_all();
            meet();  // all is free
            meet();  // what is kept was measured: threads that end would give back more
        });
    }
    const double begin_bytes = resident_bytes();  // the tables are touched, nothing that counts is allocated yet
    const std::uint64_t begin_ns = now_ns();
    meet();
    meet();
    figures.wall_s = static_cast<double>(now_ns() - begin_ns) * 1e-9;
    meet();
    figures.resident_bytes = resident_bytes() - begin_bytes;
    for (const auto& worker : workers) {
        figures.live_bytes += static_cast<double>(worker->live_bytes());
    }
    meet();
    meet();
    std::this_thread::sleep_for(std::chrono::duration<double>(description.idle_s));
    figures.kept_bytes = std::max(0.0, resident_bytes() - begin_bytes);
    meet();
    threads.clear();
    sum_up(workers, figures, problem);
    return figures;
}

}  // namespace heapwright::workload
