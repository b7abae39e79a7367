// A handle of one pointer to an object that lives as long as any handle: Rc, Arc and BiasedArc are its policies.
//
//   Rc<T> ──┐
//   Rc<T> ──┼──► counts │ object          8 bytes before the object, 8 bytes in each handle
//   WeakRc ─┘
//
// The handle points to the object and not to a block of counts, so that following it is one load.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>  // declares std::hash without the weight of <functional>
#include <type_traits>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/own/rc/detail/lifetime.hpp>
#include <heapwright/own/rc/detail/node.hpp>
#include <heapwright/own/rc/policy.hpp>

namespace heapwright {

namespace detail {

struct Handles;

/// Whether a handle to From may become one to To.
template <class From, class To, class Policy>
concept HandleConverts = std::is_convertible_v<From*, To*> && !std::is_same_v<From, To>;

/// Stops the compiler, with a sentence, where the conversion of the pointer would not be one of the handle.
template <class From, class To, class Policy>
consteval void require_conversion() {
    if constexpr (!std::is_same_v<std::remove_cv_t<From>, std::remove_cv_t<To>>) {
        static_assert(std::has_virtual_destructor_v<To>, "a handle to a base destroys through it, so its destructor is virtual");
        static_assert(Policy::Blocks::kFindsLayout, "these blocks need the layout of the object, which a handle to its base does not know");
        static_assert(Shape<From, Policy>::alignment() == Shape<To, Policy>::alignment() &&
                          Shape<From, Policy>::offset() == Shape<To, Policy>::offset(),
                      "the block of the derived object begins elsewhere: give the base the same alignment");
        static_assert(Traced<From> == Traced<To>, "a traced object is traced through its base as well: give the base a trace function");
    }
}

/// The same object under another type. Checked: handles point to where the counts are found.
template <class To, class From>
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE To* same_place(From* object) noexcept {
    To* const converted = static_cast<To*>(object);
    HEAPWRIGHT_CHECK(static_cast<const volatile void*>(converted) == static_cast<const volatile void*>(object),
                     "a base that does not begin where the object begins has no counts before it; take a view: RcView{handle, &base}");
    return converted;
}

}  // namespace detail

/// Keeps an object alive. Empty when default-made or moved from.
///
/// Conversion to a handle of a base needs a virtual destructor and a base that begins where the object does; other parts
/// of an object are kept alive by CountedView. T may be incomplete wherever no handle is dropped.
/// Destructors run in a loop, not by recursion: what a destructor drops last is destroyed after that destructor.
/// Thread safety: Rc's handles to one object are one thread's at a time; Arc's are any thread's; one handle is one thread's
///                at a time, as any variable.
template <class T, class Policy>
class Counted {
public:
    using element_type = T;
    using policy_type = Policy;
    using weak_type = WeakCounted<T, Policy>;

    constexpr Counted() noexcept = default;
    constexpr Counted(std::nullptr_t) noexcept {}

    /// Cost: Rc three instructions, Arc one of them locked. Stops the program at 2^31 handles.
    HEAPWRIGHT_ALWAYS_INLINE Counted(const Counted& other) noexcept : object_(other.object_) {
        if (object_ != nullptr) {
            counts().add_strong();
        }
    }
    HEAPWRIGHT_ALWAYS_INLINE Counted(Counted&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}

    template <class U>
        requires detail::HandleConverts<U, T, Policy>
    Counted(const Counted<U, Policy>& other) noexcept : Counted(Counted<U, Policy>(other)) {}
    template <class U>
        requires detail::HandleConverts<U, T, Policy>
    Counted(Counted<U, Policy>&& other) noexcept {
        detail::require_conversion<U, T, Policy>();
        if (other) {
            object_ = detail::same_place<T>(other.get());
            static_cast<void>(std::move(other).into_raw());
        }
    }

    /// Counts of one kind do not become counts of another: other handles to the object would still count in the old way.
    template <class U, class Other>
        requires(!std::is_same_v<Other, Policy>)
    Counted(const Counted<U, Other>& other) = delete;

    HEAPWRIGHT_ALWAYS_INLINE ~Counted() {
        if (object_ != nullptr) {
            drop();
        }
    }

    // NOLINTNEXTLINE(*-unhandled-self-assignment,cert-oop54-cpp): a copy is made first
    HEAPWRIGHT_ALWAYS_INLINE Counted& operator=(const Counted& other) noexcept {
        Counted(other).swap(*this);
        return *this;
    }
    HEAPWRIGHT_ALWAYS_INLINE Counted& operator=(Counted&& other) noexcept {
        Counted(std::move(other)).swap(*this);
        return *this;
    }

    void swap(Counted& other) noexcept { std::swap(object_, other.object_); }
    friend void swap(Counted& left, Counted& right) noexcept { left.swap(right); }
    void reset() noexcept { Counted().swap(*this); }

