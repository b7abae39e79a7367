// An arena that refuses, when the program is compiled, every type whose destructor does something.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include <heapwright/alloc/arena/arena.hpp>

namespace heapwright {

/// For bytes and plain data only. A string or vector put into an arena that runs no destructors leaks its own heap block
/// at every reset, silently: here it does not compile.
///
/// Thread safety: one thread at a time.
class PlainArena : private Arena {
public:
    using Arena::Arena;
    using Arena::Mark;

    template <class T, class... Args>
    [[nodiscard]] constexpr T* try_create(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        refuse_destructors<T>();
        return Arena::try_create<T>(std::forward<Args>(args)...);
    }
    template <class T, class... Args>
    constexpr T& create(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>) {
        refuse_destructors<T>();
        return Arena::create<T>(std::forward<Args>(args)...);
    }
    template <class T>
    [[nodiscard]] constexpr T* try_create_array(std::size_t count) noexcept(std::is_nothrow_default_constructible_v<T>) {
        refuse_destructors<T>();
        return Arena::try_create_array<T>(count);
    }
    template <class T>
    [[nodiscard]] constexpr std::span<T> create_array(std::size_t count) noexcept(std::is_nothrow_default_constructible_v<T>) {
        refuse_destructors<T>();
        return Arena::create_array<T>(count);
    }

    using Arena::allocate;
    using Arena::broken_invariant;
    using Arena::copy;
    using Arena::deallocate;
    using Arena::for_each_chunk;
    using Arena::mark;
    using Arena::owns;
    using Arena::release;
    using Arena::reset;
    using Arena::rewind;
    using Arena::stats;
    using Arena::trim;
    using Arena::try_allocate;
    using Arena::try_allocate_at_least;
    using Arena::try_allocate_fixed;
    using Arena::try_copy;
    using Arena::try_expand;
    using Arena::try_reallocate;
    using Arena::why_refused;

    /// A Region of this arena: `const auto region = arena.open_region();`
    [[nodiscard]] constexpr Region open_region() noexcept { return Region{*this}; }

private:
    template <class T>
    static constexpr void refuse_destructors() noexcept {
        static_assert(std::is_trivially_destructible_v<T>,
                      "PlainArena runs no destructors, so this type would leak what it owns: use Arena, which runs them, or plain data");
    }
};

static_assert(BlockSource<PlainArena>);

}  // namespace heapwright
