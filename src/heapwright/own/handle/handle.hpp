// Handle: the owner of an object that may move, through the name table. Eight bytes that may themselves be copied as bytes.
#pragma once

#include <cstddef>
#include <type_traits>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/own/handle/detail/types.hpp>
#include <heapwright/own/handle/heap.hpp>
#include <heapwright/own/handle/pin.hpp>
#include <heapwright/own/handle/relocate.hpp>

namespace heapwright {

namespace movable {

/// Room for an object that is being made: it goes back unless it was made.
class Unmade {
public:
    Unmade(Store& store, std::byte* payload, std::uint32_t name) noexcept : store_(&store), payload_(payload), name_(name) {}
    Unmade(const Unmade&) = delete;
    Unmade& operator=(const Unmade&) = delete;
    ~Unmade() {
        if (payload_ != nullptr) {
            give_up();
        }
    }
    [[nodiscard]] std::byte* payload() const noexcept { return payload_; }
    /// It is made: the name's entry points at it, and it may move.
    [[nodiscard]] Names::Entry* name_it() noexcept;
    /// It is made: `slot` points at it, and it may move.
    void box_it(std::byte** slot) noexcept;

private:
    void give_up() noexcept;

    Store* store_;
    std::byte* payload_;
    std::uint32_t name_;
};

/// Fails: as Store::allocate; out_of_memory when the name table is full (number: the bytes asked).
struct NamedRoom {
    std::byte* payload;
    std::uint32_t name;
};
[[nodiscard]] Result<NamedRoom> allocate_named(Store& store, std::size_t bytes, std::size_t alignment, std::uint32_t type) noexcept;
/// The object has ended; its room and its name go back. Requires: it is pinned, once.
void end_named(Names::Entry* entry, std::byte* payload) noexcept;
/// Pins the object. Fails: as Handle::try_pin.
[[nodiscard]] Result<std::byte*> pin_named(const Names::Entry* entry) noexcept;
/// Bytes that the object's place has.
[[nodiscard]] std::size_t capacity_named(const Names::Entry* entry) noexcept;
void rename(Store& store, Names::Entry*& entry) noexcept;

}  // namespace movable

/// Owns an object of a MovableHeap. It cannot be followed by itself: that takes a Borrow or a Pin, which hold the object still.
///
/// As its eight bytes do not change when the object moves, handles may lie anywhere, also in objects that are moved as bytes,
/// and HandleRefs may be made of them. A MovableBox is followed faster and has no name, but is told of each move.
///
/// Thread safety: one thread at a time, as any owner.
template <class T>
class [[nodiscard]] Handle {
public:
    static constexpr bool trivially_relocatable = true;  // NOLINT(readability-identifier-naming): as users write it

    constexpr Handle() noexcept = default;
    Handle(Handle&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
    Handle& operator=(Handle&& other) noexcept {
        Handle gone(std::move(*this));
        entry_ = std::exchange(other.entry_, nullptr);
        return *this;
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() { reset(); }

    // Neither does anything but say what to do instead.
    T& operator*() const {
        static_assert(sizeof(T) == 0, "a handle is followed inside a Borrow or through a Pin: at any other time the object may move");
    }
    T* operator->() const {
        static_assert(sizeof(T) == 0, "a handle is followed inside a Borrow or through a Pin: at any other time the object may move");
    }

    /// Ends the object.
    void reset() noexcept {
        if (entry_ == nullptr) {
            return;
        }
        movable::Names::Entry* const entry = std::exchange(entry_, nullptr);
        const auto pinned = movable::pin_named(entry);
        HEAPWRIGHT_CHECK(pinned.has_value(), "an object ends while somebody has it pinned; let the pin go first");
        reinterpret_cast<T*>(*pinned)->~T();
        movable::end_named(entry, *pinned);
    }

    /// Requires: not empty (checked), and fewer than 1022 pins on the object (checked); memory, where try_pin() says that it takes
    ///           some (checked).
    /// Cost:     two stores and a locked instruction. Where an object of at most 1 KiB has more than 30 pins, a lock, and O(objects of
    ///           the heap that have so many), at both ends.
    [[nodiscard]] Pin<T> pin() const noexcept {
        HEAPWRIGHT_CHECK(entry_ != nullptr, "an empty handle is pinned");
        return Pin<T>::adopt(movable::checked_pin(movable::pin_named(entry_)));
    }
    /// Fails:    limit_reached when the object has as many pins as can be counted (number: how many); not_found when empty; out_of_memory
    ///           when this would be the 257th object of the heap, or a later one, that has more than 30 pins, and there is no memory to
    ///           count them (number: bytes asked).
    /// Cost:     as pin().
    [[nodiscard]] Result<Pin<T>> try_pin() const noexcept {
        if (entry_ == nullptr) {
            return fail_with(Errc::not_found);
        }
        const auto pinned = movable::pin_named(entry_);
        if (!pinned) {
            return std::unexpected(pinned.error());
        }
        return Pin<T>::adopt(*pinned);
    }

    [[nodiscard]] explicit operator bool() const noexcept { return entry_ != nullptr; }
    friend void swap(Handle& a, Handle& b) noexcept { std::swap(a.entry_, b.entry_); }

private:
    friend class Borrow;
    friend class MovableHeap;
    friend class HandleRef<T>;
    template <class U, class... Args>
    friend Result<Handle<U>> make_handle(MovableHeap& heap, Args&&... args);

    movable::Names::Entry* entry_ = nullptr;
};

/// A copyable reference to a handle's object, for graphs and indices. Like a reference it must not outlive the object; it
/// stays right wherever object and handle move, until MovableHeap::rename.
template <class T>
class HandleRef {
public:
    constexpr HandleRef() noexcept = default;
    explicit HandleRef(const Handle<T>& handle) noexcept : entry_(handle.entry_) {}
    /// As Handle::pin.
    [[nodiscard]] Pin<T> pin() const noexcept {
        HEAPWRIGHT_CHECK(entry_ != nullptr, "an empty reference is pinned");
        return Pin<T>::adopt(movable::checked_pin(movable::pin_named(entry_)));
    }
    [[nodiscard]] explicit operator bool() const noexcept { return entry_ != nullptr; }
    friend bool operator==(const HandleRef&, const HandleRef&) noexcept = default;

private:
    friend class Borrow;
    const movable::Names::Entry* entry_ = nullptr;
};

/// Makes an object. It does not move while its constructor runs, which may make others in the same heap.
///
/// Fails:    limit_reached (number: the limit in bytes), out_of_memory (number: bytes asked); unsupported when more than 255
///           types of the process are moved by their move constructors.
/// Cost:     two locks; about 50 ns.
template <class T, class... Args>
[[nodiscard]] Result<Handle<T>> make_handle(MovableHeap& heap, Args&&... args) {
    movable::Store& store = store_of(heap);
    const auto room = movable::allocate_named(store, sizeof(T), alignof(T), movable::type_of<T>());
    if (!room) {
        return std::unexpected(room.error());
    }
    movable::Unmade unmade(store, room->payload, room->name);
    ::new (static_cast<void*>(unmade.payload())) T(std::forward<Args>(args)...);
    Handle<T> made;
    made.entry_ = unmade.name_it();
    return made;
}

template <class T>
void MovableHeap::rename(Handle<T>& handle) noexcept {
    if (handle.entry_ != nullptr) {
        movable::rename(*store_, handle.entry_);
    }
}

}  // namespace heapwright
