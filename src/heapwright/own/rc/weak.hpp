// A handle that watches an object without keeping it: WeakRc, WeakArc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <heapwright/own/rc/counted.hpp>

namespace heapwright {

/// Becomes a strong handle while the object lives, and an empty one afterwards. Empty when default-made or moved from.
///
/// The object's block, not the object, stays until the last weak handle is gone.
/// Thread safety: as Counted; upgrading against the drop of the last strong handle is decided by one atomic word.
template <class T, class Policy>
class WeakCounted {
public:
    using element_type = T;
    using policy_type = Policy;

    constexpr WeakCounted() noexcept = default;
    constexpr WeakCounted(std::nullptr_t) noexcept {}
    /// Implicit, so that `parent = node` reads as what it means.
    WeakCounted(const Counted<T, Policy>& strong) noexcept : WeakCounted(watching, strong.get()) {}
    WeakCounted(const WeakCounted& other) noexcept : WeakCounted(watching, other.object_) {}
    WeakCounted(WeakCounted&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    /// Only from a strong handle can a handle to a base be made: of a dead object there is no base to find.
    template <class U>
        requires detail::HandleConverts<U, T, Policy>
    WeakCounted(const Counted<U, Policy>& strong) noexcept : WeakCounted(Counted<T, Policy>(strong)) {}
    HEAPWRIGHT_ALWAYS_INLINE ~WeakCounted() {
        if (object_ != nullptr) {
            detail::Lifetime<detail::ObjectEnds<T, Policy>>::drop_weak(object_);
        }
    }
    WeakCounted& operator=(const WeakCounted& other) noexcept {  // NOLINT(*-unhandled-self-assignment,cert-oop54-cpp): a copy is made first
        WeakCounted(other).swap(*this);
        return *this;
    }
    WeakCounted& operator=(WeakCounted&& other) noexcept {
        WeakCounted(std::move(other)).swap(*this);
        return *this;
    }

    void swap(WeakCounted& other) noexcept { std::swap(object_, other.object_); }
    friend void swap(WeakCounted& left, WeakCounted& right) noexcept { left.swap(right); }
    void reset() noexcept { WeakCounted().swap(*this); }

    /// Returns:  a strong handle; an empty one when the object is dead, or this watches none.
    /// Cost:     Rc five instructions; Arc a compare-and-swap.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Counted<T, Policy> upgrade() const noexcept {
        if (object_ == nullptr || !try_keep()) {
            return {};
        }
        return Counted<T, Policy>::from_raw(object_);
    }
    /// Whether upgrade() would be in vain now and ever after. False says nothing where other threads drop handles.
    [[nodiscard]] bool is_expired() const noexcept { return object_ == nullptr || counts().strong() == 0; }
    [[nodiscard]] std::uint32_t strong_count() const noexcept { return object_ == nullptr ? 0 : counts().strong(); }
    [[nodiscard]] std::uint32_t weak_count() const noexcept { return object_ == nullptr ? 0 : counts().weak(); }

    /// Whether both watch the same object, which may be dead: its address is not given again while they watch.
    [[nodiscard]] bool operator==(const WeakCounted& other) const noexcept { return object_ == other.object_; }
    [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }

private:
    enum Watching { watching };

    WeakCounted(Watching, T* object) noexcept : object_(object) {
        if (object_ != nullptr) {
            counts().add_weak();
        }
    }
    [[nodiscard]] typename Policy::Counts& counts() const noexcept { return detail::Shape<T, Policy>::counts(object_); }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool try_keep() const noexcept {
        if constexpr (Traced<T>) {
            return detail::upgrade_node(detail::Shape<T, Policy>::node(object_), counts());
        } else {
            return counts().try_add_strong();
        }
    }

    T* object_ = nullptr;
};

}  // namespace heapwright
