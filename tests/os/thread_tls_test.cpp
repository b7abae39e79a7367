// The copy of static TLS: where each variable of this program lies, its copy holds the initial value.
#include <heapwright/os/detail/thread_tls.hpp>

#include <cstdint>
#include <cstring>

#include <doctest/doctest.h>

#include <heapwright/os/pages.hpp>

namespace heapwright::os::detail {
namespace {

thread_local std::uint64_t first_value = 0x1122334455667788U;
alignas(256) thread_local std::uint64_t aligned_value = 99;

std::byte* thread_pointer() {
    std::byte* self = nullptr;
    asm("movq %%fs:0, %0" : "=r"(self));
    return self;
}

}  // namespace

TEST_CASE("the copy holds initial values where the code will look for them") {
    first_value = 1;
    aligned_value = 2;
    const StaticTlsPlan& plan = static_tls_plan();
    CHECK(plan.broken_invariant() == nullptr);
    auto* room = static_cast<std::byte*>(map_pages(plan.mapping_bytes(), nullptr));
    REQUIRE(room != nullptr);
    auto* copy = static_cast<std::byte*>(plan.lay_out(room));
    CHECK(copy > room);
    CHECK(copy < room + plan.mapping_bytes());
    CHECK(reinterpret_cast<std::uintptr_t>(copy) % 256 == 0);

    const auto value_at = [copy](const void* original) {
        std::uint64_t value = 0;
        std::memcpy(&value, copy - (thread_pointer() - static_cast<const std::byte*>(original)), sizeof value);
        return value;
    };
    CHECK(value_at(&first_value) == 0x1122334455667788U);
    CHECK(value_at(&aligned_value) == 99);
    release(room, plan.mapping_bytes());
}

TEST_CASE("the copy has the canary and the pointer guard of the thread that made it, and points to itself") {
    const StaticTlsPlan& plan = static_tls_plan();
    auto* room = static_cast<std::byte*>(map_pages(plan.mapping_bytes(), nullptr));
    REQUIRE(room != nullptr);
    auto* copy = static_cast<std::byte*>(plan.lay_out(room));
    const std::byte* own = thread_pointer();
    CHECK(std::memcmp(copy + 0x28, own + 0x28, 16) == 0);
    const auto word_at = [copy](std::size_t offset) {
        std::uintptr_t word = 0;
        std::memcpy(&word, copy + offset, sizeof word);
        return word;
    };
    CHECK(word_at(0x00) == reinterpret_cast<std::uintptr_t>(copy));
    CHECK(word_at(0x10) == reinterpret_cast<std::uintptr_t>(copy));
    release(room, plan.mapping_bytes());
}

}  // namespace heapwright::os::detail