    // ---- the object

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE T* get() const noexcept { return object_; }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE T& operator*() const noexcept {
        assert_usable();
        return *object_;
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE T* operator->() const noexcept {
        assert_usable();
        return object_;
    }
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE explicit operator bool() const noexcept { return object_ != nullptr; }

    // ---- who else is there

    /// 0 for an empty handle. With threads: of a moment.
    [[nodiscard]] std::uint32_t strong_count() const noexcept { return object_ == nullptr ? 0 : counts().strong(); }
    [[nodiscard]] std::uint32_t weak_count() const noexcept { return object_ == nullptr ? 0 : counts().weak(); }
    /// Whether this is the only handle, weak ones included. What others did to the object before they dropped theirs is seen.
    [[nodiscard]] bool is_unique() const noexcept { return object_ != nullptr && counts().is_unique(); }

    /// A handle that does not keep the object.
    [[nodiscard]] weak_type downgrade() const noexcept { return weak_type(*this); }

    // ---- changing what is shared

    /// Returns:  the object, if nobody else can see it: no other handle, not even a weak one. Else nullptr.
    [[nodiscard]] T* get_mut() noexcept { return is_unique() ? object_ : nullptr; }

    /// Returns:  the object, unshared: when there are other handles, this one moves to a copy of its own first. Weak handles
    ///           are left behind with the old object, which dies if they were the only others.
    /// Requires: not empty; memory for the copy (checked).
    [[nodiscard]] T& make_mut()
        requires std::is_copy_constructible_v<T>;

    /// Takes the object out and ends the handle.
    ///
    /// Fails:    with the handle itself, when it is not the only strong one. Weak handles find the object dead.
    /// Requires: not empty (checked).
    [[nodiscard]] std::expected<std::remove_cv_t<T>, Counted> try_unwrap() &&
        requires std::is_move_constructible_v<std::remove_cv_t<T>>;

    // ---- identity

    template <class U>
    [[nodiscard]] bool operator==(const Counted<U, Policy>& other) const noexcept {
        return object_ == other.get();
    }
    [[nodiscard]] bool operator==(std::nullptr_t) const noexcept { return object_ == nullptr; }
    template <class U>
    [[nodiscard]] std::strong_ordering operator<=>(const Counted<U, Policy>& other) const noexcept {
        return std::compare_three_way{}(static_cast<const volatile void*>(object_), static_cast<const volatile void*>(other.get()));
    }

    // ---- for bindings to other languages and other owners

    /// Gives the handle away as a pointer, its count with it.
    [[nodiscard]] T* into_raw() && noexcept { return std::exchange(object_, nullptr); }
    /// Requires: `object` came from into_raw() of a handle with this policy, and comes back once.
    [[nodiscard]] static Counted from_raw(T* object) noexcept {
        Counted handle;
        handle.object_ = object;
        return handle;
    }
    /// Another handle to an object that is known to be counted and alive.
    ///
    /// Requires: it was made by make_counted() or a collector with this policy, and a strong handle to it exists meanwhile.
    [[nodiscard]] static Counted from_alive(T& object) noexcept {
        detail::Shape<T, Policy>::counts(&object).add_strong();
        return from_raw(&object);
    }

private:
    friend struct detail::Handles;

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE typename Policy::Counts& counts() const noexcept {
        return detail::Shape<T, Policy>::counts(object_);
    }

    HEAPWRIGHT_ALWAYS_INLINE void drop() noexcept {
        using Lifetime = detail::Lifetime<detail::ObjectEnds<T, Policy>>;
        if constexpr (Traced<T>) {
            detail::NodeHeader& node = detail::Shape<T, Policy>::node(object_);
            if (detail::drop_node(node, counts())) {
                Lifetime::end(object_);
            }
        } else if constexpr (requires(typename Policy::Counts& held) { held.drop_strong(nullptr, nullptr); }) {
            // Another thread may have to end it, later.
            constexpr auto kEnd = [](void* object) noexcept { Lifetime::end(static_cast<T*>(object)); };
            if (counts().drop_strong(detail::Shape<T, Policy>::bytes(object_), kEnd)) {
                Lifetime::end(object_);
            }
        } else if (counts().drop_strong()) {
            Lifetime::end(object_);
        }
    }

    HEAPWRIGHT_ALWAYS_INLINE void assert_usable() const noexcept {
        HEAPWRIGHT_ASSERT(object_ != nullptr, "an empty handle was followed");
#ifndef NDEBUG
        if constexpr (Traced<T>) {
            HEAPWRIGHT_CHECK(counts().strong() > 0,
                             "a destructor followed a handle into the cycle that dies with it; that object may be gone already");
        }
#endif
    }

    T* object_ = nullptr;
};

}  // namespace heapwright

template <class T, class Policy>
struct std::hash<heapwright::Counted<T, Policy>> {  // NOLINT(cert-dcl58-cpp): a specialisation for a type of ours
    [[nodiscard]] std::size_t operator()(const heapwright::Counted<T, Policy>& handle) const noexcept {
        return std::hash<const volatile void*>{}(handle.get());
    }
};
