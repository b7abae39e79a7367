// The ring of blocks that came back: all RetiredPages share one, as they share the address space.
#include <heapwright/os/retired_pages.hpp>

#include <array>

#include <heapwright/base/thread_safety.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::os {
namespace {

struct Retired {
    void* start;
    std::size_t bytes;
};

struct Ring {
    SpinLock lock;
    std::array<Retired, RetiredPages::kRetiredBlocks> blocks HEAPWRIGHT_GUARDED_BY(lock){};
    std::size_t next HEAPWRIGHT_GUARDED_BY(lock) = 0;
};

constinit Ring ring;

}  // namespace

void RetiredPages::deallocate(void* block, Layout layout) const noexcept {
    const std::size_t bytes = round_to_pages(layout.size);
    if (!decommit(block, bytes)) {
        release(block, bytes);  // without addresses to hold, at least the memory goes back
        return;
    }
    Retired oldest{};
    {
        const LockGuard guard{ring.lock};
        oldest = ring.blocks[ring.next];
        ring.blocks[ring.next] = {.start = block, .bytes = bytes};
        ring.next = (ring.next + 1) % kRetiredBlocks;
    }
    if (oldest.start != nullptr) {
        release(oldest.start, oldest.bytes);
    }
}

bool RetiredPages::is_retired(const void* address) noexcept {
    const auto* const at = static_cast<const std::byte*>(address);
    const LockGuard guard{ring.lock};
    for (const Retired& retired : ring.blocks) {
        const auto* const start = static_cast<const std::byte*>(retired.start);
        if (start != nullptr && start <= at && at < start + retired.bytes) {
            return true;
        }
    }
    return false;
}

}  // namespace heapwright::os
