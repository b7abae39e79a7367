// The ways to move that this process knows.
#include <heapwright/own/handle/detail/types.hpp>

#include <heapwright/os/spin_lock.hpp>
#include <heapwright/own/handle/detail/layout.hpp>

namespace heapwright::movable {

namespace {

constinit os::SpinLock lock;
constinit std::atomic<Mover> movers[Header::kTypes] = {};
constinit std::atomic<std::uint32_t> count{1};  // the first is kBytesType

}  // namespace

std::uint32_t number_of_mover(Mover mover) noexcept {
    const os::LockGuard guard(lock);
    const std::uint32_t known = count.load(std::memory_order_relaxed);  // grows under the lock
    for (std::uint32_t number = 1; number < known; ++number) {
        if (movers[number].load(std::memory_order_relaxed) == mover) {  // written under the lock
            return number;
        }
    }
    if (known == Header::kTypes) {
        return kNoType;
    }
    // Relaxed: who moves an object has its number from a header, which was written after this, and read with acquire.
    movers[known].store(mover, std::memory_order_relaxed);
    count.store(known + 1, std::memory_order_relaxed);  // as above
    return known;
}

Mover mover_of(std::uint64_t number) noexcept {
    return movers[number].load(std::memory_order_relaxed);  // as above
}

}  // namespace heapwright::movable
