// The interpreter of DWARF call frame instructions, reduced to the CFA, rbp and the return address.
#include <heapwright/trace/stack/detail/frame_program.hpp>

#include <array>

#include <heapwright/base/platform.hpp>

namespace heapwright::trace::stack::detail {

namespace {

constexpr std::uint64_t kRbp = 6;
constexpr std::uint64_t kRsp = 7;

/// Damaged tables may hold any numbers.
constexpr std::int64_t wrapping_sum(std::int64_t left, std::int64_t right) noexcept {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(left) + static_cast<std::uint64_t>(right));
}

class FrameProgram {
public:
    FrameProgram(const FrameDescription& description, std::uint64_t pc, FrameRow& row) noexcept
        : description_{description}, pc_{pc}, row_{row} {}

    bool run() noexcept {
        row_ = FrameRow{};
        if (!execute(description_.common)) {
            return false;
        }
        initial_ = row_;
        return execute(description_.function);
    }

private:
    /// Runs until the end or until the row for pc_ is complete. A function of the compiler has thousands of
    /// instructions, most of them of the first four kinds.
    bool execute(ByteReader code) noexcept {
        std::uint64_t location = description_.begin;
        const std::uint64_t step = description_.code_step;
        while (!code.at_end() && location <= pc_) {
            const auto instruction = code.take<std::uint8_t>();
            const std::uint64_t low = instruction & 0x3fU;
            switch (instruction >> 6) {
                case 1: location += low * step; continue;
                case 2: set(low, RegisterRule::Kind::at_cfa_offset, scaled(code.uleb())); continue;
                case 3: restore(low); continue;
                default: break;
            }
            switch (instruction) {
                case 0x00: continue;                                                                     // nop
                case 0x01: location = code.encoded(description_.pointer_encoding & 0x7fU, 0); continue;  // set_loc
                case 0x02: location += code.take<std::uint8_t>() * step; continue;
                case 0x03: location += code.take<std::uint16_t>() * step; continue;
                case 0x04: location += code.take<std::uint32_t>() * step; continue;
                case 0x0e: row_.cfa_offset = static_cast<std::int64_t>(code.uleb()); continue;
                default: break;
            }
            Understood result = execute_rare(instruction, code);
            code = result.rest;
            if (!result.understood || code.failed()) {
                return false;
            }
        }
        return !code.failed();
    }

    struct Understood {
        bool understood;
        ByteReader rest;
    };

    /// By value, so that the loop above may keep its cursor in registers.
    HEAPWRIGHT_NOINLINE Understood execute_rare(std::uint8_t instruction, ByteReader code) noexcept {
        switch (instruction) {
            case 0x0a: return {remember(), code};
            case 0x0b: return {recall(), code};
            case 0x0c: set_cfa(code.uleb(), [&] { return static_cast<std::int64_t>(code.uleb()); }); return {true, code};
            case 0x0d:
                row_.cfa_register = code.uleb();
                row_.cfa_is_expression = false;
                return {true, code};
            case 0x0f:
                row_.cfa_is_expression = true;
                row_.cfa_expression = code.range(code.uleb());
                return {true, code};
            case 0x12: set_cfa(code.uleb(), [&] { return scaled(static_cast<std::uint64_t>(code.sleb())); }); return {true, code};
            case 0x13: row_.cfa_offset = scaled(static_cast<std::uint64_t>(code.sleb())); return {true, code};
            case 0x2e: (void)code.uleb(); return {true, code};  // GNU_args_size
            default: {
                const bool understood = execute_register(instruction, code);
                return {understood, code};
            }
        }
    }

    bool execute_register(std::uint8_t instruction, ByteReader& code) noexcept {
        using Kind = RegisterRule::Kind;
        const std::uint64_t number = code.uleb();
        switch (instruction) {
            case 0x05: set(number, Kind::at_cfa_offset, scaled(code.uleb())); return true;
            case 0x06: restore(number); return true;
            case 0x07: set(number, Kind::undefined, 0); return true;
            case 0x08: set(number, Kind::unchanged, 0); return true;
            case 0x09:
                set(number, Kind::other, 0);
                (void)code.uleb();
                return true;  // in a register
            case 0x10: set(number, Kind::at_expression, 0, code.range(code.uleb())); return true;
            case 0x11: set(number, Kind::at_cfa_offset, scaled(static_cast<std::uint64_t>(code.sleb()))); return true;
            case 0x14:
                set(number, Kind::other, 0);
                (void)code.uleb();
                return true;  // val_offset
            case 0x15:
                set(number, Kind::other, 0);
                (void)code.sleb();
                return true;
            case 0x16:
                set(number, Kind::other, 0);
                code.skip(code.uleb());
                return true;                                                                    // val_expression
            case 0x2f: set(number, Kind::at_cfa_offset, scaled(0 - code.uleb())); return true;  // GNU_negative_offset
            default: return false;
        }
    }

