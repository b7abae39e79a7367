// What the collector knows of a type: how to find what its objects refer to, how they end, whether they may move.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace heapwright::gc {

class Tracer;

/// To specialise for types that cannot be changed: `static void trace(const T&, Tracer&)`, or
/// `static constexpr bool leaf = true` for one that refers to nothing collected.
template <class T>
struct Trace {};

/// `void trace(gc::Tracer& tracer) const { tracer(left, right); }`. It must neither allocate nor change anything.
template <class T>
concept TracedByMember = requires(const T& object, Tracer& tracer) { object.trace(tracer); };
/// `static constexpr auto gc_members = std::tuple{&Node::left, &Node::right};`
template <class T>
concept TracedByTuple = requires { std::tuple_size<std::remove_cvref_t<decltype(T::gc_members)>>::value; };
/// `template <class V> void trace_members(V&& visit) const { visit(left, right); }`
template <class T>
concept TracedByTemplate = requires(const T& object, Tracer& tracer) { object.trace_members(tracer); };
template <class T>
concept TracedFromOutside = requires(const T& object, Tracer& tracer) { Trace<T>::trace(object, tracer); };

/// Refers to nothing collected: numbers, enumerations, text, and types that say `static constexpr bool gc_leaf = true`.
template <class T>
concept Leaf = std::is_arithmetic_v<T> || std::is_enum_v<T> || requires { requires T::gc_leaf; } || requires { requires Trace<T>::leaf; };

/// Says what it refers to, in one of the ways above.
template <class T>
concept Traced = Leaf<T> || TracedByMember<T> || TracedByTuple<T> || TracedByTemplate<T> || TracedFromOutside<T>;

/// May be moved by its move constructor while nobody looks: `static constexpr bool gc_movable = true`. Then only Ptr, Root,
/// Local and Weak may name its objects; an address kept elsewhere is lost when they move.
template <class T>
concept Movable = requires { requires T::gc_movable; } && std::is_nothrow_move_constructible_v<T>;

/// A base class that may lie anywhere in the object: `static constexpr bool gc_mixin = true`. Pointers to it cost a search.
template <class T>
concept Mixin = requires { requires T::gc_mixin; };

/// A letter or text of the standard library refers to nothing collected.
template <class Letter, class Traits>
struct Trace<std::basic_string_view<Letter, Traits>> {
    static constexpr bool leaf = true;
};

namespace detail {

/// What the marker has to know before it calls `trace`.
enum class ObjectKind : std::uint8_t {
    plain,
    array,       // elements behind one another, which `trace_part` can follow piece by piece
    filler,      // no object: what was left of a run of lines
    words,       // scanned word by word: buffers of standard containers
    ephemerons,  // the table of a weak map
};

/// One for each type, at an address that the header of every object holds.
struct alignas(16) TypeInfo {
    void (*trace)(const void* object, Tracer& tracer);  // nullptr: nothing to follow
    // Only what lies between two addresses, for arrays of which a line was written to; nullptr: always the whole.
    void (*trace_part)(const void* object, const void* begin, const void* end, Tracer& tracer);
    void (*destroy)(void* object);                // nullptr: trivial
    void (*move)(void* to, void* from) noexcept;  // nullptr: stays where it is
    std::string_view name;
    ObjectKind kind;
};

/// "app::Node", cut from what the compiler calls this function.
template <class T>
[[nodiscard]] constexpr std::string_view type_name() noexcept {
    const std::string_view whole = __PRETTY_FUNCTION__;
    std::size_t begin = 0;
    while (begin + 4 <= whole.size() && !(whole[begin] == 'T' && whole[begin + 1] == ' ' && whole[begin + 2] == '=')) {
        ++begin;
    }
    begin += 4;
    std::size_t end = begin;
    int depth = 0;
    while (end < whole.size() && !(depth == 0 && (whole[end] == ';' || whole[end] == ']'))) {
        depth += whole[end] == '[' || whole[end] == '<' || whole[end] == '(' ? 1 : 0;
        depth -= whole[end] == ']' || whole[end] == '>' || whole[end] == ')' ? 1 : 0;
        ++end;
    }
    return end <= whole.size() && begin <= end ? std::string_view(whole.data() + begin, end - begin) : whole;
}

// The tracer's type is a parameter, because Tracer is not whole yet.
template <class T, class AnyTracer>
void trace_object(const T& object, AnyTracer& tracer) {
    if constexpr (Leaf<T>) {
    } else if constexpr (TracedByMember<T>) {
        object.trace(tracer);
    } else if constexpr (TracedByTuple<T>) {
        std::apply([&](auto... members) { (tracer.visit(object.*members), ...); }, T::gc_members);
    } else if constexpr (TracedByTemplate<T>) {
        object.trace_members(tracer);
    } else if constexpr (TracedFromOutside<T>) {
        Trace<T>::trace(object, tracer);
    } else {
        static_assert(Traced<T>,
                      "this type does not say what it refers to: give it `void trace(gc::Tracer& tracer) const`, a tuple `gc_members` of "
                      "member pointers, or `static constexpr bool gc_leaf = true` if it refers to nothing collected");
    }
}

template <class T>
[[nodiscard]] constexpr auto tracing_function() noexcept -> void (*)(const void*, Tracer&) {
    static_assert(Traced<T>,
                  "this type does not say what it refers to: give it `void trace(gc::Tracer& tracer) const`, a tuple `gc_members` of "
                  "member pointers, or `static constexpr bool gc_leaf = true` if it refers to nothing collected");
    if constexpr (Leaf<T>) {
        return nullptr;
    } else {
        return [](const void* object, Tracer& tracer) { trace_object(*static_cast<const T*>(object), tracer); };
    }
}

template <class T>
[[nodiscard]] constexpr auto destroying_function() noexcept -> void (*)(void*) {
    if constexpr (std::is_trivially_destructible_v<T>) {
        return nullptr;
    } else {
        return [](void* object) { static_cast<T*>(object)->~T(); };
    }
}

template <class T>
[[nodiscard]] constexpr auto moving_function() noexcept -> void (*)(void*, void*) noexcept {
    if constexpr (Movable<T>) {
        return [](void* to, void* from) noexcept {
            ::new (to) T(std::move(*static_cast<T*>(from)));
            static_cast<T*>(from)->~T();
        };
    } else {
        return nullptr;
    }
}

template <class T>
inline constexpr TypeInfo kTypeInfo{.trace = tracing_function<T>(),
                                    .trace_part = nullptr,
                                    .destroy = destroying_function<T>(),
                                    .move = moving_function<T>(),
                                    .name = type_name<T>(),
                                    .kind = ObjectKind::plain};

extern const TypeInfo kFillerType;

}  // namespace detail

}  // namespace heapwright::gc
