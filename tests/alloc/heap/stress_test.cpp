// Random steps of many threads: contents survive, blocks do not overlap, all bytes come home.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>

#include <tests/support/random.hpp>

namespace heapwright::test {
namespace {

struct Held {
    std::uint8_t* block = nullptr;
    std::size_t bytes = 0;
    std::uint8_t mark = 0;
};

/// Writes a pattern that depends on the place, so that a block that overlaps another one is noticed.
void fill(const Held& held) {
    for (std::size_t i = 0; i < held.bytes; i += 61) {
        held.block[i] = static_cast<std::uint8_t>(held.mark + i);
    }
    held.block[held.bytes - 1] = held.mark;
}

bool is_intact(const Held& held, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; i += 61) {
        if (i != held.bytes - 1 && held.block[i] != static_cast<std::uint8_t>(held.mark + i)) {
            return false;
        }
    }
    return bytes < held.bytes || held.block[held.bytes - 1] == held.mark;
}

std::size_t random_bytes(Random& random) {
    const unsigned kind = static_cast<unsigned>(random.next() % 100);
    if (kind < 70) {
        return 1 + random.next() % 300;
    }
    if (kind < 92) {
        return 1 + random.next() % 9000;
    }
    return kind < 99 ? 1 + random.next() % 120'000 : 1 + random.next() % 2'000'000;
}

/// What threads hand to each other.
class Exchange {
public:
    void swap(Held& held, std::size_t slot) {
        const std::lock_guard guard(mutex_);
        std::swap(held, slots_[slot % slots_.size()]);
    }
    ~Exchange() {
        for (const Held& held : slots_) {
            default_heap::release(held.block);
        }
    }

private:
    std::mutex mutex_;
    std::vector<Held> slots_ = std::vector<Held>(64);
};

class Worker {
public:
    Worker(std::uint64_t salt, Exchange* exchange) : random_(salt), exchange_(exchange) {}

    void run(unsigned steps) {
        std::vector<Held> held(300);
        for (unsigned step = 0; step < steps && is_good_; ++step) {
            Held& one = held[random_.next() % held.size()];
            if (one.block == nullptr) {
                allocate(one);
            } else if (random_.next() % 8 == 0) {
                resize(one);
            } else if (exchange_ != nullptr && random_.next() % 4 == 0) {
                exchange_->swap(one, random_.next());
            } else {
                release(one);
            }
        }
        for (Held& one : held) {
            release(one);
        }
    }
    [[nodiscard]] bool is_good() const { return is_good_; }

private:
    void allocate(Held& one) {
        one.bytes = random_bytes(random_);
        one.mark = static_cast<std::uint8_t>(random_.next());
        const unsigned kind = static_cast<unsigned>(random_.next() % 8);
        if (kind == 0) {
            one.block = static_cast<std::uint8_t*>(default_heap::allocate_zeroed(one.bytes));
            is_good_ = is_good_ && std::all_of(one.block, one.block + one.bytes, [](std::uint8_t byte) { return byte == 0; });
        } else if (kind == 1) {
            const std::size_t alignment = std::size_t{1} << (random_.next() % 19);
            one.block = static_cast<std::uint8_t*>(default_heap::allocate_aligned(one.bytes, alignment));
            is_good_ = is_good_ && reinterpret_cast<std::uintptr_t>(one.block) % alignment == 0;
        } else {
            one.block = static_cast<std::uint8_t*>(default_heap::allocate(one.bytes));
        }
        is_good_ = is_good_ && one.block != nullptr && default_heap::usable_bytes(one.block) >= one.bytes;
        fill(one);
    }
    void resize(Held& one) {
        const std::size_t bytes = random_bytes(random_);
        auto* const moved = static_cast<std::uint8_t*>(default_heap::reallocate(one.block, bytes));
        one.block = moved;
        is_good_ = is_good_ && moved != nullptr && is_intact(one, std::min(bytes, one.bytes - 1));
        one.bytes = bytes;
        fill(one);
    }
    void release(Held& one) {
        if (one.block != nullptr) {
            is_good_ = is_good_ && is_intact(one, one.bytes);
            default_heap::release(one.block);
            one = {};
        }
    }

    Random random_;
    Exchange* exchange_;
    bool is_good_ = true;
};

void check_regions() {
    heap::for_each_region([](heap::Region& region) {
        const os::LockGuard guard(region.lock());
        const char* const broken = region.broken_invariant();
        CHECK_MESSAGE(broken == nullptr, broken);
    });
}

}  // namespace

TEST_CASE("one thread's blocks keep their contents through random steps") {
    Worker worker(0, nullptr);
    worker.run(300'000);
    CHECK(worker.is_good());
    check_regions();
}

TEST_CASE("blocks that travel between threads keep their contents, and come home") {
    const std::uint64_t before = default_heap::statistics().allocated_bytes;
    {
        Exchange exchange;
        std::atomic<unsigned> good{0};
        std::vector<std::thread> threads;
        for (unsigned number = 0; number < 4; ++number) {
            threads.emplace_back([&, number] {
                Worker worker(number, &exchange);
                worker.run(60'000);
                good += worker.is_good() ? 1 : 0;
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        CHECK(good == 4);
    }
    check_regions();
    const std::uint64_t after = default_heap::statistics().allocated_bytes;
    CHECK(after <= before + (std::uint64_t{4} << 20));  // what waits in spans that nobody looked at since
}

TEST_CASE("threads that die leave their spans to others") {
    Exchange exchange;
    bool is_good = true;
    for (unsigned round = 0; round < 150; ++round) {
        std::thread one([&] {
            Worker worker(round, &exchange);
            worker.run(1'500);
            is_good = is_good && worker.is_good();
        });
        one.join();
    }
    CHECK(is_good);
    check_regions();
    CHECK(default_heap::statistics().active_bytes < (std::uint64_t{256} << 20));
}

TEST_CASE("the first blocks of a thread are aligned as was asked, too") {
    std::thread one([] {
        std::vector<void*> blocks;
        for (std::size_t bytes = 1; bytes < 3000; bytes += 37) {
            blocks.push_back(default_heap::allocate(bytes));
            for (std::size_t alignment = 8; alignment <= 4096; alignment *= 2) {
                blocks.push_back(default_heap::allocate_aligned(bytes, alignment));
                CHECK(reinterpret_cast<std::uintptr_t>(blocks.back()) % alignment == 0);
            }
        }
        for (void* const block : blocks) {
            default_heap::release(block);
        }
    });
    one.join();
}

TEST_CASE("everything that is free goes back at once when asked") {
    std::vector<void*> blocks;
    for (unsigned i = 0; i < 100'000; ++i) {
        blocks.push_back(default_heap::allocate(200));
        std::memset(blocks.back(), 1, 200);
    }
    for (void* const block : blocks) {
        default_heap::release(block);
    }
    static_cast<void>(default_heap::trim());
    const HeapStatistics after = default_heap::statistics();
    CHECK(after.dirty_bytes == 0);
    CHECK(after.given_back_bytes >= 15'000'000);
    check_regions();
}

}  // namespace heapwright::test
