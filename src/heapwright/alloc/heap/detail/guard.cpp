// The secret, from the kernel.
#include <heapwright/alloc/heap/detail/guard.hpp>

#include <atomic>

#include <sys/auxv.h>
#include <sys/syscall.h>

#include <heapwright/os/clock.hpp>
#include <heapwright/os/spin_lock.hpp>
#include <heapwright/os/syscall.hpp>

namespace heapwright::heap {

constinit Secret g_secret;

namespace {

constexpr unsigned kDoNotWait = 1;  // GRND_NONBLOCK: at the boot of a machine there may be no chance yet
constinit os::SpinLock g_lock;
constinit std::atomic<bool> g_is_made{false};

struct Chance {
    std::uint64_t words[3];
};

Chance draw() noexcept {
    Chance drawn{};
    const long got = os::raw_syscall(SYS_getrandom, drawn.words, sizeof(drawn.words), kDoNotWait);
    if (got == static_cast<long>(sizeof(drawn.words))) {
        return drawn;
    }
    // Sixteen bytes that the kernel gave the process at its start, and when and where this is.
    if (const auto* const given = reinterpret_cast<const char*>(::getauxval(AT_RANDOM)); given != nullptr) {
        std::memcpy(drawn.words, given, 16);
    }
    constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15U;
    drawn.words[0] = (drawn.words[0] ^ os::ticks()) * kOdd;
    drawn.words[1] ^= reinterpret_cast<std::uintptr_t>(&drawn) * kOdd;
    drawn.words[2] ^= drawn.words[0] >> 7 ^ drawn.words[1] << 9;
    return drawn;
}

}  // namespace

void ensure_secret() noexcept {
    if (g_is_made.load(std::memory_order_acquire)) {  // pairs with the release below
        return;
    }
    const os::LockGuard guard(g_lock);
    if (g_is_made.load(std::memory_order_relaxed)) {  // under the lock
        return;
    }
    const Chance drawn = draw();
    g_secret.key = drawn.words[0];
    g_secret.multiplier = drawn.words[1] | 1;
    std::memset(g_secret.padding, static_cast<int>(1 + drawn.words[2] % 255), sizeof(g_secret.padding));
    g_secret.freed = static_cast<unsigned char>(0x81 + (drawn.words[2] >> 32) % 126);
    g_is_made.store(true, std::memory_order_release);  // pairs with the acquire above
}

std::size_t first_change(const void* block, std::size_t capacity) noexcept {
    const auto* const bytes = static_cast<const unsigned char*>(block);
    const std::uint64_t expected = g_secret.freed * 0x0101'0101'0101'0101U;
    std::uint64_t first = 0;
    std::memcpy(&first, bytes, sizeof(first));
    // Each byte is as the one eight before it: libc compares wider than what is compiled here.
    if (HEAPWRIGHT_LIKELY(first == expected && std::memcmp(bytes, bytes + sizeof(first), capacity - sizeof(first)) == 0)) {
        return capacity;
    }
    std::size_t at = 0;
    while (at < capacity && bytes[at] == g_secret.freed) {
        ++at;
    }
    return at;
}

}  // namespace heapwright::heap
