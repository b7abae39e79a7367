// MovableBox: the owner of an object that may move, told of each move: it is followed like a pointer.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/own/handle/handle.hpp>

namespace heapwright {

namespace movable {

/// What a box says outside of the gate: where its object is, or was a moment ago.
[[nodiscard]] inline std::byte* box_now(std::byte* const* slot) noexcept {
    return __atomic_load_n(slot, __ATOMIC_RELAXED);  // whoever follows it enters the gate and looks again
}
/// The object that `from` owns is owned by `to` now. Requires: `from` is not empty, `to` is.
void move_box(std::byte** to, std::byte** from) noexcept;
/// As pin_named.
[[nodiscard]] Result<std::byte*> pin_box(std::byte* const* slot) noexcept;
/// The object has ended; its room goes back. Requires: it is pinned, once.
void end_boxed(std::byte* payload) noexcept;

}  // namespace movable

/// Owns an object of a MovableHeap; when the object moves, the box is written. Inside a Borrow it is followed like a pointer.
///
/// A box is known by its address: moving it costs a visit of the object's header, and what holds a box is not trivially
/// relocatable. Where owners themselves move much, or references are wanted, take a Handle.
///
/// Thread safety: one thread at a time, as any owner. A box must not be read as bytes while another thread compacts.
template <class T>
class [[nodiscard]] MovableBox {
public:
    static constexpr bool trivially_relocatable = false;  // NOLINT(readability-identifier-naming): as users write it

    constexpr MovableBox() noexcept = default;
    MovableBox(MovableBox&& other) noexcept { take(other); }
    MovableBox& operator=(MovableBox&& other) noexcept {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    MovableBox(const MovableBox&) = delete;
    MovableBox& operator=(const MovableBox&) = delete;
    ~MovableBox() { reset(); }

    // Neither does anything but say what to do instead.
    T& operator*() const {
        static_assert(sizeof(T) == 0, "a box is followed inside a Borrow or through a Pin: at any other time the object may move");
    }
    T* operator->() const {
        static_assert(sizeof(T) == 0, "a box is followed inside a Borrow or through a Pin: at any other time the object may move");
    }

    /// Ends the object.
    void reset() noexcept {
        if (is_empty()) {
            return;
        }
        const auto pinned = movable::pin_box(&payload_);
        HEAPWRIGHT_CHECK(pinned.has_value(), "an object ends that has more than a thousand pins; let the pins go first");
        payload_ = nullptr;
        reinterpret_cast<T*>(*pinned)->~T();
        movable::end_boxed(*pinned);
    }

    /// As Handle::pin.
    [[nodiscard]] Pin<T> pin() const noexcept {
        HEAPWRIGHT_CHECK(!is_empty(), "an empty box is pinned");
        auto pinned = try_pin();
        HEAPWRIGHT_CHECK(pinned.has_value(), "an object has as many pins as can be counted, 1022; share one, or use a Borrow");
        return std::move(*pinned);
    }
    /// As Handle::try_pin.
    [[nodiscard]] Result<Pin<T>> try_pin() const noexcept {
        if (is_empty()) {
            return fail_with(Errc::not_found);
        }
        const auto pinned = movable::pin_box(&payload_);
        if (!pinned) {
            return std::unexpected(pinned.error());
        }
        return Pin<T>::adopt(*pinned);
    }

    [[nodiscard]] explicit operator bool() const noexcept { return !is_empty(); }

    /// make_box() into a box that is there: saves a move of the box.
    template <class... Args>
    [[nodiscard]] Result<void> emplace(MovableHeap& heap, Args&&... args) {
        reset();
        movable::Store& store = store_of(heap);
        const std::uint32_t type = movable::type_of<T>();
        if (type == movable::kNoType) {
            return fail_with(Errc::unsupported, movable::Header::kTypes - 1);
        }
        const auto payload = store.allocate(sizeof(T), alignof(T), type);
        if (!payload) {
            return std::unexpected(payload.error());
        }
        movable::Unmade unmade(store, *payload, movable::Names::kNone);
        ::new (static_cast<void*>(unmade.payload())) T(std::forward<Args>(args)...);
        unmade.box_it(&payload_);
        return {};
    }

private:
    friend class Borrow;

    [[nodiscard]] bool is_empty() const noexcept { return movable::box_now(&payload_) == nullptr; }
    void take(MovableBox& other) noexcept {
        if (!other.is_empty()) {
            movable::move_box(&payload_, &other.payload_);
        }
    }

    std::byte* payload_ = nullptr;  // written by whoever moves the object, when nobody is inside the gate
};

/// As make_handle().
template <class T, class... Args>
[[nodiscard]] Result<MovableBox<T>> make_box(MovableHeap& heap, Args&&... args) {
    Result<MovableBox<T>> made;
    if (const auto done = made->emplace(heap, std::forward<Args>(args)...); !done) {
        return std::unexpected(done.error());
    }
    return made;
}

}  // namespace heapwright
