// make: new objects in a collected heap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/own/gc/detail/mutator.hpp>
#include <heapwright/own/gc/heap.hpp>
#include <heapwright/own/gc/ptr.hpp>
#include <heapwright/own/gc/tracer.hpp>
#include <heapwright/own/gc/type_info.hpp>

namespace heapwright::gc {

/// Elements behind one header, as many as were asked for.
template <class T>
class Array {
public:
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] T* data() noexcept { return reinterpret_cast<T*>(this + 1); }
    [[nodiscard]] const T* data() const noexcept { return reinterpret_cast<const T*>(this + 1); }
    [[nodiscard]] T* begin() noexcept { return data(); }
    [[nodiscard]] T* end() noexcept { return data() + size_; }
    [[nodiscard]] const T* begin() const noexcept { return data(); }
    [[nodiscard]] const T* end() const noexcept { return data() + size_; }
    /// Requires: index < size() (asserted).
    [[nodiscard]] T& operator[](std::size_t index) noexcept {
        HEAPWRIGHT_ASSERT(index < size_, "an index beyond the end of a gc::Array");
        return data()[index];
    }
    [[nodiscard]] const T& operator[](std::size_t index) const noexcept {
        HEAPWRIGHT_ASSERT(index < size_, "an index beyond the end of a gc::Array");
        return data()[index];
    }
    void trace(Tracer& tracer) const {
        if constexpr (!Leaf<T>) {
            for (const T& element : *this) {
                tracer.visit(element);
            }
        }
    }

    explicit Array(std::size_t size) noexcept : size_(size) {}
    ~Array()
        requires(std::is_trivially_destructible_v<T>)
    = default;
    ~Array() {
        for (T& element : *this) {
            element.~T();
        }
    }
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;

private:
    static_assert(alignof(T) <= alignof(std::max_align_t), "the elements of a gc::Array are aligned to 16 bytes at most");
    // Elements begin behind it; 16 bytes where they need that.
    alignas(alignof(T) > alignof(std::size_t) ? alignof(T) : alignof(std::size_t)) std::size_t size_;
};

namespace detail {

/// The elements of an array that lie between two addresses.
template <class T>
void trace_elements(const void* object, const void* begin, const void* end, Tracer& tracer) {
    const auto& array = *static_cast<const Array<T>*>(object);
    const T* element = array.begin();
    if (begin > static_cast<const void*>(element)) {
        element += static_cast<std::size_t>(static_cast<const std::byte*>(begin) - reinterpret_cast<const std::byte*>(element)) / sizeof(T);
    }
    for (; element < array.end() && static_cast<const void*>(element) < end; ++element) {
        tracer.visit(*element);
    }
}

template <class T>
[[nodiscard]] constexpr auto part_tracing_function() noexcept -> void (*)(const void*, const void*, const void*, Tracer&) {
    if constexpr (Leaf<T>) {
        return nullptr;
    } else {
        return &trace_elements<T>;
    }
}
template <class T>
[[nodiscard]] constexpr auto array_tracing_function() noexcept -> void (*)(const void*, Tracer&) {
    if constexpr (Leaf<T>) {
        return nullptr;
    } else {
        return tracing_function<Array<T>>();
    }
}

template <class T>
inline constexpr TypeInfo kTypeInfo<Array<T>>{.trace = array_tracing_function<T>(),
                                              .trace_part = part_tracing_function<T>(),
                                              .destroy = destroying_function<Array<T>>(),
                                              .move = nullptr,
                                              .name = type_name<Array<T>>(),
                                              .kind = Leaf<T> ? ObjectKind::plain : ObjectKind::array};

/// What an allocation in the middle of an expression must not lose: the references among its arguments.
template <class T>
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* kept(const T&) noexcept {
    return nullptr;
}
template <class T>
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* kept(const Ptr<T>& argument) noexcept {
    return const_cast<void*>(static_cast<const volatile void*>(argument.get()));
}

/// Notes that a constructor runs. Without a call in the constructor, the compiler removes both stores.
class ConstructionScope {
public:
    HEAPWRIGHT_ALWAYS_INLINE ConstructionScope(Mutator& mutator, void* object) noexcept
        : mutator_(mutator), construction_{.outer = mutator.constructing, .object = object} {
        mutator_.constructing = &construction_;
    }
    HEAPWRIGHT_ALWAYS_INLINE ~ConstructionScope() { mutator_.constructing = construction_.outer; }
    ConstructionScope(const ConstructionScope&) = delete;
    ConstructionScope& operator=(const ConstructionScope&) = delete;

private:
    Mutator& mutator_;
    Construction construction_;
};

/// A constructor that throws leaves a hole.
struct Abandon {
    void* object;
    HEAPWRIGHT_ALWAYS_INLINE ~Abandon() {
        if (HEAPWRIGHT_UNLIKELY(object != nullptr)) {
            header_of(object)->word = (header_of(object)->word & ~Header::kTypeMask) | reinterpret_cast<std::uint64_t>(&kFillerType);
        }
    }
};

template <class T, class Construct, class... Args>
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE T* make_object(Heap& heap, std::size_t payload_bytes, Construct construct, const Args&... args) {
    Mutator& mutator = mutator_of(heap);
    const std::size_t bytes = object_bytes(payload_bytes);
    void* object = allocate_fast<alignof(T)>(mutator, &kTypeInfo<T>, bytes);
    if (HEAPWRIGHT_UNLIKELY(object == nullptr)) {
        void* const keep[] = {kept(args)..., nullptr};
        object = allocate_slow(mutator, &kTypeInfo<T>, bytes, alignof(T), keep, sizeof...(Args));
        if (object == nullptr) {
            return nullptr;
        }
    }
    T* made = nullptr;
    {
        const ConstructionScope scope(mutator, object);
        Abandon abandon{object};
        made = construct(object);
        abandon.object = nullptr;
    }
    if constexpr (!std::is_trivially_destructible_v<T>) {
        mutator.destructibles.push(object);
    }
    return made;
}

[[nodiscard]] Errc why_refused(const Heap& heap, std::size_t bytes) noexcept;

}  // namespace detail

