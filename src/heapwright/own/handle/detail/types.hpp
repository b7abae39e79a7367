// How objects are moved, as small numbers: an object's header has room for no more.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/own/handle/detail/layout.hpp>
#include <heapwright/own/handle/relocate.hpp>

namespace heapwright::movable {

/// Moves what is at `from` to `to`, which do not overlap, and leaves nothing at `from`.
using Mover = void (*)(void* to, void* from) noexcept;

inline constexpr std::uint32_t kBytesType = 0;  // as bytes
inline constexpr std::uint32_t kNoType = UINT32_MAX;

/// The number of a way to move. Returns: kNoType when there are too many: 255 in a process.
/// Thread safety: any thread. Cost: O(ways that are known).
[[nodiscard]] std::uint32_t number_of_mover(Mover mover) noexcept;
/// Requires: a number that number_of_mover() gave, or kBytesType, whose mover is nullptr.
[[nodiscard]] Mover mover_of(std::uint64_t number) noexcept;

/// The number of Move, found once.
template <Mover Move>
[[nodiscard]] std::uint32_t type_of_mover() noexcept {
    static constinit std::atomic<std::uint32_t> number{kBytesType};
    std::uint32_t known = number.load(std::memory_order_relaxed);  // a number; the table has a lock of its own
    if (known == kBytesType) {
        known = number_of_mover(Move);
        number.store(known, std::memory_order_relaxed);  // as above
    }
    return known;
}

template <class T>
void relocate_one(void* to, void* from) noexcept {
    relocate(static_cast<T*>(to), static_cast<T*>(from));
}

/// How a T is moved. T is one that a heap takes, which is said here because owners may be declared of types that are not
/// complete yet.
template <class T>
[[nodiscard]] std::uint32_t type_of() noexcept {
    static_assert(is_movable_v<T>, "a movable object needs a move constructor and a destructor that do not throw");
    static_assert(alignof(T) <= kLargestAlignment, "a movable object is aligned to 64 bytes at most");
    if constexpr (is_trivially_relocatable_v<T>) {
        return kBytesType;
    } else {
        return type_of_mover<&relocate_one<T>>();
    }
}

}  // namespace heapwright::movable
