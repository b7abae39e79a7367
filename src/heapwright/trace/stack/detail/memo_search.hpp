// How StackCapture finds the piece of stack that it has walked before.
#pragma once

#include <cstdint>

#include <heapwright/trace/stack/detail/frames.hpp>

namespace heapwright::trace::stack::detail {

/// Memos stand in pairs in a hash table without chains. One whose registers are right but one of whose words is not
/// sends the search on to a place that depends on the word that was found: the memos of one call site and stack pointer
/// form a decision tree, and a search down this tree reads only what it would have to read anyway.
struct MemoKey {
    std::uint64_t hash;

    HEAPWRIGHT_ALWAYS_INLINE static MemoKey of(const Position& at) noexcept { return {(at.stack_pointer ^ (at.pc << 20)) * kMultiplier}; }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::uint64_t place(std::uint64_t mask) const noexcept { return (hash >> 32) & mask; }

    [[nodiscard]] MemoKey after(const Check& failed) const noexcept {
        return {(hash ^ read_word(failed.slot) ^ (failed.slot << 32)) * kMultiplier};
    }

private:
    static constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15U;  // 2^64 / golden ratio
};

/// Pairs are aligned to their size.
template <class SomeMemo>
HEAPWRIGHT_ALWAYS_INLINE SomeMemo* other_of_pair(SomeMemo* memo) noexcept {
    return reinterpret_cast<SomeMemo*>(reinterpret_cast<std::uintptr_t>(memo) ^ sizeof(Memo));
}

HEAPWRIGHT_ALWAYS_INLINE bool has_registers(const Memo& memo, const Position& at) noexcept {
    return memo.pc == at.pc && memo.stack_pointer == at.stack_pointer &&
           ((memo.frame_pointer ^ at.frame_pointer) & memo.frame_pointer_mask) == 0;
}

/// Whether the frame that the memo leans on is still in the last stack.
HEAPWRIGHT_ALWAYS_INLINE bool has_base(const Memo& memo, const Frame* top) noexcept {
    const Frame* const base = memo.base;
    return base <= top && base->stack_pointer == memo.base_stack_pointer && base->node == memo.base_node &&
           ((base->frame_pointer ^ memo.base_frame_pointer) & base->frame_pointer_mask) == 0;
}

/// Whether the base's way outward is as it was, as far as `depth` frames are shown.
HEAPWRIGHT_ALWAYS_INLINE bool is_base_unbroken(const CaptureSpace& space, const Memo& memo, unsigned depth) noexcept {
    const Frame* const base = memo.base;
    if (HEAPWRIGHT_LIKELY(memo.all_frames <= depth)) {
        return last_broken(base->check_end) == space.checks.data();
    }
    const std::ptrdiff_t inside = std::ptrdiff_t{memo.all_frames} - (base - space.frames.data());
    const std::ptrdiff_t left = std::ptrdiff_t{depth} > inside ? std::ptrdiff_t{depth} - inside : 0;
    return last_broken(lowest_check(space, base, left), base->check_end) == nullptr;
}

}  // namespace heapwright::trace::stack::detail