/// A new T in the heap.
///
/// Fails:    out_of_memory or limit_reached, after a full collection and GcConfig::on_exhaustion.
/// Cost:     12 instructions and the constructor, inlined; now and then a run of lines, a step or a collection.
template <class T, class... Args>
[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE Result<Ptr<T>> try_make(Heap& heap, Args&&... args) {
    T* const object = detail::make_object<T>(heap, sizeof(T), [&](void* at) { return ::new (at) T(std::forward<Args>(args)...); }, args...);
    if (HEAPWRIGHT_UNLIKELY(object == nullptr)) {
        return fail_with(detail::why_refused(heap, sizeof(T)), sizeof(T));
    }
    return Ptr<T>(object);
}

/// A new T in the heap.
///
/// Requires: memory and limit suffice (checked).
/// Example:  `auto node = gc::make<Node>(heap, left, right);`
template <class T, class... Args>
HEAPWRIGHT_ALWAYS_INLINE Ptr<T> make(Heap& heap, Args&&... args) {
    T* const object = detail::make_object<T>(heap, sizeof(T), [&](void* at) { return ::new (at) T(std::forward<Args>(args)...); }, args...);
    HEAPWRIGHT_CHECK(object != nullptr, "out of memory: the collected heap's limit or the system refused; call try_make to go on without");
    return Ptr<T>(object);
}

/// A T with `extra_bytes` behind it, which its own functions and its trace function know how to use.
template <class T, class... Args>
[[nodiscard]] Result<Ptr<T>> try_make_sized(Heap& heap, std::size_t extra_bytes, Args&&... args) {
    if (extra_bytes > PTRDIFF_MAX - sizeof(T)) {
        return fail_with(Errc::overflow, extra_bytes);
    }
    T* const object =
        detail::make_object<T>(heap, sizeof(T) + extra_bytes, [&](void* at) { return ::new (at) T(std::forward<Args>(args)...); }, args...);
    if (object == nullptr) {
        return fail_with(detail::why_refused(heap, extra_bytes), sizeof(T) + extra_bytes);
    }
    return Ptr<T>(object);
}

/// `count` elements, value-initialised: numbers are zero and pointers are nullptr.
template <class T>
[[nodiscard]] Result<Ptr<Array<T>>> try_make_array(Heap& heap, std::size_t count) {
    static_assert(std::is_nothrow_default_constructible_v<T>, "the elements of a gc::Array begin without arguments and without exceptions");
    if (count > (PTRDIFF_MAX - sizeof(Array<T>)) / sizeof(T)) {
        return fail_with(Errc::overflow, count);
    }
    const std::size_t bytes = sizeof(Array<T>) + count * sizeof(T);
    Array<T>* const array = detail::make_object<Array<T>>(heap, bytes, [&](void* at) {
        auto* const made = ::new (at) Array<T>(count);
        for (std::size_t index = 0; index < count; ++index) {
            ::new (made->data() + index) T();
        }
        return made;
    });
    if (array == nullptr) {
        return fail_with(detail::why_refused(heap, bytes), bytes);
    }
    return Ptr<Array<T>>(array);
}

/// As try_make_array.
///
/// Requires: memory and limit suffice (checked).
template <class T>
Ptr<Array<T>> make_array(Heap& heap, std::size_t count) {
    auto array = try_make_array<T>(heap, count);
    HEAPWRIGHT_CHECK(array.has_value(),
                     "out of memory: the collected heap's limit or the system refused; call try_make_array to go on without");
    return *array;
}

}  // namespace heapwright::gc
