#include <heapwright/alloc/heap/detail/context.hpp>

#include <heapwright/base/platform.hpp>

namespace heapwright::heap {

namespace {

constinit std::atomic<placement::StepSource> g_source{nullptr};

/// No frame of code that calls malloc is larger; a register that leads further away holds something else.
constexpr std::uintptr_t kLargestFrame = std::uintptr_t{64} << 10;

using StackWord [[gnu::may_alias]] = std::uintptr_t;

}  // namespace

namespace {

/// Where the frame ends that a call came from, by its step; 0: not there.
std::uintptr_t end_of_frame(const placement::FrameStep& step, std::uintptr_t stack_pointer, std::uintptr_t rbp) noexcept {
    const std::uintptr_t base = step.by_rbp ? rbp : stack_pointer;
    // A function that has rbp as its frame's base has it above what it pushed. What does not is a value of something else.
    const bool is_there = base % sizeof(std::uintptr_t) == 0 && base - stack_pointer < kLargestFrame;
    return is_there ? base + static_cast<std::uintptr_t>(std::intptr_t{step.cfa_offset}) : 0;
}

}  // namespace

// The frames are those of callers that live; sanitizers would have a word to say about looking into them.
__attribute__((no_sanitize("address"))) std::uintptr_t caller_by(const Context& context, const std::uintptr_t* frame,
                                                                 std::uintptr_t rbp) noexcept {
    const std::uintptr_t outer = end_of_frame(context.steps[0], reinterpret_cast<std::uintptr_t>(frame), rbp);
    return outer == 0 ? 0 : reinterpret_cast<const StackWord*>(outer)[-1];
}

__attribute__((no_sanitize("address"))) Arrival came_by(const Context& context, const std::uintptr_t* frame, std::uintptr_t rbp) noexcept {
    auto stack_pointer = reinterpret_cast<std::uintptr_t>(frame);
    for (std::uint32_t i = 0; i + 1 < context.count; ++i) {
        const placement::FrameStep& step = context.steps[i];  // known: the code that it leaves was met
        const std::uintptr_t outer = end_of_frame(step, stack_pointer, rbp);
        if (outer == 0) {
            return {};
        }
        const std::uintptr_t there = reinterpret_cast<const StackWord*>(outer)[-1];
        // Pairs with learn(). Where modules move meanwhile, a call may be missed.
        const std::uintptr_t wanted = context.codes[i + 1].load(std::memory_order_acquire);
        if (there != wanted || wanted == 0) {
            return {.unknown = wanted == 0 ? there : 0};
        }
        if (step.saves_rbp) {
            const std::uintptr_t base = step.by_rbp ? rbp : stack_pointer;
            rbp = *reinterpret_cast<const StackWord*>(base + static_cast<std::uintptr_t>(std::intptr_t{step.rbp_offset}));
        }
        stack_pointer = outer;
    }
    return {.is_by_these = true};
}

bool learn(Context& context, std::span<const std::uintptr_t> codes) noexcept {
    const placement::StepSource source = g_source.load(std::memory_order_relaxed);  // set before the plan begins
    context.count = static_cast<std::uint32_t>(codes.size());
    bool is_sound = source != nullptr;
    for (std::size_t i = 0; is_sound && i + 1 < codes.size() && codes[i] != 0; ++i) {
        if (i == context.learned) {
            placement::FrameStep& step = context.steps[i];
            is_sound = source(codes[i], step) && step.cfa_offset >= 8 && static_cast<std::uintptr_t>(step.cfa_offset) < kLargestFrame;
            context.learned += is_sound ? 1U : 0U;
        }
    }
    for (std::size_t i = 0; i < codes.size(); ++i) {
        // Behind the step that leaves it; pairs with came_by().
        context.codes[i].store(i <= context.learned ? codes[i] : 0, std::memory_order_release);
    }
    return is_sound;
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
