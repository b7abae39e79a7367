// How an object gets from one place to another.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

namespace heapwright {

/// Whether moving T and ending what was moved from is the same as copying its bytes.
///
/// True for types whose copies and destructors are trivial, and for those that say so of themselves:
///     struct Record { static constexpr bool trivially_relocatable = true; ... };
/// Say it of a type only if nothing inside or outside points at its members: a std::string of libstdc++ points at itself, and
/// a MovableBox is pointed at by what it owns.
template <class T>
inline constexpr bool is_trivially_relocatable_v = [] {  // NOLINT(readability-identifier-naming): as the standard's traits
    if constexpr (requires { T::trivially_relocatable; }) {
        return static_cast<bool>(T::trivially_relocatable);
    } else {
        return std::is_trivially_copyable_v<T>;
    }
}();

/// Whether a heap of movable objects takes it.
template <class T>
inline constexpr bool is_movable_v =  // NOLINT(readability-identifier-naming): as above
    is_trivially_relocatable_v<T> || (std::is_nothrow_move_constructible_v<T> && std::is_nothrow_destructible_v<T>);

/// Moves an object into raw memory; none is left where it was.
///
/// Requires: the two do not overlap.
template <class T>
void relocate(T* to, T* from) noexcept {
    static_assert(is_movable_v<T>, "a movable object needs a move constructor and a destructor that do not throw");
    if constexpr (is_trivially_relocatable_v<T>) {
        std::memcpy(static_cast<void*>(to), static_cast<const void*>(from), sizeof(T));
    } else {
        ::new (static_cast<void*>(to)) T(std::move(*from));
        from->~T();
    }
}

}  // namespace heapwright
