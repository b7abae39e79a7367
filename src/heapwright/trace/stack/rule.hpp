// How to get from a frame to its caller: one 64-bit word a return address.
#pragma once

#include <cstdint>

namespace heapwright::trace::stack {

/// What the rule word says.
enum class RuleKind : std::uint8_t {
    unknown = 0,        ///< not learnt yet
    from_rsp = 1,       ///< CFA = rsp + offset
    from_rbp = 2,       ///< CFA = rbp + offset
    from_memory = 3,    ///< CFA = *(rbp + offset): a function that realigned its stack
    signal = 4,         ///< the kernel's signal frame: registers are in the ucontext at rsp
    end = 5,            ///< the outermost frame of a stack
    frame_pointer = 6,  ///< no unwind table covers it: CFA = rbp + 16 if that is believable
    not_code = 7,       ///< not an address of code at all: the frame that gave it was wrong
};

/// CFA (canonical frame address) is rsp as the caller will see it after the return; the return address lies below it.
///
///    63          32 31             8  3   2..0
///   +--------------+----------------+---+------+
///   |  cfa_offset  |  rbp_offset    | s | kind |     s: the caller's rbp lies at base + rbp_offset, otherwise it is
///   +--------------+----------------+---+------+        unchanged; base is the register that the kind names
class Rule {
public:
    constexpr Rule() noexcept = default;
    constexpr explicit Rule(std::uint64_t word) noexcept : word_{word} {}

    static constexpr Rule of(RuleKind kind, std::int32_t cfa_offset = 0) noexcept {
        return Rule{static_cast<std::uint64_t>(static_cast<std::uint32_t>(cfa_offset)) << 32 | static_cast<std::uint64_t>(kind)};
    }

    static constexpr std::int64_t kLargestRbpOffset = (std::int64_t{1} << 23) - 1;

    /// The same with the caller's rbp at base + offset. Requires: |offset| <= kLargestRbpOffset.
    [[nodiscard]] constexpr Rule with_saved_rbp(std::int32_t offset) const noexcept {
        return Rule{(word_ & ~std::uint64_t{0xffffff00}) | (static_cast<std::uint32_t>(offset) << 8) | kSavedBit};
    }

    [[nodiscard]] constexpr std::uint64_t word() const noexcept { return word_; }
    [[nodiscard]] constexpr RuleKind kind() const noexcept { return static_cast<RuleKind>(word_ & 7U); }
    [[nodiscard]] constexpr std::int64_t cfa_offset() const noexcept { return static_cast<std::int64_t>(word_) >> 32; }
    [[nodiscard]] constexpr bool saves_rbp() const noexcept { return (word_ & kSavedBit) != 0; }
    [[nodiscard]] constexpr std::int64_t rbp_offset() const noexcept { return static_cast<std::int32_t>(word_) >> 8; }

    /// Whether an unwind table gave it.
    [[nodiscard]] constexpr bool is_table() const noexcept {
        const RuleKind what = kind();
        return what == RuleKind::from_rsp || what == RuleKind::from_rbp || what == RuleKind::from_memory;
    }

    /// Whether the way outward from here depends on the value of rbp in this frame.
    [[nodiscard]] constexpr bool reads_rbp() const noexcept {
        const RuleKind what = kind();
        return what == RuleKind::from_rbp || what == RuleKind::from_memory || what == RuleKind::frame_pointer;
    }

    friend constexpr bool operator==(Rule, Rule) noexcept = default;

private:
    static constexpr std::uint64_t kSavedBit = 8;
    std::uint64_t word_ = 0;
};

static_assert(Rule::of(RuleKind::from_rbp, 16).with_saved_rbp(0).rbp_offset() == 0);
static_assert(Rule::of(RuleKind::from_rsp, -8).with_saved_rbp(-24).rbp_offset() == -24);
static_assert(Rule::of(RuleKind::from_rsp, -8).with_saved_rbp(-24).cfa_offset() == -8);

}  // namespace heapwright::trace::stack
