// Finds the limits of a stack: from the recorder, from the loader for the main thread, otherwise from the memory map.
#include <heapwright/trace/stack/stack_bounds.hpp>

#include <heapwright/os/maps.hpp>

namespace heapwright::trace::stack {

namespace {

/// The thread control block: glibc puts it at the high end of each stack that pthread_create uses.
std::uintptr_t thread_control_block() noexcept {
    std::uintptr_t address = 0;
    asm("mov %%fs:0, %0" : "=r"(address));
    return address;
}

}  // namespace

StackRange StackBounds::find(std::uintptr_t stack_pointer, std::span<char> buffer) noexcept {
    if (own_.contains(stack_pointer)) {
        return own_;
    }
    if (uses_left_ == 0) {
        forget_foreign();
        uses_left_ = kTrustedUses;
    }
    --uses_left_;
    for (const StackRange& range : foreign_) {
        if (range.contains(stack_pointer)) {
            return range;
        }
    }
    return look_up(stack_pointer, buffer);
}

StackRange StackBounds::look_up(std::uintptr_t stack_pointer, std::span<char> buffer) noexcept {
    /// The kernel keeps this much free below the main thread's stack, so that it can grow.
    constexpr std::uintptr_t kStackGuardGap = std::uintptr_t{256} * 4096;
    /// How far below the stack pointer a guessed stack reaches.
    constexpr std::uintptr_t kGuessBelow = std::uintptr_t{256} << 10;
    StackRange range;
    bool is_main = false;
    const auto visit = [&](const os::Mapping& mapping) noexcept {
        if (stack_pointer < mapping.end && stack_pointer >= mapping.start && mapping.readable && mapping.writable) {
            range = {mapping.start, mapping.end};
            is_main = mapping.path == "[stack]";
        }
        return mapping.end <= stack_pointer;
    };
    const std::uintptr_t control_block = thread_control_block();
    if (blind_looks_ >= kMostBlindLooks) {
        return {};
    }
    if (!os::for_each_mapping(buffer, os::MapsDetail::addresses, visit)) {
        // No /proc, as after chroot. The limits of a thread's stack can be guessed, and are trusted as a foreign one's.
        constexpr std::uintptr_t kLargestGuess = std::uintptr_t{64} << 20;
        ++blind_looks_;
        if (control_block <= stack_pointer || control_block - stack_pointer > kLargestGuess) {
            return {};
        }
        range = {stack_pointer & ~(kGuessBelow - 1), control_block};
    }
    if (range.high == 0) {
        return {};
    }
    if (is_main) {
        own_ = {range.low - kStackGuardGap, range.high};
        return own_;
    }
    if (blind_looks_ == 0 && own_.high == 0 && range.contains(control_block) && stack_pointer < control_block) {
        own_ = {range.low, control_block};
        return own_;
    }
    foreign_[next_foreign_++ % kForeign] = range;
    return range;
}

}  // namespace heapwright::trace::stack
