// How do I get a heap with a bounded worst case on a device with two small memories and no operating system?
#include <array>
#include <cstddef>
#include <cstdio>

#include <heapwright/tlsf.hpp>

namespace {

// On a device these are the linker's sections; the heap itself is built when the program is compiled.
alignas(8) constinit std::array<std::byte, 64 * 1024> fast_memory{};
alignas(8) constinit std::array<std::byte, 16 * 1024> slow_memory{};
constinit heapwright::SmallTlsf heap;

struct Packet {
    Packet* next;
    std::size_t bytes;
};

/// A queue of packets of changing sizes, as an interrupt would fill it and the main loop empty it.
std::size_t pass_packets(std::size_t count) {
    Packet* first = nullptr;
    std::size_t dropped = 0;
    for (std::size_t number = 0; number < count; ++number) {
        const std::size_t bytes = 40 + number * 7919 % 1460;
        void* const block = heap.try_allocate({.size = sizeof(Packet) + bytes, .alignment = alignof(Packet)});
        if (block == nullptr) {
            ++dropped;  // full: that is an answer, not an accident
        } else {
            first = ::new (block) Packet{.next = first, .bytes = bytes};
        }
        for (int sent = 0; number % 64 == 63 && first != nullptr && sent < 60; ++sent) {
            Packet* const packet = first;
            first = packet->next;
            heap.deallocate(packet, {.size = sizeof(Packet) + packet->bytes, .alignment = alignof(Packet)});
        }
    }
    while (first != nullptr) {
        Packet* const packet = first;
        first = packet->next;
        heap.deallocate(packet);
    }
    return dropped;
}

}  // namespace

int main() {
    if (!heap.add_region(fast_memory) || !heap.add_region(slow_memory)) {
        return 1;
    }
    const std::size_t dropped = pass_packets(10'000);
    const heapwright::TlsfStats stats = heap.stats();
    std::printf("%zu dropped, peak %zu of %zu bytes, heap itself %zu bytes\n", dropped, stats.peak_used_bytes, stats.owned_bytes,
                sizeof(heap));
    return stats.used_bytes == 0 && heap.broken_invariant() == nullptr && heap.remove_region(slow_memory.data()) ? 0 : 1;
}
