// The end of a counted object: its destructor, and the return of its block.
#pragma once

#include <memory>
#include <new>
#include <type_traits>

#include <heapwright/base/platform.hpp>
#include <heapwright/own/rc/detail/reaper.hpp>
#include <heapwright/own/rc/detail/shape.hpp>

namespace heapwright::detail {

/// How one object, or one array, is ended. Ends: what differs between the two.
template <class Ends>
class Lifetime {
    using Object = typename Ends::Object;
    using Shape = typename Ends::Shape;
    using Blocks = typename Ends::Blocks;

public:
    /// Destroys the object and gives its block back, if no weak handle needs its counts any more.
    HEAPWRIGHT_ALWAYS_INLINE static void finish(Object* object) noexcept {
        const Layout layout = Ends::layout(object);
        Ends::destroy(object);
        if (Shape::counts(object).end_object()) {
            Shape::free_block(object, layout);
        }
    }

    /// Called by whoever dropped the last strong handle.
    HEAPWRIGHT_ALWAYS_INLINE static void end(Object* object) noexcept {
        if constexpr (Ends::kIsTrivial) {
            finish(object);  // no handle dies with it
        } else {
            Reaper& reaper = t_reaper;
            if (HEAPWRIGHT_UNLIKELY(reaper.is_active)) {
                park(object);
                return;
            }
            reaper.is_active = true;
            finish(object);
            if (HEAPWRIGHT_UNLIKELY(reaper.top != nullptr)) {
                reaper.run();
            }
            reaper.is_active = false;
        }
    }

    /// The weak handles' part of it: the last one gives back the block of an object that is dead already.
    HEAPWRIGHT_ALWAYS_INLINE static void drop_weak(Object* object) noexcept {
        if (Shape::counts(object).drop_weak()) {
            Shape::free_block(object, Ends::layout(object));
        }
    }

private:
    HEAPWRIGHT_NOINLINE static void park(Object* object) noexcept {
        auto& counts = Shape::counts(object);
        if (counts.is_alone()) {
            counts.set_link(t_parked.first);
            t_parked.first = untyped(object);
        } else {
            void* const memory = Blocks::try_allocate(Layout::of<Parked::Record>());
            if (memory == nullptr) {
                finish(object);  // deeper on the stack, but not lost
                return;
            }
            t_parked.watched = ::new (memory) Parked::Record{.object = untyped(object), .next = t_parked.watched};
        }
        t_reaper.list(t_parked);
    }

    static void reap(Parked& parked) noexcept {
        Object* object = nullptr;
        if (parked.first != nullptr) {
            object = static_cast<Object*>(parked.first);
            parked.first = Shape::counts(object).take_link();
        } else {
            Parked::Record* const record = parked.watched;
            object = static_cast<Object*>(record->object);
            parked.watched = record->next;
            Blocks::deallocate(record, Layout::of<Parked::Record>());
        }
        finish(object);
    }

    [[nodiscard]] static void* untyped(Object* object) noexcept { return const_cast<void*>(static_cast<const volatile void*>(object)); }

    inline static constinit thread_local Parked t_parked __attribute__((tls_model("initial-exec"))){&reap};
};

/// One object.
template <class T, class Policy>
struct ObjectEnds {
    static_assert(std::is_nothrow_destructible_v<T>, "a counted object is destroyed where nothing may throw");

    using Object = T;
    using Shape = detail::Shape<T, Policy>;
    using Blocks = typename Policy::Blocks;

    static constexpr bool kIsTrivial = std::is_trivially_destructible_v<T>;

    /// Of a derived object this is the base's: Blocks that find the layout by themselves, or a prefix, do not need it.
    [[nodiscard]] static constexpr Layout layout(const volatile T* /*object*/) noexcept { return Shape::layout(); }
    HEAPWRIGHT_ALWAYS_INLINE static void destroy(T* object) noexcept { std::destroy_at(object); }
};

/// An array, by its first element.
template <class T, class Policy>
struct ArrayEnds {
    static_assert(std::is_nothrow_destructible_v<T>, "counted elements are destroyed where nothing may throw");

    using Object = T;
    using Shape = detail::Shape<T, Policy, std::size_t>;
    using Blocks = typename Policy::Blocks;

    static constexpr bool kIsTrivial = std::is_trivially_destructible_v<T>;

    [[nodiscard]] static Layout layout(const volatile T* first) noexcept {
        return {.size = Shape::offset() + Shape::length(first) * sizeof(T), .alignment = Shape::alignment()};
    }
    static void destroy(T* first) noexcept {
        for (std::size_t left = Shape::length(first); left > 0; --left) {
            std::destroy_at(first + left - 1);
        }
    }
};

}  // namespace heapwright::detail
