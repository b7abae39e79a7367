#include <heapwright/alloc/heap/detail/context.hpp>

#include <heapwright/base/platform.hpp>

namespace heapwright::heap {

namespace {

constinit std::atomic<placement::StepSource> g_source{nullptr};

/// No frame of code that calls malloc is larger; a register that leads further away holds something else.
constexpr std::uintptr_t kLargestFrame = std::uintptr_t{64} << 10;

using StackWord [[gnu::may_alias]] = std::uintptr_t;

}  // namespace

/// The frames are those of callers that live; sanitizers would have a word to say about looking into them.
__attribute__((no_sanitize("address"))) bool came_by(const Context& context, const std::uintptr_t* frame, std::uintptr_t rbp) noexcept {
    const std::uintptr_t bias = context.bias.load(std::memory_order_relaxed);  // a module that moves now may be missed once
    auto stack_pointer = reinterpret_cast<std::uintptr_t>(frame);
    for (std::uint32_t i = 0; i + 1 < context.returns.count; ++i) {
        const placement::FrameStep& step = context.steps[i];
        const std::uintptr_t base = step.by_rbp ? rbp : stack_pointer;
        // A function that has rbp as its frame's base has it above what it pushed. What does not is a value of something else.
        if (base % sizeof(std::uintptr_t) != 0 || base - stack_pointer >= kLargestFrame) {
            return false;
        }
        const std::uintptr_t outer = base + static_cast<std::uintptr_t>(std::intptr_t{step.cfa_offset});
        if (reinterpret_cast<const StackWord*>(outer)[-1] != bias + context.returns.values[i + 1]) {
            return false;
        }
        if (step.saves_rbp) {
            rbp = *reinterpret_cast<const StackWord*>(base + static_cast<std::uintptr_t>(std::intptr_t{step.rbp_offset}));
        }
        stack_pointer = outer;
    }
    return true;
}

bool learn(Context& context, std::uintptr_t bias) noexcept {
    context.bias.store(bias, std::memory_order_relaxed);                            // published with the route
    const placement::StepSource source = g_source.load(std::memory_order_relaxed);  // set before the plan begins
    if (context.is_known || source == nullptr) {
        return context.is_known;
    }
    for (std::uint32_t i = 0; i + 1 < context.returns.count; ++i) {
        placement::FrameStep& step = context.steps[i];
        const bool is_sound = source(bias + context.returns.values[i], step) && step.cfa_offset >= 8 &&
                              static_cast<std::uintptr_t>(step.cfa_offset) < kLargestFrame;
        if (!is_sound) {
            return false;
        }
    }
    context.is_known = true;
    return true;
}

}  // namespace heapwright::heap

namespace heapwright::placement {

void set_step_source(StepSource source) noexcept {
    heap::g_source.store(source, std::memory_order_relaxed);  // before the plan begins
}

}  // namespace heapwright::placement

// The caller's rbp, which nothing on malloc's way here changes, as the fourth argument of what follows.
asm(R"(
    .pushsection .text
    .hidden heapwright_allocate_in_context
    .globl  heapwright_allocate_in_context
    .type   heapwright_allocate_in_context, @function
heapwright_allocate_in_context:
    .cfi_startproc
    movq    %rbp, %rcx
    jmp     heapwright_allocate_by_frames
    .cfi_endproc
    .size   heapwright_allocate_in_context, . - heapwright_allocate_in_context
    .popsection
)");
