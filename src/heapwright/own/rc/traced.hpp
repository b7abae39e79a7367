// How a type says which counted handles it holds, so that a cycle collector can follow them.
//
//   struct Person {                                        struct Folder {
//       Rc<Person> friend_;                                    Rc<Folder> parent;
//       std::vector<Rc<Person>> children;                      std::map<std::string, Rc<Folder>> entries;
//       using traced_members =                                 void trace(auto& visit) const { visit(parent, entries); }
//           Members<&Person::friend_, &Person::children>;  };
//   };
#pragma once

#include <concepts>
#include <type_traits>

#include <heapwright/own/rc/policy.hpp>

namespace heapwright {

/// The members of a type that hold handles, or hold what holds handles: `using traced_members = Members<&Node::next>;`
template <auto... Each>
struct Members {};

namespace detail {

/// Stands for the collector's visitors where the compiler asks whether a type can be traced.
struct AnyVisit {
    template <class... Parts>
    void operator()(const Parts&... parts) const noexcept;
};

template <class T>
concept HasTrace = requires(const T& object, AnyVisit& visit) { object.trace(visit); };
template <class T>
concept HasTracedMembers = requires { typename T::traced_members; };

}  // namespace detail

/// A type that says what it refers to. Its counted objects are nodes of a cycle collector, made by the collector's make().
///
/// A handle that is not named is a handle from outside: what it refers to is kept, and a cycle through it is a leak. A
/// handle that is named twice is a fault that the collector refuses.
///
/// A type may promise `static constexpr bool kHandlesStay = true;`. Then handles leave its objects only by being dropped: none is
/// moved or swapped out of one, alone or with its container, and still there when the collector is called next; it is copied
/// instead. Moving handles in, or about within an object, is no matter. A type derived from it promises the same. Cycles of
/// types that promise it are collected in steps, however large, see BasicCycleCollector::collect(); debug builds find who breaks it.
template <class T>
concept Traced = detail::HasTrace<std::remove_cv_t<T>> || detail::HasTracedMembers<std::remove_cv_t<T>>;

namespace detail {

/// Whether a type promises that handles stay, see Traced.
template <class T>
inline constexpr bool kHandlesStayIn = false;
template <class T>
    requires requires {
        { T::kHandlesStay } -> std::convertible_to<bool>;
    }
inline constexpr bool kHandlesStayIn<T> = T::kHandlesStay;

template <class T>
inline constexpr bool kIsCounted = false;
template <class T, class Policy>
inline constexpr bool kIsCounted<Counted<T, Policy>> = true;
template <class T>
inline constexpr bool kIsWeak = false;
template <class T, class Policy>
inline constexpr bool kIsWeak<WeakCounted<T, Policy>> = true;

/// Whether a wrapper's content holds handles: a traced object, or a handle to one.
template <class T>
struct HoldsHandles {
    static constexpr bool kHolds = Traced<T>;
};
template <class T, class Policy>
struct HoldsHandles<Counted<T, Policy>> {
    static constexpr bool kHolds = Traced<T>;
};
template <class T>
concept HasContent = requires { typename T::value_type; };
template <HasContent T>
    requires(!Traced<T>)
struct HoldsHandles<T> : HoldsHandles<typename T::value_type> {};
template <class T>
concept MayTrace = HoldsHandles<T>::kHolds;

template <class T>
concept Iterable = requires(const T& parts) {
    parts.begin();
    parts.end();
};
template <class T>
concept MaybeHolds = requires(const T& maybe) {
    { maybe.has_value() } -> std::convertible_to<bool>;
    *maybe;
};
template <class T>
concept PairLike = requires(const T& pair) {
    pair.first;
    pair.second;
};
/// Numbers, text and the like: nothing to follow, and not worth a loop.
template <class T>
concept Plain = std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_pointer_v<T> || std::is_empty_v<T> ||
                (Iterable<T> && requires(const T& text) { text.c_str(); });

template <class Visit, class T>
void trace_part(Visit& visit, const T& part) noexcept;

/// A visitor as `trace()` sees it: any number of members in one call.
template <class Visit>
struct Parts {
    Visit& visit;
    template <class... Each>
    HEAPWRIGHT_ALWAYS_INLINE void operator()(const Each&... parts) const noexcept {
        (trace_part(visit, parts), ...);
    }
};

/// Follows what one object names. Noexcept: a collector that stops in the middle would leave counts wrong.
template <class Visit, class T>
HEAPWRIGHT_ALWAYS_INLINE void trace_object(Visit& visit, const T& object) noexcept {
    if constexpr (HasTracedMembers<T>) {
        [&]<auto... Each>(Members<Each...>) { (trace_part(visit, object.*Each), ...); }(typename T::traced_members{});
    } else {
        Parts<Visit> parts{visit};
        object.trace(parts);
    }
}

/// Follows what a container, a pair or an optional holds.
template <class Visit, class T>
HEAPWRIGHT_ALWAYS_INLINE void trace_holder(Visit& visit, const T& holder) noexcept {
    if constexpr (Iterable<T> || std::is_bounded_array_v<T>) {
        for (const auto& each : holder) {
            trace_part(visit, each);
        }
    } else if constexpr (MaybeHolds<T>) {
        if (holder.has_value()) {
            trace_part(visit, *holder);
        }
    } else if constexpr (PairLike<T>) {
        trace_part(visit, holder.first);
        trace_part(visit, holder.second);
    } else {
        static_assert(kIsCounted<T>, "a traced member is a counted handle, a traced object, or a container, pair or optional of such");
    }
}

template <class Visit, class T>
HEAPWRIGHT_ALWAYS_INLINE void trace_handle(Visit& visit, const T& handle) noexcept {
    if constexpr (Traced<typename T::element_type>) {
        if (handle.get() != nullptr) {
            visit.edge(handle.get(), static_cast<typename T::policy_type*>(nullptr));
        }
    }
}

template <class Visit, class T>
HEAPWRIGHT_ALWAYS_INLINE void trace_part(Visit& visit, const T& part) noexcept {
    if constexpr (kIsCounted<T>) {
        trace_handle(visit, part);
    } else if constexpr (Traced<T>) {
        trace_object(visit, part);
    } else if constexpr (!kIsWeak<T> && !Plain<T>) {  // weak handles keep nothing, so there is nothing to follow
        trace_holder(visit, part);
    }
}

}  // namespace detail

}  // namespace heapwright
