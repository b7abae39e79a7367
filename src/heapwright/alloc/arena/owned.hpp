// One owner for one object in an arena: its destructor runs when the owner says, not when the arena ends.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include <heapwright/alloc/arena/arena.hpp>

namespace heapwright {

/// Owns a T whose bytes are an arena's. The object may die early, be handed from scope to scope, or be moved out of the
/// arena altogether; its bytes return to the arena only if they are its newest.
///
/// Requires: the arena outlives it and is not rewound past the object while it is owned.
template <class T>
class Owned {
public:
    constexpr Owned() noexcept = default;
    Owned(Owned&& other) noexcept : arena_(other.arena_), object_(std::exchange(other.object_, nullptr)) {}
    Owned& operator=(Owned&& other) noexcept {
        if (this != &other) {
            reset();
            arena_ = other.arena_;
            object_ = std::exchange(other.object_, nullptr);
        }
        return *this;
    }
    ~Owned() { reset(); }

    /// Destroys the object now.
    void reset() noexcept {
        if (T* const object = std::exchange(object_, nullptr)) {
            std::destroy_at(object);
            arena_->deallocate(object, Layout::of<T>());
        }
    }

    /// Moves the object out of the arena: the way for a value to survive its region.
    ///
    /// Requires: there is one (checked).
    [[nodiscard]] T take() noexcept(std::is_nothrow_move_constructible_v<T>) {
        HEAPWRIGHT_CHECK(object_ != nullptr, "nothing is owned: it was taken, reset or never made");
        T value = std::move(*object_);
        reset();
        return value;
    }

    [[nodiscard]] T* get() const noexcept { return object_; }
    [[nodiscard]] T& operator*() const noexcept { return *object_; }
    [[nodiscard]] T* operator->() const noexcept { return object_; }
    [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }

private:
    template <class U, class... Args>
    friend Owned<U> try_make_owned(Arena& arena, Args&&... args) noexcept(std::is_nothrow_constructible_v<U, Args...>);
    Owned(Arena& arena, T* object) noexcept : arena_(&arena), object_(object) {}

    Arena* arena_ = nullptr;
    T* object_ = nullptr;
};

/// Returns:  an empty owner when the arena refuses.
template <class T, class... Args>
[[nodiscard]] Owned<T> try_make_owned(Arena& arena, Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
    void* const place = arena.try_allocate_fixed<sizeof(T), alignof(T)>();
    return place == nullptr ? Owned<T>{} : Owned<T>{arena, std::construct_at(static_cast<T*>(place), std::forward<Args>(args)...)};
}

}  // namespace heapwright
