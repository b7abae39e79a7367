// Rc and Arc, by the names that programs use: counted handles of one pointer, for one thread or for many.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include <heapwright/own/rc/counted.hpp>
#include <heapwright/own/rc/counted_array.hpp>
#include <heapwright/own/rc/from_this.hpp>
#include <heapwright/own/rc/make.hpp>
#include <heapwright/own/rc/policy.hpp>
#include <heapwright/own/rc/view.hpp>
#include <heapwright/own/rc/weak.hpp>

namespace heapwright {

/// All handles to an object are one thread's at a time. Copies cost three instructions.
template <class T>
using Rc = Counted<T, SingleThread>;
template <class T>
using WeakRc = WeakCounted<T, SingleThread>;
template <class T, class Owner>
using RcView = CountedView<T, Owner, SingleThread>;
template <class Derived>
using RcFromThis = CountedFromThis<Derived, SingleThread>;

/// Handles may be copied and dropped by any thread. Copies cost a locked instruction.
template <class T>
using Arc = Counted<T, ManyThreads>;
template <class T>
using WeakArc = WeakCounted<T, ManyThreads>;
template <class T, class Owner>
using ArcView = CountedView<T, Owner, ManyThreads>;
template <class Derived>
using ArcFromThis = CountedFromThis<Derived, ManyThreads>;

static_assert(sizeof(Rc<int>) == 8 && sizeof(Arc<int>) == 8 && sizeof(WeakRc<int>) == 8 && sizeof(WeakArc<int>) == 8);
static_assert(sizeof(Rc<int[]>) == 8 && sizeof(RcView<int, int>) == 16);
static_assert(detail::Shape<void*, SingleThread>::offset() == 8 && detail::Shape<void*, ManyThreads>::offset() == 8);

/// Returns:  the first handle of T{args...}, or of an array of args... elements where T is an array.
/// Requires: memory suffices (checked).
template <class T, class... Args>
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Rc<T> make_rc(Args&&... args) {
    return make_counted<T, SingleThread>(std::forward<Args>(args)...);
}
template <class T, class... Args>
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Arc<T> make_arc(Args&&... args) {
    return make_counted<T, ManyThreads>(std::forward<Args>(args)...);
}
/// As above, empty when memory is refused.
template <class T, class... Args>
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Rc<T> try_make_rc(Args&&... args) {
    return try_make_counted<T, SingleThread>(std::forward<Args>(args)...);
}
template <class T, class... Args>
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Arc<T> try_make_arc(Args&&... args) {
    return try_make_counted<T, ManyThreads>(std::forward<Args>(args)...);
}

/// In a block of the source, which outlives every handle, weak ones included. An Arc's source is any thread's.
template <class T, class... Args>
[[nodiscard]] Rc<T> make_rc_in(SourceRef source, Args&&... args) {
    if constexpr (std::is_unbounded_array_v<T>) {
        return make_counted<T, SingleThread>(std::forward<Args>(args)..., source);
    } else {
        return make_counted_in<T, SingleThread>(source, std::forward<Args>(args)...);
    }
}
template <class T, class... Args>
[[nodiscard]] Arc<T> make_arc_in(SourceRef source, Args&&... args) {
    if constexpr (std::is_unbounded_array_v<T>) {
        return make_counted<T, ManyThreads>(std::forward<Args>(args)..., source);
    } else {
        return make_counted_in<T, ManyThreads>(source, std::forward<Args>(args)...);
    }
}

/// A handle to the derived object that a handle to its base is known to have.
///
/// Requires: the object is an U, or derived from it.
template <class U, class T, class Policy>
[[nodiscard]] Counted<U, Policy> static_handle_cast(Counted<T, Policy> handle) noexcept {
    U* const object = detail::same_place<U>(handle.get());
    static_cast<void>(std::move(handle).into_raw());
    return Counted<U, Policy>::from_raw(object);
}

}  // namespace heapwright
