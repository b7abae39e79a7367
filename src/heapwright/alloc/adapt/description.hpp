// What a composition is made of and what it costs, as text and numbers that exist when the program is compiled.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>

#include <heapwright/alloc/adapt/foreign_sources.hpp>
#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/alloc/arena/plain_arena.hpp>
#include <heapwright/alloc/arena/scope.hpp>
#include <heapwright/alloc/arena/shared_arena.hpp>
#include <heapwright/alloc/pool/multi_pool.hpp>
#include <heapwright/alloc/pool/pool.hpp>
#include <heapwright/alloc/pool/shared_pool.hpp>
#include <heapwright/alloc/tlsf/tlsf.hpp>

namespace heapwright {

/// What a composition adds to a request and its free on the usual way, on top of the allocators it is made of.
struct CompositionCost {
    unsigned decisions = 0;     // branches that choose between allocators, or refuse
    unsigned owner_checks = 0;  // questions whose block it is, at each free
    unsigned counters = 0;      // words written
    unsigned locks = 0;
    unsigned indirect_calls = 0;
    std::size_t own_bytes = 0;  // of the composition itself

    friend constexpr CompositionCost operator+(CompositionCost a, CompositionCost b) noexcept {
        return {.decisions = a.decisions + b.decisions,
                .owner_checks = a.owner_checks + b.owner_checks,
                .counters = a.counters + b.counters,
                .locks = a.locks + b.locks,
                .indirect_calls = a.indirect_calls + b.indirect_calls,
                .own_bytes = a.own_bytes + b.own_bytes};
    }
    friend constexpr bool operator==(const CompositionCost&, const CompositionCost&) noexcept = default;
};

/// Text of a length that is known when the program is compiled; what does not fit is cut off.
class CompositionText {
public:
    static constexpr std::size_t kRoom = 480;

    constexpr CompositionText& append(std::string_view text) noexcept {
        for (const char letter : text) {
            if (length_ < kRoom) {
                letters_[length_++] = letter;
            }
        }
        return *this;
    }
    constexpr CompositionText& append(std::size_t number) noexcept {
        std::array<char, 20> digits{};
        std::size_t count = 0;
        do {
            digits[count++] = static_cast<char>('0' + number % 10);
            number /= 10;
        } while (number > 0);
        while (count > 0) {
            append(std::string_view{&digits[--count], 1});
        }
        return *this;
    }
    [[nodiscard]] constexpr std::string_view view() const noexcept { return {letters_.data(), length_}; }

private:
    std::array<char, kRoom> letters_{};
    std::size_t length_ = 0;
};

/// A composition says of itself `static constexpr CompositionCost cost()` and `static constexpr void describe(CompositionText&)`.
template <class A>
concept SelfDescribing = requires(CompositionText& text) {
    A::cost();
    A::describe(text);
};

/// The name of an allocator in descriptions. May be specialised for one's own.
template <class A>
inline constexpr std::string_view kAllocatorName = "source";
template <>
inline constexpr std::string_view kAllocatorName<Arena> = "Arena";
template <>
inline constexpr std::string_view kAllocatorName<PlainArena> = "PlainArena";
template <>
inline constexpr std::string_view kAllocatorName<SharedArena> = "SharedArena";
template <>
inline constexpr std::string_view kAllocatorName<Scope> = "Scope";
template <>
inline constexpr std::string_view kAllocatorName<Pool> = "Pool";
template <>
inline constexpr std::string_view kAllocatorName<SharedPool> = "SharedPool";
template <>
inline constexpr std::string_view kAllocatorName<MultiPool> = "MultiPool";
template <>
inline constexpr std::string_view kAllocatorName<Tlsf> = "Tlsf";
template <>
inline constexpr std::string_view kAllocatorName<SmallTlsf> = "SmallTlsf";
template <>
inline constexpr std::string_view kAllocatorName<SourceRef> = "any source";
template <>
inline constexpr std::string_view kAllocatorName<MallocSource> = "malloc";

template <class A>
[[nodiscard]] constexpr CompositionCost cost_of() noexcept {
    if constexpr (SelfDescribing<A>) {
        return A::cost();
    } else if constexpr (std::same_as<A, SourceRef>) {
        return {.indirect_calls = 1};
    } else {
        return {};
    }
}

template <class A>
constexpr void describe_to(CompositionText& text) noexcept {
    if constexpr (SelfDescribing<A>) {
        A::describe(text);
    } else {
        text.append(kAllocatorName<std::remove_const_t<A>>);
    }
}

/// For example "Segregate(<= 64 bytes: Pool, else: Fallback(Tlsf, any source)): 2 decisions, 1 owner check, 0 counters,
/// 0 locks, 1 indirect call, 32 bytes".
///
/// Example: `static constexpr auto kWhat = description_of<MyHeap>(); static_assert(cost_of<MyHeap>().locks == 0);`
template <class A>
[[nodiscard]] consteval CompositionText description_of() noexcept {
    const auto append_count = [](CompositionText& text, std::size_t count, std::string_view what) {
        text.append(count).append(" ").append(what).append(count == 1 ? ", " : "s, ");
    };
    constexpr CompositionCost kCost = cost_of<A>();
    CompositionText text;
    describe_to<A>(text);
    text.append(": ");
    append_count(text, kCost.decisions, "decision");
    append_count(text, kCost.owner_checks, "owner check");
    append_count(text, kCost.counters, "counter");
    append_count(text, kCost.locks, "lock");
    append_count(text, kCost.indirect_calls, "indirect call");
    return text.append(kCost.own_bytes).append(" bytes");
}

}  // namespace heapwright
