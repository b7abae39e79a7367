// What an arena remembers of an object whose destructor must run: two words in front of the object.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace heapwright::detail {

/// A link in the arena's list of objects to destroy, newest first.
struct Cleanup {
    Cleanup* next = nullptr;
    void (*run)(Cleanup* self) noexcept = nullptr;
};

/// An object with its link. In a constant expression it lives on the evaluator's heap, because the language cannot turn
/// bytes of a buffer into objects there; at run time it lives in the arena.
template <class T>
struct Held : Cleanup {
    static_assert(std::is_nothrow_destructible_v<T>, "an arena destroys its objects when it is emptied, where nothing may throw");

    template <class... Args>
    constexpr explicit Held(Args&&... args) noexcept(std::is_nothrow_constructible_v<T, Args...>)
        : Cleanup{.next = nullptr, .run = &destroy} {
        std::construct_at(&object, std::forward<Args>(args)...);  // a user's aggregate may leave members out without a warning here
    }
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    constexpr ~Held() { std::destroy_at(&object); }

    static constexpr void destroy(Cleanup* self) noexcept {
        if consteval {
            delete static_cast<Held*>(self);
        } else {
            std::destroy_at(static_cast<Held*>(self));
        }
    }

    union {
        T object;
    };
};

/// The same for a row of objects. At run time they follow this header, aligned.
template <class T>
struct HeldArray : Cleanup {
    static_assert(std::is_nothrow_destructible_v<T>, "an arena destroys its objects when it is emptied, where nothing may throw");

    constexpr HeldArray(T* objects, std::size_t object_count) noexcept
        : Cleanup{.next = nullptr, .run = &destroy}, first(objects), count(object_count) {}

    static constexpr void destroy(Cleanup* self) noexcept {
        auto* const array = static_cast<HeldArray*>(self);
        if consteval {
            delete[] array->first;
            delete array;
        } else {
            for (std::size_t index = array->count; index > 0; --index) {
                std::destroy_at(array->first + (index - 1));
            }
        }
    }

    T* first;
    std::size_t count;
};

}  // namespace heapwright::detail
