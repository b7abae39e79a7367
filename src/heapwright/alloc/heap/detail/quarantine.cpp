// Blocks that wait go on to the heap below, which keeps them as it keeps any free block.
#include <heapwright/alloc/heap/detail/quarantine.hpp>

#include <new>
#include <utility>

#include <pthread.h>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/fault.hpp>
#include <heapwright/alloc/heap/detail/guard.hpp>
#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>

namespace heapwright::heap {

constinit thread_local HeldBackOfThread t_held_back;

void Quarantine::let_go() noexcept {
    const Entry entry = ring_[first_];
    first_ = (first_ + 1) % kMostBlocks;
    --count_;
    bytes_ -= entry.bytes;
    const std::size_t changed = first_change(entry.block, entry.bytes);
    if (HEAPWRIGHT_UNLIKELY(changed != entry.bytes)) {
        stop_written_after_free(entry.block, entry.bytes - kGuardBytes, changed);
    }
    default_heap::release(entry.block);
}

void Quarantine::add(void* block, std::size_t bytes) noexcept {
    while (count_ == kMostBlocks || (count_ != 0 && bytes_ + bytes > kMostBytes)) {
        let_go();
    }
    ring_[(first_ + count_) % kMostBlocks] = {.block = block, .bytes = bytes};
    ++count_;
    bytes_ += bytes;
}

void Quarantine::drain() noexcept {
    while (count_ != 0) {
        let_go();
    }
}

const char* Quarantine::broken_invariant() const noexcept {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < count_; ++i) {
        sum += ring_[(first_ + i) % kMostBlocks].bytes;
    }
    return sum != bytes_ || (count_ > 1 && bytes_ > kMostBytes) ? "QU1: the bytes that wait are not those of the blocks" : nullptr;
}

std::size_t Shuffle::next() noexcept {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<std::size_t>(state_ >> 32);
}

void* Shuffle::take(std::size_t bytes) noexcept {
    const SizeClass size_class = class_of(bytes);
    std::uint8_t& count = counts_[size_class];
    auto& blocks = blocks_[size_class];
    void* fresh = default_heap::allocate(bytes);
    if (HEAPWRIGHT_UNLIKELY(count < kBlocks)) {
        if (fresh == nullptr) {
            return count == 0 ? nullptr : std::exchange(blocks[--count], nullptr);
        }
        // One more than is needed, until there are enough to choose from.
        if (void* const another = default_heap::allocate(bytes); another != nullptr) {
            blocks[count++] = another;
        }
        return count == 0 ? fresh : std::exchange(blocks[next() % count], fresh);
    }
    if (HEAPWRIGHT_UNLIKELY(fresh == nullptr)) {
        return blocks[--count];
    }
    return std::exchange(blocks[next() % kBlocks], fresh);
}

void Shuffle::drain() noexcept {
    for (std::size_t size_class = 0; size_class < kClasses; ++size_class) {
        while (counts_[size_class] != 0) {
            default_heap::release(blocks_[size_class][--counts_[size_class]]);
        }
    }
}

namespace {

constinit os::SpinLock g_lock;  // of those without a thread, and of the key
constinit HeldBack* g_spare = nullptr;
constinit bool g_has_key = false;
constinit pthread_key_t g_key = 0;

void on_exit(void* /*unused*/) {
    HeldBack* const held = std::exchange(t_held_back, {.held = nullptr, .has_left = true}).held;
    if (held == nullptr) {
        return;
    }
    held->quarantine.drain();
    held->shuffle.drain();
    const os::LockGuard guard(g_lock);
    held->next = g_spare;
    g_spare = held;
}

/// The key is older than that of the heap below, and glibc calls in their order: what is drained then goes the usual way.
bool has_key() noexcept {
    const os::LockGuard guard(g_lock);
    g_has_key = g_has_key || pthread_key_create(&g_key, on_exit) == 0;
    return g_has_key;
}

HeldBack* take_spare() noexcept {
    const os::LockGuard guard(g_lock);
    HeldBack* const spare = g_spare;
    if (spare != nullptr) {
        g_spare = spare->next;
    }
    return spare;
}

}  // namespace

HEAPWRIGHT_COLD HeldBack* make_held_back() noexcept {
    ensure_secret();
    refuse_mixing();
    if (t_held_back.has_left) {
        return nullptr;
    }
    HeldBack* held = take_spare();
    if (held == nullptr) {
        void* const room = allocate_metadata(sizeof(HeldBack));
        if (room == nullptr) {
            return nullptr;
        }
        held = new (room) HeldBack;
    }
    held->shuffle.seed(guard_word(held, 0) ^ thread_pointer());
    t_held_back.held = held;  // before what follows, which may allocate
    if (has_key()) {
        // Any value but nullptr: the destructor is called for it.
        pthread_setspecific(g_key, &g_key);
    }
    return held;
}

void lock_held_back() noexcept { g_lock.lock(); }
void unlock_held_back() noexcept { g_lock.unlock(); }
void reset_held_back_after_fork() noexcept { g_lock.reset_after_fork(); }

}  // namespace heapwright::heap