    [[nodiscard]] std::int64_t scaled(std::uint64_t factor) const noexcept {
        return static_cast<std::int64_t>(factor * static_cast<std::uint64_t>(description_.data_step));  // may wrap in damaged tables
    }

    template <class ReadOffset>
    void set_cfa(std::uint64_t number, ReadOffset read_offset) noexcept {
        row_.cfa_register = number;
        row_.cfa_offset = read_offset();
        row_.cfa_is_expression = false;
    }

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE RegisterRule* rule_for(FrameRow& row, std::uint64_t number) const noexcept {
        if (number == kRbp) {
            return &row.frame_pointer;
        }
        return number == description_.return_register ? &row.return_address : nullptr;
    }

    HEAPWRIGHT_ALWAYS_INLINE void set(std::uint64_t number, RegisterRule::Kind kind, std::int64_t offset,
                                      ByteRange expression = {}) noexcept {
        if (RegisterRule* const rule = rule_for(row_, number); rule != nullptr) {
            *rule = {kind, offset, expression};
        }
    }

    HEAPWRIGHT_ALWAYS_INLINE void restore(std::uint64_t number) noexcept {
        if (RegisterRule* const rule = rule_for(row_, number); rule != nullptr) {
            *rule = *rule_for(initial_, number);
        }
    }

    bool remember() noexcept {
        if (remembered_ == kept_.size()) {
            return false;
        }
        kept_[remembered_++] = row_;
        return true;
    }

    bool recall() noexcept {
        if (remembered_ == 0) {
            return false;
        }
        row_ = kept_[--remembered_];
        return true;
    }

