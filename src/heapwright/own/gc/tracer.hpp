// Tracer: what a type's trace function hands its members to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <ranges>
#include <type_traits>
#include <utility>

#include <heapwright/base/platform.hpp>
#include <heapwright/own/gc/detail/layout.hpp>
#include <heapwright/own/gc/ptr.hpp>
#include <heapwright/own/gc/type_info.hpp>

namespace heapwright::gc {

template <class T>
class Weak;
template <class K, class V>
class WeakMap;
template <class T>
class TracedAllocator;

namespace detail {

/// What a visit to a member means at the moment.
enum class TraceMode : std::uint8_t {
    mark,        // what is not marked becomes so
    keep_young,  // the same, but what is young stays so and its place is remembered
    evacuate,    // the same as mark, and objects of sparse blocks move
    only_young,  // the same as mark, but most members refer to old objects: line bytes are asked first, as they are fewer
    report,      // each edge is told to a function
};

template <class C>
concept StandardContainer = std::ranges::forward_range<const C> && requires { typename C::allocator_type; };
template <class T>
inline constexpr bool kIsExactPtr = false;
template <class T>
inline constexpr bool kIsExactPtr<Ptr<T>> = !Mixin<T>;
/// Refers to the start of its object.
template <class T>
concept ExactPtr = kIsExactPtr<T>;
template <class T>
concept Pair = requires(const T& pair) {
    typename T::first_type;
    typename T::second_type;
    pair.first;
    pair.second;
};

}  // namespace detail

/// Follows members. A trace function calls it with each member that refers to collected objects, in any order.
///
/// Example: `void trace(gc::Tracer& tracer) const { tracer(left, right, children); }`
class Tracer {
public:
    Tracer(const Tracer&) = delete;
    Tracer& operator=(const Tracer&) = delete;

    template <class... Members>
    HEAPWRIGHT_ALWAYS_INLINE void operator()(const Members&... members) {
        (visit(members), ...);
    }

    template <class T>
    HEAPWRIGHT_ALWAYS_INLINE void visit(const Ptr<T>& member) {
        if constexpr (Mixin<T>) {
            interior_edge(slot_of(&member.target_));
        } else {
            edge(slot_of(&member.target_));
        }
    }
    template <class T>
    void visit(const Weak<T>& member) {
        weak_edge(slot_of(&member.target_));
    }
    template <class K, class V>
    void visit(const WeakMap<K, V>& member) {
        visit(member.table_);
    }
    template <Leaf T>
    void visit(const T&) {}
    template <class T, std::size_t N>
    void visit(const T (&members)[N]) {
        for (const T& member : members) {
            visit(member);
        }
    }
    /// Standard containers: each element. Their memory must come from gc::TracedAllocator, so that the collector hears of
    /// changes.
    template <detail::StandardContainer C>
        requires(!TracedByMember<C> && !Leaf<C>)
    void visit(const C& container) {
        if constexpr (!leaf_elements<typename C::value_type>()) {
            using Allocator = typename C::allocator_type;
            static_assert(std::is_same_v<Allocator, TracedAllocator<typename Allocator::value_type>>,
                          "a standard container of collected pointers needs gc::TracedAllocator as its allocator");
            if constexpr (std::ranges::contiguous_range<const C> && detail::ExactPtr<typename C::value_type>) {
                if (container.size() > kAtOnce && defer_slots(container.data(), container.data() + container.size())) {
                    return;
                }
            }
            for (const auto& element : container) {
                visit(element);
            }
        }
    }
    template <detail::Pair P>
        requires(!TracedByMember<P>)
    void visit(const P& pair) {
        visit(pair.first);
        visit(pair.second);
    }
    /// std::array of anything that can be visited.
    template <class A>
        requires(!TracedByMember<A> && !Leaf<A> && requires { std::tuple_size<A>::value; } && std::ranges::range<const A>)
    void visit(const A& members) {
        for (const auto& member : members) {
            visit(member);
        }
    }
    /// A member that is itself of a traced class, by value.
    template <class T>
        requires(TracedByMember<T> || TracedByTuple<T> || TracedByTemplate<T> || TracedFromOutside<T>)
    void visit(const T& member) {
        detail::trace_object(member, *this);
    }
    /// Anything else is a mistake, and is told in one sentence.
    template <class T>
        requires(!Traced<T> && !detail::StandardContainer<T> && !detail::Pair<T> && !std::ranges::range<const T>)
    void visit(const T&) {
        static_assert(
            Traced<T>,
            "this member's type does not say what it refers to: give it `void trace(gc::Tracer& tracer) const`, a tuple `gc_members` "
            "of member pointers, or `static constexpr bool gc_leaf = true` if it refers to nothing collected");
    }

protected:
    using EdgeFunction = void (*)(void** slot, bool is_weak, void* context) noexcept;

    explicit Tracer(detail::TraceMode mode) noexcept : mode_(mode) {}
    ~Tracer() = default;

    /// Marks what `*slot` refers to and puts it on the stack, unless that was done.
    HEAPWRIGHT_ALWAYS_INLINE void edge(void** slot) noexcept {
        void* const object = *slot;
        if (object == nullptr) {
            return;
        }
        if (HEAPWRIGHT_UNLIKELY(mode_ != detail::TraceMode::mark)) {
            edge_slow(slot);
            return;
        }
        const detail::Header* const header = detail::header_of(object);
        std::uint8_t* const mark = detail::mark_of(header);
        const std::uint8_t was = detail::load_byte(mark);
        if ((was & detail::kMarkEpochs) == epoch_) {
            return;
        }
        detail::store_byte(mark, static_cast<std::uint8_t>(epoch_ | detail::half_of(header) | (was & detail::kMarkStays)));
        push(object);
    }
    HEAPWRIGHT_ALWAYS_INLINE void push(void* object) noexcept {
        if (HEAPWRIGHT_UNLIKELY(top_ == limit_)) {
            push_slow(object);
            return;
        }
        *top_++ = object;
    }
    void edge_slow(void** slot) noexcept;
    [[nodiscard]] bool defer_slots(const void* begin, const void* end) noexcept;
    void interior_edge(void** slot) noexcept;
    void weak_edge(void** slot) noexcept;
    HEAPWRIGHT_COLD void push_slow(void* object) noexcept;

    static constexpr std::size_t kAtOnce = 1024;  // elements of a container

    void** top_ = nullptr;
    void** limit_ = nullptr;
    detail::TraceMode mode_;
    std::uint8_t epoch_ = 0;
    EdgeFunction report_ = nullptr;  // TraceMode::report
    void* context_ = nullptr;

private:
    template <class E>
    [[nodiscard]] static constexpr bool leaf_elements() noexcept {
        if constexpr (detail::Pair<E>) {
            return leaf_elements<std::remove_const_t<typename E::first_type>>() && leaf_elements<typename E::second_type>();
        } else {
            return Leaf<E>;
        }
    }
    template <class T>
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE static void** slot_of(T* const* member) noexcept {
        return reinterpret_cast<void**>(const_cast<T**>(member));  // only evacuation writes through it, with the world stopped
    }
};

}  // namespace heapwright::gc
