// How do I share a pool of objects between the threads of a server, when one makes them and another ends them?
#include <atomic>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <heapwright/pool.hpp>

namespace {

struct Message {
    std::string text;
    int sender;
};

using Messages = heapwright::TypedPool<Message, heapwright::SharedPool>;

/// A mailbox of one message.
class Mailbox {
public:
    void put(Message* message) {
        for (Message* empty = nullptr; !slot_.compare_exchange_weak(empty, message, std::memory_order_acq_rel); empty = nullptr) {
            std::this_thread::yield();
        }
    }
    Message* take() {
        Message* message = nullptr;
        while ((message = slot_.exchange(nullptr, std::memory_order_acq_rel)) == nullptr) {
            std::this_thread::yield();
        }
        return message;
    }

private:
    std::atomic<Message*> slot_{nullptr};
};

}  // namespace

int main() {
    Messages messages{heapwright::os::kPages, {.limit_blocks = 4096}};
    Mailbox mailbox;
    std::thread reader{[&] {
        for (int count = 0; count < 10'000; ++count) {
            messages.destroy(mailbox.take());  // a second destroy would stop the program right here
        }
    }};
    for (int count = 0; count < 10'000; ++count) {
        mailbox.put(messages.create("a message that is too long for the small buffer", count));
    }
    reader.join();
    const heapwright::PoolStats stats = messages.stats();
    std::printf("%zu messages alive, at most %zu at one time, %zu bytes of slabs\n", stats.live_blocks, stats.peak_blocks,
                stats.owned_bytes);
    return stats.live_blocks == 0 ? 0 : 1;
}
