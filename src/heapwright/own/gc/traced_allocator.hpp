// TracedAllocator: lets standard containers of collected pointers be members of collected objects.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/heap.hpp>
#include <heapwright/own/gc/ptr.hpp>
#include <heapwright/own/gc/tracer.hpp>

namespace heapwright::gc {

namespace detail {

/// Memory inside the heap that lives until it is given back; what it holds is looked at word by word.
[[nodiscard]] void* allocate_buffer(Heap& heap, std::size_t bytes) noexcept;
void release_buffer(void* buffer) noexcept;
/// An element is about to end: while marking in steps the heap must hear of what it refers to.
void tell_members(const void* element, void (*trace)(const void*, Tracer&)) noexcept;
void remember_words(const void* begin, std::size_t bytes) noexcept;
/// A container hands its buffers to another one, while some heap marks in steps.
void note_moved_container(Heap& heap) noexcept;

template <class T>
void visit_element(const void* element, Tracer& tracer) {
    tracer.visit(*static_cast<const T*>(element));
}

}  // namespace detail

/// The allocator of a container that is a member of a collected object, or on a stack that the heap scans. The owner's trace
/// function hands the container to the tracer. Containers move their elements without the owner's knowledge; this tells the
/// collector.
///
/// Requires: elements are aligned to 8 bytes at most (checked when compiled); no gc::Weak among them. Elements come from one container
///           into another by copy, move, swap or splice, not by merge() or extract(), of which the collector hears nothing.
/// Cost:     an allocation as gc::make with 8 bytes more, and a list of all buffers that full collections go through.
/// Example:  `std::vector<gc::Ptr<Node>, gc::TracedAllocator<gc::Ptr<Node>>> children{heap};`
template <class T>
class TracedAllocator {
public:
    using value_type = T;
    using propagate_on_container_move_assignment = std::true_type;
    using propagate_on_container_swap = std::true_type;
    using is_always_equal = std::false_type;

    TracedAllocator(Heap& heap) noexcept : heap_(&heap) {}
    TracedAllocator(const TracedAllocator&) noexcept = default;
    TracedAllocator& operator=(const TracedAllocator&) noexcept = default;
    template <class U>
    TracedAllocator(const TracedAllocator<U>& other) noexcept : heap_(other.heap_) {}
    // A container that is moved or swapped moves its allocator, too, and one that takes another's nodes compares theirs.
    TracedAllocator(TracedAllocator&& other) noexcept : heap_(other.heap_) { note_move(); }
    TracedAllocator& operator=(TracedAllocator&& other) noexcept {
        heap_ = other.heap_;
        note_move();
        return *this;
    }
    ~TracedAllocator() = default;

    /// Requires: memory suffices (checked).
    [[nodiscard]] T* allocate(std::size_t count) {
        static_assert(alignof(T) <= detail::kUnitBytes, "elements of a container in a collected heap are aligned to 8 bytes at most");
        void* const buffer = count <= PTRDIFF_MAX / sizeof(T) ? detail::allocate_buffer(*heap_, count * sizeof(T)) : nullptr;
        HEAPWRIGHT_CHECK(buffer != nullptr, "out of memory: the collected heap's limit or the system refused the buffer of a container");
        return static_cast<T*>(buffer);
    }
    void deallocate(T* buffer, std::size_t) noexcept { detail::release_buffer(buffer); }

    template <class U, class... Args>
    void construct(U* element, Args&&... args) {
        ::new (static_cast<void*>(element)) U(std::forward<Args>(args)...);
        if constexpr (!Leaf<U>) {
            detail::remember_words(element, sizeof(U));
        }
    }
    template <class U>
    void destroy(U* element) noexcept {
        if constexpr (!Leaf<U> && requires(Tracer& tracer) { tracer.visit(*element); }) {
            // Relaxed: see before_overwrite.
            if (HEAPWRIGHT_UNLIKELY(__atomic_load_n(&detail::marking_heaps, __ATOMIC_RELAXED) != 0)) {
                detail::tell_members(element, &detail::visit_element<U>);
            }
        }
        element->~U();
    }

    friend bool operator==(const TracedAllocator& a, const TracedAllocator& b) noexcept {
        a.note_move();
        return a.heap_ == b.heap_;
    }

private:
    void note_move() const noexcept {
        // Relaxed: see before_overwrite.
        if (HEAPWRIGHT_UNLIKELY(__atomic_load_n(&detail::marking_heaps, __ATOMIC_RELAXED) != 0)) {
            detail::note_moved_container(*heap_);
        }
    }

    template <class U>
    friend class TracedAllocator;
    Heap* heap_;
};

}  // namespace heapwright::gc
