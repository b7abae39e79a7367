// Ptr: a member that refers to a collected object, and the barrier in its assignment.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/own/gc/detail/layout.hpp>
#include <heapwright/own/gc/type_info.hpp>

namespace heapwright::gc {

namespace detail {

/// A member of an old object, or one in memory that only the owner of the chunk can judge, was written to.
HEAPWRIGHT_COLD void remember_slow(const void* slot) noexcept;
/// Some heap is marking: `target` was reachable when it began, and must be marked though it is overwritten now.
HEAPWRIGHT_COLD void tell_overwritten(void* target) noexcept;
/// Stops the program when the two are collected by different heaps.
void check_same_heap(const void* slot, const void* target) noexcept;

/// What every change of a member does, so that users need not think of it. Two duties: while a heap is marking step by step,
/// it must hear of what is overwritten; and a member of an old object that refers to a young one must be looked at again by the
/// next minor collection.
HEAPWRIGHT_ALWAYS_INLINE void before_overwrite(void* old_target) noexcept {
    // Relaxed: marking begins and ends while the world is stopped.
    if (HEAPWRIGHT_UNLIKELY(__atomic_load_n(&marking_heaps, __ATOMIC_RELAXED) != 0)) {
        tell_overwritten(old_target);
    }
}
/// Whether what is referred to was made since the last collection. In the middle of a huge object nobody knows: then it counts
/// as young.
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool may_be_young(const void* target) noexcept {
    return load_byte(chunk_kinds + (number_of(target) >> kChunkShift)) != kChunk || load_byte(line_of(target)) == kLineYoung;
}
HEAPWRIGHT_ALWAYS_INLINE void after_write(const void* slot, const void* target) noexcept {
    const std::uint8_t kind = load_byte(chunk_kinds + (number_of(slot) >> kChunkShift));
    if (kind == kNoChunk) {
        return;  // on a stack, or in memory that is no heap's
    }
#ifndef NDEBUG
    check_same_heap(slot, target);
#endif
    if ((kind != kChunk || (load_byte(line_of(slot)) & kLineNotYoung) != 0) && may_be_young(target)) {
        remember_slow(slot);
    }
}
/// The whole of an assignment. A member of a young object needs neither duty: it was not there when marking began.
///
/// Cost: about 9 instructions, 14 more where the member's object is old; about 3 when nullptr is written.
template <class Slot>
HEAPWRIGHT_ALWAYS_INLINE void write_member(Slot* slot, Slot target_to_be) noexcept {
    const void* const target = const_cast<const void*>(static_cast<const volatile void*>(target_to_be));
    if (target == nullptr) {  // perhaps before the first heap, when there is no table
        before_overwrite(const_cast<void*>(static_cast<const volatile void*>(*slot)));
        *slot = target_to_be;
        return;
    }
    const std::uint8_t kind = load_byte(chunk_kinds + (number_of(slot) >> kChunkShift));
#ifndef NDEBUG
    if (kind != kNoChunk) {
        check_same_heap(slot, target);
    }
#endif
    std::uint8_t line = kLineOld;
    if (HEAPWRIGHT_LIKELY(kind == kChunk)) {
        line = load_byte(line_of(slot));
        if (HEAPWRIGHT_LIKELY(line == kLineYoung)) {
            *slot = target_to_be;
            return;
        }
    } else if (kind == kNoChunk) {
        *slot = target_to_be;  // on a stack, or in memory that is no heap's
        return;
    }
    before_overwrite(const_cast<void*>(static_cast<const volatile void*>(*slot)));
    *slot = target_to_be;
    if ((line & kLineNotYoung) != 0 && may_be_young(target)) {
        remember_slow(slot);
    }
}

}  // namespace detail

/// Refers to a collected object and keeps it alive, from inside another one, or from the stack where the heap scans stacks
/// (GcConfig::stack); elsewhere use Root or Local.
///
/// It is as small as a pointer, trivially destructible, and costs what a pointer costs to read. Assignment holds the write
/// barrier. Loops over it are faster through `get()`, which gives a plain pointer.
/// Thread safety: as a pointer.
template <class T>
class Ptr {
public:
    using element_type = T;

    constexpr Ptr() noexcept = default;
    constexpr Ptr(std::nullptr_t) noexcept {}
    constexpr Ptr(const Ptr& other) noexcept = default;
    /// Requires: `target` is nullptr or the start of a collected object (checked by gc::verify, and when it is traced).
    constexpr explicit Ptr(T* target) noexcept : target_(target) {}
    /// Of a derived class. The base must lie at its start, or say gc_mixin (checked; decided when compiled).
    template <class U>
        requires(!std::same_as<U, T> && std::is_convertible_v<U*, T*>)
    constexpr Ptr(const Ptr<U>& other) noexcept : target_(other.get()) {
        if constexpr (!Mixin<T> && !std::is_void_v<T>) {
            HEAPWRIGHT_CHECK(
                static_cast<const volatile void*>(target_) == static_cast<const volatile void*>(other.get()),
                "a gc::Ptr to a base that is not at the start of its object; say `static constexpr bool gc_mixin = true` in that base");
        }
    }
    ~Ptr() = default;

    HEAPWRIGHT_ALWAYS_INLINE Ptr& operator=(const Ptr& other) noexcept {
        write(other.target_);
        return *this;
    }
    HEAPWRIGHT_ALWAYS_INLINE Ptr& operator=(std::nullptr_t) noexcept {
        detail::before_overwrite(plain(target_));
        target_ = nullptr;
        return *this;
    }

    [[nodiscard]] constexpr T* get() const noexcept { return target_; }
    constexpr T* operator->() const noexcept { return target_; }
    constexpr std::add_lvalue_reference_t<T> operator*() const noexcept
        requires(!std::is_void_v<T>)
    {
        return *target_;
    }
    constexpr explicit operator bool() const noexcept { return target_ != nullptr; }

    friend constexpr bool operator==(const Ptr& a, const Ptr& b) noexcept { return a.target_ == b.target_; }
    friend constexpr bool operator==(const Ptr& a, std::nullptr_t) noexcept { return a.target_ == nullptr; }

private:
    friend class Tracer;

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static void* plain(T* target) noexcept {
        return const_cast<void*>(static_cast<const volatile void*>(target));
    }
    HEAPWRIGHT_ALWAYS_INLINE void write(T* target) noexcept { detail::write_member(&target_, target); }

    T* target_ = nullptr;
};
static_assert(sizeof(Ptr<int>) == sizeof(void*) && std::is_trivially_destructible_v<Ptr<int>>);

/// Static casts between pointers of one hierarchy.
template <class To, class From>
[[nodiscard]] Ptr<To> static_pointer_cast(const Ptr<From>& from) noexcept {
    return Ptr<To>(static_cast<To*>(from.get()));
}

}  // namespace heapwright::gc
