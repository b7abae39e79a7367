// What a thread holds back of the hardened heap: freed blocks that wait, and a few free ones to choose from by chance.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/size_class.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/base/thread_safety.hpp>

namespace heapwright::heap {

/// Freed blocks in the order of their frees. While they wait they are filled, and nobody may have them; when they leave,
/// they must still be as they were filled.
///
///   QU1  the bytes are the sum of the blocks that wait, at most kMostBytes or one block
///
/// Thread safety: one thread.
class Quarantine {
public:
    static constexpr std::size_t kMostBlocks = 512;
    static constexpr std::size_t kMostBytes = std::size_t{256} << 10;

    constexpr Quarantine() noexcept = default;
    Quarantine(const Quarantine&) = delete;
    Quarantine& operator=(const Quarantine&) = delete;

    /// Requires: the block is filled and nobody's.
    void add(void* block, std::size_t bytes) noexcept;
    /// Lets all go. Stops the program over one that was written to.
    void drain() noexcept;

    [[nodiscard]] std::size_t blocks() const noexcept { return count_; }
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    struct Entry {
        void* block = nullptr;
        std::size_t bytes = 0;
    };
    void let_go() noexcept;

    std::array<Entry, kMostBlocks> ring_{};
    std::size_t first_ = 0;
    std::size_t count_ = 0;
    std::size_t bytes_ = 0;
};

/// A few free blocks of each small class: which one is handed out is a matter of chance, so that who knows the order of
/// calls does not know the order of addresses.
///
/// Thread safety: one thread.
class Shuffle {
public:
    static constexpr std::size_t kMostBytes = 1024;
    static constexpr std::size_t kBlocks = 8;

    constexpr Shuffle() noexcept = default;
    Shuffle(const Shuffle&) = delete;
    Shuffle& operator=(const Shuffle&) = delete;

    void seed(std::uint64_t number) noexcept { state_ = number | 1; }
    /// Requires: bytes <= kMostBytes. Returns: nullptr when memory is exhausted.
    [[nodiscard]] void* take(std::size_t bytes) noexcept;
    void drain() noexcept;

private:
    static constexpr std::size_t kClasses = std::size_t{class_of(kMostBytes)} + 1;

    [[nodiscard]] std::size_t next() noexcept;

    std::uint64_t state_ = 1;
    std::array<std::uint8_t, kClasses> counts_{};
    std::array<std::array<void*, kBlocks>, kClasses> blocks_{};
};

/// Of one thread. Never unmapped: a thread that comes takes over what one that went left behind, empty.
struct HeldBack {
    Quarantine quarantine;
    Shuffle shuffle;
    HeldBack* next = nullptr;
};

struct HeldBackOfThread {
    HeldBack* held = nullptr;
    bool has_left = false;  ///< its exit handler ran; what it still frees does not wait
};
extern constinit thread_local HeldBackOfThread t_held_back __attribute__((tls_model("initial-exec")));

[[nodiscard]] HeldBack* make_held_back() noexcept;
/// nullptr after the thread's exit handler, or when memory is exhausted. The first call makes the secret, too.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE HeldBack* held_back() noexcept {
    HeldBack* const held = t_held_back.held;
    return HEAPWRIGHT_LIKELY(held != nullptr) ? held : make_held_back();
}

/// Around fork.
void lock_held_back() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
void unlock_held_back() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
void reset_held_back_after_fork() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;

}  // namespace heapwright::heap
