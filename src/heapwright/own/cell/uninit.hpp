// Room for objects that are not built yet, and rows of objects that are destroyed again when building one of them fails.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/base/fill.hpp>

namespace heapwright {

/// Room for one T, of its size and alignment, in which nothing is built and nothing is destroyed unless asked. It keeps no
/// note of whether there is a T: that would cost a word, and the caller has it anyway. Debug builds fill it, so that a T
/// that was never built looks like 0xCBCB..., and one that was destroyed like 0xDFDF....
///
/// Example: `Uninit<Order> room; room.construct(7); use(*room); room.destroy();`
template <class T>
class Uninit {
    static_assert(std::is_object_v<T> && !std::is_const_v<T>, "room is for objects that can be built: no reference, no const");
    static_assert(!std::is_array_v<T>, "a row of objects is a std::array in an Uninit, or goes through construct_array_guarded");

public:
    constexpr Uninit() noexcept { forget(FillByte::fresh); }
    // What is in it may be no object: there is nothing that could be copied.
    Uninit(const Uninit&) = delete;
    Uninit& operator=(const Uninit&) = delete;
    /// Ends the room. A T that is still in it is not destroyed.
    constexpr ~Uninit() {}  // NOLINT(modernize-use-equals-default): a defaulted one is deleted where T's is not trivial

    /// Builds the T.
    ///
    /// Requires: there is none in the room.
    /// Cost:     that of the constructor.
    template <class... Args>
    constexpr T& construct(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        return *std::construct_at(&value_, std::forward<Args>(args)...);
    }

    /// Builds the T from what `make()` returns, in its place: for types that can be neither copied nor moved.
    template <class Make>
    T& construct_from(Make&& make) noexcept(noexcept(std::forward<Make>(make)())) {
        static_assert(std::is_same_v<decltype(std::forward<Make>(make)()), T>, "construct_from needs a function that returns a T by value");
        return *::new (static_cast<void*>(&value_)) T(std::forward<Make>(make)());
    }

    /// The T that is in the room.
    ///
    /// Requires: there is one. Nothing checks this: it is what Uninit is for.
    [[nodiscard]] constexpr T& operator*() noexcept { return value_; }
    [[nodiscard]] constexpr const T& operator*() const noexcept { return value_; }
    [[nodiscard]] constexpr T* operator->() noexcept { return &value_; }
    [[nodiscard]] constexpr const T* operator->() const noexcept { return &value_; }
    /// Where the T is or will be.
    [[nodiscard]] constexpr T* place() noexcept { return &value_; }

    /// Moves the T out and destroys what is left of it.
    [[nodiscard]] constexpr T take() noexcept(std::is_nothrow_move_constructible_v<T>) {
        struct Destroy {
            Uninit& room;
            constexpr ~Destroy() { room.destroy(); }
        } const destroy{*this};
        return std::move(value_);
    }

    /// Destroys the T; the room is ready for the next.
    constexpr void destroy() noexcept {
        static_assert(std::is_nothrow_destructible_v<T>, "a destructor that throws leaves nobody to tell");
        std::destroy_at(&value_);
        forget(FillByte::freed);
    }

private:
    constexpr void forget([[maybe_unused]] FillByte byte) noexcept {
#ifndef NDEBUG
        if !consteval {
            fill(static_cast<void*>(&value_), sizeof(T), byte);
        }
#endif
    }

