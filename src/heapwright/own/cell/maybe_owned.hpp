// A pointer that knows whether the object is its own: one word for what is sometimes lent and sometimes given.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include <heapwright/base/check.hpp>

namespace heapwright {

namespace detail {

/// Pointer and flag in one word: the lowest bit of an address whose alignment leaves it free.
template <class T, bool TaggedBit>
class OwnedBit {
public:
    constexpr OwnedBit() noexcept = default;
    OwnedBit(T* object, bool is_owned) noexcept : word_(reinterpret_cast<std::uintptr_t>(object) | static_cast<std::uintptr_t>(is_owned)) {
        static_assert(alignof(T) >= 2, "the lowest bit of its address is not free");
        HEAPWRIGHT_ASSERT((reinterpret_cast<std::uintptr_t>(object) & 1U) == 0, "an object must be aligned as its type is");
    }
    [[nodiscard]] T* object() const noexcept { return reinterpret_cast<T*>(word_ & ~std::uintptr_t{1}); }
    [[nodiscard]] bool is_owned() const noexcept { return (word_ & 1U) != 0; }

private:
    std::uintptr_t word_ = 0;
};

template <class T>
class OwnedBit<T, false> {
public:
    constexpr OwnedBit() noexcept = default;
    constexpr OwnedBit(T* object, bool is_owned) noexcept : object_(object), is_owned_(is_owned) {}
    [[nodiscard]] constexpr T* object() const noexcept { return object_; }
    [[nodiscard]] constexpr bool is_owned() const noexcept { return is_owned_; }

private:
    T* object_ = nullptr;
    bool is_owned_ = false;
};

}  // namespace detail

/// Points at a T that it destroys at its end if it owns it, and leaves alone if it was lent.
///
/// One word where T's alignment is at least 2: the lowest bit of the address says whether it is owned. Two words where any
/// address is possible (char and its like). A `Deleter` with state takes its own room.
///
///   MO1  nothing is owned where nothing is pointed at
///
/// Moved from, it is empty. It never changes from lent to owned by itself: see Cow for that.
/// Example: `MaybeOwned<Codec> codec = fast ? MaybeOwned<Codec>::borrow(shared) : MaybeOwned<Codec>::make(level);`
template <class T, class Deleter = std::default_delete<T>>
class MaybeOwned {
    static_assert(std::is_object_v<T> && !std::is_array_v<T>, "it points at one object");

public:
    using Owner = std::unique_ptr<T, Deleter>;

    /// Points at nothing.
    constexpr MaybeOwned() noexcept = default;
    /// Takes over what the owner owns.
    MaybeOwned(Owner owner) noexcept : deleter_(std::move(owner.get_deleter())) {  // implicit: nothing is lost
        T* const object = owner.release();
        pointer_ = {object, object != nullptr};
    }
    MaybeOwned(MaybeOwned&& other) noexcept : deleter_(std::move(other.deleter_)), pointer_(std::exchange(other.pointer_, {})) {}
    MaybeOwned& operator=(MaybeOwned&& other) noexcept {
        MaybeOwned taken{std::move(other)};
        std::swap(deleter_, taken.deleter_);
        std::swap(pointer_, taken.pointer_);
        return *this;
    }
    ~MaybeOwned() { reset(); }

    /// Points at an object of somebody else.
    ///
    /// Requires: it outlives what is returned.
    [[nodiscard]] static MaybeOwned borrow(T& object) noexcept { return MaybeOwned{std::addressof(object), false}; }
    // A temporary would be gone before the next line.
    static MaybeOwned borrow(const std::remove_const_t<T>&&) = delete;

    /// A new T of its own.
    template <class... Args>
        requires std::same_as<Deleter, std::default_delete<T>>
    [[nodiscard]] static MaybeOwned make(Args&&... args) {
        return MaybeOwned{Owner{new T(std::forward<Args>(args)...)}};
    }

    [[nodiscard]] explicit operator bool() const noexcept { return get() != nullptr; }
    [[nodiscard]] bool is_owned() const noexcept { return pointer_.is_owned(); }
    [[nodiscard]] bool is_borrowed() const noexcept { return !is_owned() && get() != nullptr; }

    /// Requires: it points at something (checked in debug builds).
    [[nodiscard]] T& operator*() const noexcept { return *get_checked(); }
    [[nodiscard]] T* operator->() const noexcept { return get_checked(); }
    [[nodiscard]] T* get() const noexcept { return pointer_.object(); }

    /// A second one for the same object, which this one must outlive.
    [[nodiscard]] MaybeOwned reborrow() & noexcept { return MaybeOwned{get(), false}; }
    MaybeOwned reborrow() && = delete;

    /// The owner of what it owns; empty when it was lent. It points at nothing afterwards.
    [[nodiscard]] Owner into_owner() && noexcept {
        T* const object = is_owned() ? get() : nullptr;
        pointer_ = {};
        return Owner{object, std::move(deleter_)};
    }

    /// Ends what it owns, forgets what it was lent.
    void reset() noexcept {
        const auto old = std::exchange(pointer_, {});
        if (old.is_owned()) {
            deleter_(old.object());
        }
    }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        return is_owned() && get() == nullptr ? "MO1: nothing is pointed at, and yet owned" : nullptr;
    }

private:
    MaybeOwned(T* object, bool is_owned) noexcept : pointer_(object, is_owned) {}

    [[nodiscard]] T* get_checked() const noexcept {
        T* const object = get();
        HEAPWRIGHT_ASSERT(object != nullptr, "it points at nothing: test it before use");
        return object;
    }

    [[no_unique_address]] Deleter deleter_{};
    detail::OwnedBit<T, (alignof(T) >= 2)> pointer_;
};

static_assert(sizeof(MaybeOwned<int>) == sizeof(void*) && sizeof(MaybeOwned<char>) == 2 * sizeof(void*));

}  // namespace heapwright
