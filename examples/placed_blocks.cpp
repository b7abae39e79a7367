// Blocks that live long and blocks that do not, kept apart by a plan that the program makes itself: after the short-lived ones
// have died, their chunks serve the next ones. `heapwright advise` makes such plans for programs that know nothing of it.
#include <cstdio>
#include <cstring>
#include <vector>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/placement.hpp>

namespace placement = heapwright::placement;

int main() {
    const placement::PlaceId requests = placement::add_place(heapwright::SitePlace::bump, "requests");
    const placement::PlaceId sessions = placement::add_place(heapwright::SitePlace::pool, "sessions");
    if (!placement::begin()) {
        return 1;
    }
    std::vector<void*> kept;
    for (int request = 0; request < 2000; ++request) {
        std::vector<void*> parts;
        for (std::size_t part = 1; part <= 50; ++part) {
            parts.push_back(placement::allocate_at(requests, 20 * part));
            std::memset(parts.back(), 1, 20 * part);
        }
        if (request % 20 == 0) {
            kept.push_back(placement::allocate_at(sessions, 300));
        }
        for (void* const part : parts) {
            heapwright::default_heap::release(part);
        }
    }
    placement::PlaceStatistics place;
    for (std::uint32_t number = 0; placement::statistics_of(number, place); ++number) {
        std::printf("%.*s: %llu blocks so far, %llu live in %llu KiB\n", static_cast<int>(place.name.size()), place.name.data(),
                    static_cast<unsigned long long>(place.blocks), static_cast<unsigned long long>(place.live_blocks),
                    static_cast<unsigned long long>(place.chunk_bytes / 1024));
    }
    for (void* const session : kept) {
        heapwright::default_heap::release(session);
    }
    return 0;
}
