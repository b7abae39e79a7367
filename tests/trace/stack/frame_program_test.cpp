// Call frame instructions written by hand, and random ones: the rules they amount to.
#include <heapwright/trace/stack/detail/frame_program.hpp>

#include <initializer_list>
#include <vector>

#include <doctest/doctest.h>

#include <heapwright/trace/stack/rule.hpp>

#include <tests/support/random.hpp>

using namespace heapwright::trace::stack;
using heapwright::test::Random;

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint64_t kBegin = 0x1000;

/// What every x86-64 compiler starts with: CFA = rsp + 8, the return address at CFA - 8.
const Bytes kUsualCommon{0x0c, 7, 8, 0x90, 1};

detail::FrameDescription describe(const Bytes& common, const Bytes& function) {
    detail::FrameDescription description;
    description.common = {common.data(), common.data() + common.size()};
    description.function = {function.data(), function.data() + function.size()};
    description.begin = kBegin;
    description.end = kBegin + 0x1000;
    description.data_step = -8;
    return description;
}

Rule rule_at(const Bytes& function, std::uint64_t offset, const Bytes& common = kUsualCommon) {
    detail::FrameRow row;
    REQUIRE(detail::run_frame_program(describe(common, function), kBegin + offset, row));
    return detail::rule_of(row, kBegin + offset);
}

}  // namespace

TEST_CASE("a function with a frame pointer changes its rule as its prologue runs") {
    // push rbp (1 byte); mov rbp, rsp (3 bytes); ... at 0x40: leave
    const Bytes function{0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x02, 0x3c, 0x0c, 7, 8, 0xc6};
    CHECK(rule_at(function, 0) == Rule::of(RuleKind::from_rsp, 8));
    CHECK(rule_at(function, 1) == Rule::of(RuleKind::from_rsp, 16).with_saved_rbp(0));
    CHECK(rule_at(function, 4) == Rule::of(RuleKind::from_rbp, 16).with_saved_rbp(0));
    CHECK(rule_at(function, 0x3f) == Rule::of(RuleKind::from_rbp, 16).with_saved_rbp(0));
    CHECK(rule_at(function, 0x40) == Rule::of(RuleKind::from_rsp, 8));
}

TEST_CASE("a function without a frame pointer may keep rbp as any other register") {
    // push rbp; push rbx; sub rsp, 0x98
    const Bytes function{0x41, 0x0e, 16, 0x86, 2, 0x41, 0x0e, 24, 0x83, 3, 0x47, 0x0e, 0xb0, 1};
    CHECK(rule_at(function, 20) == Rule::of(RuleKind::from_rsp, 0xb0).with_saved_rbp(0xa0));
}

TEST_CASE("remembered rows come back") {
    const Bytes function{0x44, 0x0e, 32, 0x0a, 0x44, 0x0e, 8, 0x44, 0x0b};
    CHECK(rule_at(function, 4) == Rule::of(RuleKind::from_rsp, 32));
    CHECK(rule_at(function, 8) == Rule::of(RuleKind::from_rsp, 8));
    CHECK(rule_at(function, 12) == Rule::of(RuleKind::from_rsp, 32));
}

TEST_CASE("a realigned frame finds its caller in memory") {
    // CFA = *(rbp - 8), rbp at *(rbp + 0), as g++ writes it
    const Bytes function{0x0f, 3, 0x76, 0x78, 0x06, 0x10, 6, 2, 0x76, 0};
    CHECK(rule_at(function, 0) == Rule::of(RuleKind::from_memory, -8).with_saved_rbp(0));
}

TEST_CASE("a procedure linkage table's rule depends on the address") {
    // rsp + 8 + ((rip & 15) >= 11) * 8
    const Bytes function{0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22};
    CHECK(rule_at(function, 0x10) == Rule::of(RuleKind::from_rsp, 8));
    CHECK(rule_at(function, 0x1b) == Rule::of(RuleKind::from_rsp, 16));
}

TEST_CASE("an undefined return address ends the stack") { CHECK(rule_at({0x07, 16}, 0) == Rule::of(RuleKind::end)); }

TEST_CASE("what a rule cannot say is left to the frame pointer") {
    const Rule by_frame_pointer = Rule::of(RuleKind::frame_pointer);
    CHECK(rule_at({0x0c, 3, 16}, 0) == by_frame_pointer);             // CFA from rbx
    CHECK(rule_at({0x90, 2}, 0) == by_frame_pointer);                 // return address elsewhere
    CHECK(rule_at({0x0f, 2, 0x70, 0}, 0) == by_frame_pointer);        // expression over rax
    CHECK(rule_at({0x09, 6, 3}, 0) == by_frame_pointer);              // rbp in another register
    CHECK(rule_at({0x0e, 16, 0x86, 1}, 0) == by_frame_pointer);       // rbp where the return address is
    CHECK(rule_at({0x0f, 3, 0x77, 0, 0x06}, 0) == by_frame_pointer);  // CFA = *rsp
}

TEST_CASE("an rbp that was restored already is unchanged") {
    CHECK(rule_at({0x0e, 8, 0x86, 2}, 0) == Rule::of(RuleKind::from_rsp, 8));  // saved below rsp
}

TEST_CASE("random instructions never read beyond their end") {
    Random random;
    for (int round = 0; round < 20'000; ++round) {
        Bytes common(random.below(20));
        Bytes function(random.below(60));
        for (Bytes* bytes : {&common, &function}) {
            for (std::uint8_t& byte : *bytes) {
                byte = static_cast<std::uint8_t>(random.one_in(3) ? random.below(0x18) : random.next());
            }
        }
        detail::FrameRow row;
        if (detail::run_frame_program(describe(common, function), kBegin + random.below(64), row)) {
            (void)detail::rule_of(row, kBegin);
        }
    }
}
