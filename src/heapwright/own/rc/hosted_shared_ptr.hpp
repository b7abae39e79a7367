// From and to std::shared_ptr, with one object and one lifetime on both sides.
//
// The hosted companion of rc.hpp: <memory> brings a host's allocator.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include <heapwright/own/rc/counted.hpp>
#include <heapwright/own/rc/make.hpp>
#include <heapwright/own/rc/view.hpp>

namespace heapwright {

namespace detail {

/// The deleter of a shared_ptr that stands for a handle; to_counted() finds the handle in it.
template <class T, class Policy>
struct KeepsHandle {
    Counted<T, Policy> handle;
    void operator()(T* /*object*/) noexcept { handle.reset(); }
};

/// What from_shared() makes where the object was not counted before: an object that holds the shared_ptr.
template <class T>
struct HoldsShared {
    std::shared_ptr<T> shared;
};

}  // namespace detail

/// The same object, kept by one handle that all copies of the shared_ptr share.
///
/// Requires: Rc: all copies stay on the thread, as the handle's. An Arc's may go anywhere.
/// Cost:     a control block on the host's heap. Throws std::bad_alloc as std::shared_ptr does; the handle stays whole then.
template <class T, class Policy>
[[nodiscard]] std::shared_ptr<T> to_shared(Counted<T, Policy> handle) {
    T* const object = handle.get();
    return object == nullptr ? std::shared_ptr<T>() : std::shared_ptr<T>(object, detail::KeepsHandle<T, Policy>{std::move(handle)});
}

/// The handle that a shared_ptr of to_shared() stands for, so that going there and back changes nothing.
///
/// Returns:  an empty handle when the object was made by somebody else: it has no counts before it. view_shared() keeps such.
///           Needs run-time type information, as std::get_deleter does.
template <class T, class Policy>
[[nodiscard]] Counted<T, Policy> to_counted(const std::shared_ptr<T>& shared) noexcept {
    const auto* const keeps = std::get_deleter<detail::KeepsHandle<T, Policy>>(shared);
    return keeps != nullptr && keeps->handle.get() == shared.get() ? keeps->handle : Counted<T, Policy>();
}

/// What keeps an object of a foreign shared_ptr.
template <class T, class Policy>
using SharedView = CountedView<T, detail::HoldsShared<T>, Policy>;

/// A counted view of an object that a shared_ptr keeps, whoever made it: copies of the view count here and not there.
///
/// Cost:     a counted block for the shared_ptr.
template <class Policy, class T>
[[nodiscard]] SharedView<T, Policy> view_shared(std::shared_ptr<T> shared) {
    T* const object = shared.get();
    if (object == nullptr) {
        return {};
    }
    return {make_counted<detail::HoldsShared<T>, Policy>(detail::HoldsShared<T>{std::move(shared)}), object};
}

/// The shared_ptr that a view of view_shared() keeps.
template <class T, class Policy>
[[nodiscard]] std::shared_ptr<T> to_shared(const SharedView<T, Policy>& view) noexcept {
    return view ? std::shared_ptr<T>(view.owner()->shared, view.get()) : std::shared_ptr<T>();
}

}  // namespace heapwright