    const FrameDescription& description_;
    std::uint64_t pc_;
    FrameRow& row_;
    FrameRow initial_;
    std::array<FrameRow, 4> kept_;  // compilers nest one or two; the stack may be a small one
    std::size_t remembered_ = 0;
};

/// What an expression amounts to: register + offset, or the word that lies there.
struct Place {
    std::uint64_t base = 0;  // kRbp or kRsp
    std::int64_t offset = 0;
    bool is_read = false;
    bool understood = false;
};

/// A value on the expression's stack: a number, or a number relative to rbp or rsp.
struct Value {
    std::uint64_t base = 0;  // 0: a plain number
    std::int64_t number = 0;
};

class ExpressionStack {
public:
    void push(Value value) noexcept {
        if (size_ == values_.size()) {
            failed_ = true;
            return;
        }
        values_[size_++] = value;
    }
    Value pop() noexcept {
        if (size_ == 0) {
            failed_ = true;
            return {};
        }
        return values_[--size_];
    }
    /// Replaces two plain numbers by one.
    template <class Operation>
    void combine(Operation operation) noexcept {
        const Value right = pop();
        const Value left = pop();
        failed_ = failed_ || left.base != 0 || right.base != 0;
        push({0, operation(left.number, right.number)});
    }
    void add() noexcept {
        const Value right = pop();
        const Value left = pop();
        failed_ = failed_ || (left.base != 0 && right.base != 0);
        push({left.base | right.base, wrapping_sum(left.number, right.number)});
    }
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    std::array<Value, 8> values_{};
    std::size_t size_ = 0;
    bool failed_ = false;
};

/// Evaluates with rbp and rsp unknown and rip known: enough for realigned frames (*(rbp - 8)), for register saves
/// relative to a register, and for procedure linkage tables (rsp + 8 + ((rip & 15) >= 11) * 8).
Place evaluate(ByteRange expression, std::uint64_t pc) noexcept {
    ByteReader code{expression};
    ExpressionStack stack;
    while (!code.at_end()) {
        const auto operation = code.take<std::uint8_t>();
        if (operation >= 0x30 && operation <= 0x4f) {  // lit0 ... lit31
            stack.push({0, operation - 0x30});
            continue;
        }
        switch (operation) {
            case 0x06: {  // deref: understood only as the last step
                const Value value = stack.pop();
                const bool is_last = code.at_end() && stack.size() == 0 && !stack.failed();
                return {value.base, value.number, true, is_last && value.base != 0};
            }
            case 0x08: stack.push({0, code.take<std::uint8_t>()}); break;  // const1u
            case 0x09: stack.push({0, code.take<std::int8_t>()}); break;   // const1s
            case 0x1a: stack.combine([](auto left, auto right) { return left & right; }); break;
            case 0x22: stack.add(); break;
            case 0x23:
                stack.push({0, static_cast<std::int64_t>(code.uleb())});
                stack.add();
                break;  // plus_uconst
            case 0x24:
                stack.combine(
                    [](auto left, auto right) { return static_cast<std::int64_t>(static_cast<std::uint64_t>(left) << (right & 63)); });
                break;
            case 0x2a: stack.combine([](auto left, auto right) { return std::int64_t{left >= right}; }); break;
            case 0x76: stack.push({kRbp, code.sleb()}); break;                                            // breg6
            case 0x77: stack.push({kRsp, code.sleb()}); break;                                            // breg7
            case 0x80: stack.push({0, wrapping_sum(static_cast<std::int64_t>(pc), code.sleb())}); break;  // breg16: rip
            default: return {};
        }
        if (stack.failed() || code.failed()) {
            return {};
        }
    }
    const Value value = stack.pop();
    return {value.base, value.number, false, !stack.failed() && value.base != 0};
}

constexpr bool fits(std::int64_t offset, std::int64_t limit) noexcept { return -limit <= offset && offset <= limit; }

/// Adds where the caller's rbp lies. `base` is what the rule's offsets are relative to.
Rule with_frame_pointer(Rule rule, const FrameRow& row, std::uint64_t base, bool cfa_is_relative_to_base, std::uint64_t pc) noexcept {
    using Kind = RegisterRule::Kind;
    const Rule unsayable = Rule::of(RuleKind::frame_pointer);
    std::int64_t offset = 0;
    switch (row.frame_pointer.kind) {
        case Kind::unchanged:
        case Kind::undefined: return rule;
        case Kind::at_cfa_offset:
            if (!cfa_is_relative_to_base) {
                return unsayable;
            }
            offset = wrapping_sum(rule.cfa_offset(), row.frame_pointer.offset);
            break;
        case Kind::at_expression: {
            const Place place = evaluate(row.frame_pointer.expression, pc);
            if (!place.understood || place.is_read || place.base != base) {
                return unsayable;
            }
            offset = place.offset;
            break;
        }
        case Kind::other: return unsayable;
    }
    if (!fits(offset, Rule::kLargestRbpOffset)) {
        return unsayable;
    }
    if (base == kRsp && offset < 0) {
        return rule;  // below rsp: restored already, by code whose tables do not say so
    }
    if (base == kRsp && offset > rule.cfa_offset() - 16) {
        return unsayable;  // the walk relies on it to stay inside the frame
    }
    return rule.with_saved_rbp(static_cast<std::int32_t>(offset));
}

}  // namespace

bool run_frame_program(const FrameDescription& description, std::uint64_t pc, FrameRow& row) noexcept {
    return FrameProgram{description, pc, row}.run();
}

Rule rule_of(const FrameRow& row, std::uint64_t pc) noexcept {
    constexpr std::int64_t kLargestCfaOffset = std::int64_t{1} << 30;
    constexpr std::int64_t kReturnAddressOffset = -8;
    using Kind = RegisterRule::Kind;
    if (row.return_address.kind == Kind::undefined) {
        return Rule::of(RuleKind::end);
    }
    if (row.return_address.kind != Kind::at_cfa_offset || row.return_address.offset != kReturnAddressOffset) {
        return Rule::of(RuleKind::frame_pointer);
    }
    Place cfa{row.cfa_register, row.cfa_offset, false, row.cfa_register == kRsp || row.cfa_register == kRbp};
    if (row.cfa_is_expression) {
        cfa = evaluate(row.cfa_expression, pc);
    }
    if (!cfa.understood || !fits(cfa.offset, kLargestCfaOffset) || (cfa.is_read && cfa.base != kRbp)) {
        return Rule::of(RuleKind::frame_pointer);
    }
    const RuleKind kind = cfa.is_read ? RuleKind::from_memory : cfa.base == kRsp ? RuleKind::from_rsp : RuleKind::from_rbp;
    if (kind == RuleKind::from_rsp && cfa.offset < 8) {
        return Rule::of(RuleKind::frame_pointer);
    }
    const Rule rule = Rule::of(kind, static_cast<std::int32_t>(cfa.offset));
    return with_frame_pointer(rule, row, cfa.base, !cfa.is_read, pc);
}

}  // namespace heapwright::trace::stack::detail
