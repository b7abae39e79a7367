// Any allocator of the library as the allocator of a standard container, without a virtual call.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>

#include <heapwright/alloc/adapt/allocator_traits.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright {

#if defined(__cpp_lib_allocate_at_least)
template <class Pointer>
using AllocationResult = std::allocation_result<Pointer>;
#else
/// std::allocation_result, which this standard library does not have yet.
template <class Pointer>
struct AllocationResult {
    Pointer ptr;
    std::size_t count;
};
#endif

/// A handle on an allocator that must outlive every container which uses it.
///
/// On an arena deallocate does nothing and compiles to nothing: that is where std::pmr loses most of its time. The handle
/// moves with a container that is moved or swapped, so that moving never copies elements; a copy keeps its own.
/// Fails:    std::bad_alloc where the allocator refuses, std::bad_array_new_length where no size could serve.
/// Thread safety: that of the allocator.
/// Example:  `std::vector<int, StandardAllocator<int, Arena>> numbers{arena};`
template <class T, BlockSource A>
class StandardAllocator {
public:
    using value_type = T;
    using propagate_on_container_copy_assignment = std::false_type;
    using propagate_on_container_move_assignment = std::true_type;
    using propagate_on_container_swap = std::true_type;
    using is_always_equal = std::false_type;

    // Implicit, so that a container can be made from the allocator itself.
    StandardAllocator(A& allocator) noexcept : allocator_(&allocator) {}
    template <class Other>
    StandardAllocator(const StandardAllocator<Other, A>& other) noexcept : allocator_(&other.allocator()) {}

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE T* allocate(std::size_t count) {
        void* block = nullptr;
        if constexpr (FixesSizes<A>) {
            // A node's size is known here, and an arena is faster at it; for the others this test folds away.
            if (__builtin_constant_p(count) != 0 && count == 1) {
                block = allocator_->template try_allocate_fixed<sizeof(T), alignof(T)>();
            } else {
                block = allocator_->try_allocate(layout_of(count));
            }
        } else {
            block = allocator_->try_allocate(layout_of(count));
        }
        if (HEAPWRIGHT_UNLIKELY(block == nullptr)) {
            refuse();
        }
        return static_cast<T*>(block);
    }

    /// As allocate, with all that was rounded up: a container that grows needs to grow less often.
    [[nodiscard]] AllocationResult<T*> allocate_at_least(std::size_t count) {
        const SizedBlock block = allocate_at_least_from(*allocator_, layout_of(count));
        if (block.start == nullptr) {
            refuse();
        }
        return {static_cast<T*>(block.start), block.size_bytes / sizeof(T)};
    }

    HEAPWRIGHT_ALWAYS_INLINE void deallocate([[maybe_unused]] T* block, [[maybe_unused]] std::size_t count) noexcept {
        if constexpr (!kFreesNothing<A>) {
            allocator_->deallocate(block, Layout{.size = count * sizeof(T), .alignment = alignof(T)});
        }
    }

    [[nodiscard]] A& allocator() const noexcept { return *allocator_; }

    template <class Other>
    [[nodiscard]] bool operator==(const StandardAllocator<Other, A>& other) const noexcept {
        return allocator_ == &other.allocator();
    }

private:
    [[nodiscard]] static Layout layout_of(std::size_t count) {
        if (HEAPWRIGHT_UNLIKELY(count > Layout::kLargestSize / sizeof(T))) {
            throw std::bad_array_new_length{};
        }
        return {.size = count * sizeof(T), .alignment = alignof(T)};
    }
    [[noreturn]] HEAPWRIGHT_COLD static void refuse() { throw std::bad_alloc{}; }

    A* allocator_;
};

}  // namespace heapwright
