// Where the running stack begins and ends, so that a walk never reads beyond it.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace heapwright::trace::stack {

/// Addresses of a stack, [low, high).
struct StackRange {
    std::uintptr_t low = 0;
    std::uintptr_t high = 0;
    [[nodiscard]] constexpr bool contains(std::uintptr_t address) const noexcept { return address - low < high - low; }
    friend constexpr bool operator==(StackRange, StackRange) noexcept = default;
};

/// The thread's own stack and the foreign ones (coroutines, signal stacks) on which it was met.
///
/// What lies between the running stack pointer and the high end of the thread's own stack is mapped as long as the
/// thread runs. Of a foreign stack that is only known for the moment in which the memory map was read; there, only
/// frames that unwind tables describe are followed.
///
/// Thread safety: one thread.
class StackBounds {
public:
    constexpr StackBounds() noexcept = default;

    void set_own(StackRange range) noexcept { own_ = range; }

    /// The stack in which `stack_pointer` lies.
    ///
    /// Requires: `buffer` as for os::for_each_mapping.
    /// Returns:  an empty range when it is not in writable memory.
    /// Cost:     a few instructions on a known stack, else one reading of /proc/self/maps.
    [[nodiscard]] StackRange find(std::uintptr_t stack_pointer, std::span<char> buffer) noexcept;

    /// Whether `range` is the thread's own stack.
    [[nodiscard]] bool is_own(StackRange range) const noexcept { return range == own_; }

    /// Forgets the foreign stacks, and in a forked child nothing else is needed.
    void forget_foreign() noexcept { foreign_ = {}; }

private:
    [[nodiscard]] StackRange look_up(std::uintptr_t stack_pointer, std::span<char> buffer) noexcept;

    static constexpr std::size_t kForeign = 4;
    /// A remembered foreign stack is looked up again after this many uses.
    static constexpr std::uint32_t kTrustedUses = 1024;

    /// When the memory map cannot be read, it is tried this often.
    static constexpr std::uint32_t kMostBlindLooks = 16;

    StackRange own_;
    std::array<StackRange, kForeign> foreign_{};
    std::uint32_t next_foreign_ = 0;
    std::uint32_t uses_left_ = 0;
    std::uint32_t blind_looks_ = 0;
};

}  // namespace heapwright::trace::stack