    union {
        T value_;
    };
};

static_assert(sizeof(Uninit<long double>) == sizeof(long double) && alignof(Uninit<long double>) == alignof(long double));

/// Builds objects in a row, the first one first, and destroys what it built, the newest first, unless it was told that the
/// row is finished. A constructor that throws therefore leaves no object behind, whatever flags this is compiled with.
///
///   AG1  built <= capacity, and the objects in front of `built` are alive
template <class T>
class ArrayGuard {
public:
    /// Requires: room for `capacity` objects at `row`, in which none is built; it outlives the guard.
    constexpr ArrayGuard(T* row, std::size_t capacity) noexcept : row_(row), capacity_(capacity) {}
    ArrayGuard(const ArrayGuard&) = delete;
    ArrayGuard& operator=(const ArrayGuard&) = delete;
    constexpr ~ArrayGuard() {
        static_assert(std::is_nothrow_destructible_v<T>, "a destructor that throws leaves nobody to tell");
        while (built_ > 0) {
            std::destroy_at(row_ + --built_);
        }
    }

    /// Requires: the row is not full (checked).
    template <class... Args>
    constexpr T& emplace(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        HEAPWRIGHT_CHECK(built_ < capacity_, "a row of objects is full: make room for more, or build fewer");
        T& made = *std::construct_at(row_ + built_, std::forward<Args>(args)...);
        ++built_;
        return made;
    }

    /// As emplace, from what `make()` returns, in its place.
    template <class Make>
    T& emplace_from(Make&& make) noexcept(noexcept(std::forward<Make>(make)())) {
        HEAPWRIGHT_CHECK(built_ < capacity_, "a row of objects is full: make room for more, or build fewer");
        T* const made = ::new (static_cast<void*>(row_ + built_)) T(std::forward<Make>(make)());
        ++built_;
        return *made;
    }

    [[nodiscard]] constexpr std::size_t built() const noexcept { return built_; }

    /// From now on the objects are the caller's to destroy.
    ///
    /// Returns: the first of them.
    [[nodiscard]] constexpr T* finish() noexcept {
        built_ = 0;
        return row_;
    }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] constexpr const char* broken_invariant() const noexcept {
        return built_ <= capacity_ ? nullptr : "AG1: more objects are built than there is room for";
    }

private:
    T* row_;
    std::size_t capacity_;
    std::size_t built_ = 0;
};

/// Builds `count` objects at `row`, each from what `make(index)` returns, in its place.
///
/// Requires: room for them, in which none is built.
/// Returns:  the first of them.
/// Fails:    with the exception of `make`, if it throws; what was built is destroyed, the newest first.
/// Cost:     `count` calls; nothing more when they cannot throw.
/// Example:  `construct_array_guarded(place, 8, [](std::size_t index) { return Lane{index}; });`
template <class T, class Make>
    requires std::is_invocable_r_v<T, Make&, std::size_t>
T* construct_array_guarded(T* row, std::size_t count, Make&& make) noexcept(std::is_nothrow_invocable_r_v<T, Make&, std::size_t>) {
    ArrayGuard<T> guard{row, count};
    for (std::size_t index = 0; index < count; ++index) {
        guard.emplace_from([&]() noexcept(std::is_nothrow_invocable_r_v<T, Make&, std::size_t>) -> T { return make(index); });
    }
    return guard.finish();
}

/// As above, value-initialised.
template <class T>
constexpr T* construct_array_guarded(T* row, std::size_t count) noexcept(std::is_nothrow_default_constructible_v<T>) {
    ArrayGuard<T> guard{row, count};
    for (std::size_t index = 0; index < count; ++index) {
        guard.emplace();
    }
    return guard.finish();
}

/// As above, copies of `count` objects from elsewhere.
template <class T>
constexpr T* construct_array_guarded(T* row, const T* from, std::size_t count) noexcept(std::is_nothrow_copy_constructible_v<T>) {
    ArrayGuard<T> guard{row, count};
    for (std::size_t index = 0; index < count; ++index) {
        guard.emplace(from[index]);
    }
    return guard.finish();
}

/// Destroys a row, the last object first.
template <class T>
constexpr void destroy_array(T* row, std::size_t count) noexcept {
    static_assert(std::is_nothrow_destructible_v<T>, "a destructor that throws leaves nobody to tell");
    while (count > 0) {
        std::destroy_at(row + --count);
    }
}

}  // namespace heapwright
