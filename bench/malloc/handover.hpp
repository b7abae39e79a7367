// A bounded queue from one thread to another: how workloads hand their blocks over.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <thread>

namespace workload {

/// One sender, one receiver. Waits by yielding, so that a program with more threads than cores gets on.
template <class Item, std::size_t kPlaces = 1024>
class Handover {
public:
    void send(const Item& item) {
        const std::size_t at = sent_.load(std::memory_order_relaxed);  // only the sender writes it: no order is needed
        // Partner: the release in receive(); the place that is written below was read before it.
        while (at - received_.load(std::memory_order_acquire) == kPlaces) {
            std::this_thread::yield();
        }
        items_[at % kPlaces] = item;
        sent_.store(at + 1, std::memory_order_release);  // partner: the acquire in receive() sees the item whole
    }

    Item receive() {
        const std::size_t at = received_.load(std::memory_order_relaxed);  // only the receiver writes it: no order is needed
        while (sent_.load(std::memory_order_acquire) == at) {              // partner: the release in send()
            std::this_thread::yield();
        }
        const Item item = items_[at % kPlaces];
        received_.store(at + 1, std::memory_order_release);  // partner: the acquire in send() may write the place again
        return item;
    }

private:
    alignas(64) std::atomic<std::size_t> sent_{0};
    alignas(64) std::atomic<std::size_t> received_{0};
    alignas(64) std::array<Item, kPlaces> items_{};
};

}  // namespace workload
