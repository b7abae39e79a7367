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
    StackRange range;
    bool is_main = false;
    const auto visit = [&](const os::Mapping& mapping) noexcept {
        if (stack_pointer < mapping.end && stack_pointer >= mapping.start && mapping.readable && mapping.writable) {
            range = {mapping.start, mapping.end};
            is_main = mapping.path == "[stack]";
        }
        return mapping.end <= stack_pointer;
    };
    if (!os::for_each_mapping(buffer, os::MapsDetail::addresses, visit) || range.high == 0) {
        return {};
    }
    if (is_main) {
        own_ = {range.low - kStackGuardGap, range.high};
        return own_;
    }
    const std::uintptr_t control_block = thread_control_block();
    if (own_.high == 0 && range.contains(control_block) && stack_pointer < control_block) {
        own_ = {range.low, control_block};
        return own_;
    }
    foreign_[next_foreign_++ % kForeign] = range;
    return range;
}

}  // namespace heapwright::trace::stack
