// Makes counted objects: in blocks of the policy, or of any source of the library.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/own/rc/counted.hpp>
#include <heapwright/own/rc/weak.hpp>

namespace heapwright {

/// What only make_counted() can make: a type whose constructors want one cannot lie anywhere but in a counted block. See
/// CountedFromThis.
class CountedToken {
    friend struct detail::Handles;
    constexpr CountedToken() noexcept = default;
};

namespace detail {

inline constexpr const char* kNoMemory = "out of memory for a counted object: its source refused; call the try_ form to go on without";

/// Makes the object of a block and its first handle.
struct Handles {
    template <class T, class Policy, class... Args>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static Counted<T, Policy> construct(std::byte* place, bool has_prefix, Args&&... args) {
        using Shape = detail::Shape<T, Policy>;
        auto* const object = reinterpret_cast<T*>(place);
        ::new (static_cast<void*>(&Shape::counts(object))) typename Policy::Counts(has_prefix);
        Unmake<T, Policy> guard{object};
        if constexpr (std::is_constructible_v<T, CountedToken, Args...>) {
            ::new (static_cast<void*>(const_cast<std::remove_cv_t<T>*>(object))) T(CountedToken{}, std::forward<Args>(args)...);
        } else {
            std::construct_at(const_cast<std::remove_cv_t<T>*>(object), std::forward<Args>(args)...);
        }
        guard.object = nullptr;
        return Counted<T, Policy>::from_raw(object);
    }

    /// Gives the block back when a constructor throws.
    template <class T, class Policy>
    struct Unmake {
        T* object;
        explicit Unmake(T* made) noexcept : object(made) {}
        Unmake(const Unmake&) = delete;
        Unmake& operator=(const Unmake&) = delete;
        HEAPWRIGHT_ALWAYS_INLINE ~Unmake() {
            if (HEAPWRIGHT_UNLIKELY(object != nullptr)) {
                unmake(object);
            }
        }
        HEAPWRIGHT_COLD static void unmake(T* object) noexcept {
            using Shape = detail::Shape<T, Policy>;
            auto& counts = Shape::counts(object);
            bool was_last = false;
            if constexpr (Traced<T>) {
                was_last = drop_node(Shape::node(object), counts);
            } else {
                was_last = counts.drop_strong();
            }
            HEAPWRIGHT_CHECK(was_last, "a constructor handed out handles to its object and then threw; hand them out after construction");
            if (counts.end_object()) {
                Shape::free_block(object, Shape::layout());
            }
        }
    };
};

/// Ends an object whose last strong handle was taken already.
template <class T, class Policy>
struct Finish {
    T* object;
    explicit Finish(T* taken) noexcept : object(taken) {}
    Finish(const Finish&) = delete;
    Finish& operator=(const Finish&) = delete;
    ~Finish() { Lifetime<ObjectEnds<T, Policy>>::end(object); }
};

template <class T>
consteval void require_untraced() {
    static_assert(!Traced<T>, "a traced type is made by its collector: collector.make<T>(...)");
}

}  // namespace detail

/// Returns:  the first handle of a new T; an empty one when the policy's blocks are exhausted.
/// Cost:     a block, and two stores for the counts.
template <class T, class Policy, class... Args>
    requires(!std::is_array_v<T>)
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Counted<T, Policy> try_make_counted(Args&&... args) {
    detail::require_untraced<T>();
    using Shape = detail::Shape<T, Policy>;
    void* const block = Policy::Blocks::try_allocate(Shape::layout());
    if (HEAPWRIGHT_UNLIKELY(block == nullptr)) {
        return {};
    }
    return detail::Handles::construct<T, Policy>(static_cast<std::byte*>(block) + Shape::offset(), false, std::forward<Args>(args)...);
}

/// Requires: memory suffices (checked).
template <class T, class Policy, class... Args>
    requires(!std::is_array_v<T>)
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Counted<T, Policy> make_counted(Args&&... args) {
    Counted<T, Policy> made = try_make_counted<T, Policy>(std::forward<Args>(args)...);
    HEAPWRIGHT_CHECK(made.get() != nullptr, detail::kNoMemory);
    return made;
}

/// As try_make_counted, in a block of the caller's source, which must outlive the object and all its handles. 24 bytes more
/// before the object remember where the block goes back to; handles are the same as any.
template <class T, class Policy, class... Args>
    requires(!std::is_array_v<T>)
[[nodiscard]] Counted<T, Policy> try_make_counted_in(SourceRef source, Args&&... args) {
    detail::require_untraced<T>();
    using Shape = detail::Shape<T, Policy>;
    const Layout layout{.size = Shape::prefixed_offset() + sizeof(T), .alignment = Shape::alignment()};
    void* const block = source.try_allocate(layout);
    if (block == nullptr) {
        return {};
    }
    std::byte* const place = static_cast<std::byte*>(block) + Shape::prefixed_offset();
    ::new (static_cast<void*>(&Shape::prefix(reinterpret_cast<T*>(place)))) detail::SourcePrefix{source, layout};
    return detail::Handles::construct<T, Policy>(place, true, std::forward<Args>(args)...);
}

template <class T, class Policy, class... Args>
    requires(!std::is_array_v<T>)
[[nodiscard]] Counted<T, Policy> make_counted_in(SourceRef source, Args&&... args) {
    Counted<T, Policy> made = try_make_counted_in<T, Policy>(source, std::forward<Args>(args)...);
    HEAPWRIGHT_CHECK(made.get() != nullptr, detail::kNoMemory);
    return made;
}

template <class T, class Policy>
T& Counted<T, Policy>::make_mut()
    requires std::is_copy_constructible_v<T>
{
    HEAPWRIGHT_CHECK(object_ != nullptr, "an empty handle has no object to change");
    if (!counts().is_unique()) {
        *this = make_counted<T, Policy>(std::as_const(*object_));
    }
    return *object_;
}

template <class T, class Policy>
std::expected<std::remove_cv_t<T>, Counted<T, Policy>> Counted<T, Policy>::try_unwrap() &&
    requires std::is_move_constructible_v<std::remove_cv_t<T>>
{
    detail::require_untraced<T>();
    HEAPWRIGHT_CHECK(object_ != nullptr, "an empty handle has no object to take out");
    if (!counts().try_drop_last()) {
        return std::unexpected<Counted>(std::move(*this));
    }
    detail::Finish<T, Policy> finish{std::exchange(object_, nullptr)};  // also when the move throws
    return std::expected<std::remove_cv_t<T>, Counted>(std::in_place, std::move(*finish.object));
}

}  // namespace heapwright
