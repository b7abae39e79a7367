// Objects that stay where they were made: in place, or in a block of any source whose owner may move.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/own/cell/detail/boxed.hpp>

namespace heapwright {

/// A T with a fixed address: whatever points at it or into it stays right until it ends. Neither it nor anything it is a
/// member of can be copied or moved; functions return it all the same, because the language builds it at its destination.
///
/// Example: `Pinned<Parser> parser = pin<Parser>(text);`
template <class T>
class Pinned {
    static_assert(std::is_object_v<T>, "only objects have an address to keep");

public:
    template <class... Args>
        requires std::is_constructible_v<T, Args...>
    constexpr explicit Pinned(std::in_place_t, Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>)
        : value_(std::forward<Args>(args)...) {}
    /// From what `make()` returns, built in its place: for types that only a function can make.
    template <class Make>
        requires std::is_same_v<std::invoke_result_t<Make>, T>
    constexpr explicit Pinned(Make&& make) noexcept(std::is_nothrow_invocable_v<Make>) : value_(std::forward<Make>(make)()) {}

    // A pinned object stays: hold a PinnedBox, or a reference, where something must travel.
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;
    constexpr ~Pinned() = default;

    [[nodiscard]] constexpr T& operator*() noexcept { return value_; }
    [[nodiscard]] constexpr const T& operator*() const noexcept { return value_; }
    [[nodiscard]] constexpr T* operator->() noexcept { return std::addressof(value_); }
    [[nodiscard]] constexpr const T* operator->() const noexcept { return std::addressof(value_); }

private:
    T value_;
};

static_assert(sizeof(Pinned<int>) == sizeof(int));

/// A T pinned where the result is used.
template <class T, class... Args>
[[nodiscard]] constexpr Pinned<T> pin(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
    return Pinned<T>(std::in_place, std::forward<Args>(args)...);
}

/// Owns a T in a block of its own: the box moves, the T does not. One word; the block knows its source (16 bytes more).
///
/// Example: `auto parser = make_pinned<Parser>(arena, text);`
template <class T>
class PinnedBox {
public:
    /// Empty.
    constexpr PinnedBox() noexcept = default;
    PinnedBox(PinnedBox&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    PinnedBox& operator=(PinnedBox&& other) noexcept {
        PinnedBox taken{std::move(other)};
        std::swap(block_, taken.block_);
        return *this;
    }
    ~PinnedBox() { reset(); }

    /// Whether it holds a T.
    [[nodiscard]] explicit operator bool() const noexcept { return block_ != nullptr; }

    /// Requires: not empty (checked in debug builds).
    [[nodiscard]] T& operator*() const noexcept { return *get_checked(); }
    [[nodiscard]] T* operator->() const noexcept { return get_checked(); }
    /// nullptr when empty.
    [[nodiscard]] T* get() const noexcept { return block_ == nullptr ? nullptr : std::addressof(block_->value); }

    /// Destroys the T and gives its block back; the box is empty.
    void reset() noexcept {
        if (block_ != nullptr) {
            detail::destroy_boxed(std::exchange(block_, nullptr));
        }
    }

private:
    using Block = detail::Boxed<T>;
    explicit PinnedBox(Block* block) noexcept : block_(block) {}

    template <class U, class... Args>
    friend PinnedBox<U> try_make_pinned(SourceRef source, Args&&... args) noexcept(std::is_nothrow_constructible_v<U, Args...>);

    [[nodiscard]] T* get_checked() const noexcept {
        HEAPWRIGHT_ASSERT(block_ != nullptr, "an empty box has no object: test it before use");
        return std::addressof(block_->value);
    }

    Block* block_ = nullptr;
};

static_assert(sizeof(PinnedBox<int>) == sizeof(void*));

/// Requires: `source` outlives the box.
/// Returns:  an empty box when the source refuses.
/// Cost:     one block of the source.
template <class T, class... Args>
[[nodiscard]] PinnedBox<T> try_make_pinned(SourceRef source, Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
    return PinnedBox<T>{detail::try_make_boxed<T>(source, std::forward<Args>(args)...)};
}

/// Requires: as try_make_pinned, and the source suffices (checked).
template <class T, class... Args>
[[nodiscard]] PinnedBox<T> make_pinned(SourceRef source, Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
    PinnedBox<T> made = try_make_pinned<T>(source, std::forward<Args>(args)...);
    HEAPWRIGHT_CHECK(static_cast<bool>(made),
                     "out of memory: the source of a pinned object refused; call try_make_pinned to go on without");
    return made;
}

}  // namespace heapwright
