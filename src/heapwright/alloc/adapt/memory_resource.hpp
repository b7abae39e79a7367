// Any allocator of the library as a std::pmr::memory_resource, and any memory_resource as a source of the library.
#pragma once

#include <cstddef>
#include <memory_resource>
#include <new>

#include <heapwright/alloc/adapt/allocator_traits.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright {

/// A memory_resource over an allocator that must outlive it. Two are equal if they stand on the same allocator.
///
/// Cost:     the virtual call and the allocator's own; giving back to an arena is the virtual call alone.
/// Fails:    std::bad_alloc where the allocator refuses.
/// Thread safety: that of the allocator.
/// Example:  `Resource resource{arena}; std::pmr::vector<int> numbers{&resource};`
template <BlockSource A>
class Resource final : public std::pmr::memory_resource {
public:
    explicit Resource(A& allocator) noexcept : allocator_(&allocator) {}

    [[nodiscard]] A& allocator() const noexcept { return *allocator_; }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (HEAPWRIGHT_UNLIKELY(bytes > Layout::kLargestSize / 2)) {  // so large that rounding could wrap; nobody has it
            refuse();
        }
        void* const block = allocator_->try_allocate({.size = bytes, .alignment = alignment});
        if (HEAPWRIGHT_UNLIKELY(block == nullptr)) {
            refuse();
        }
        return block;
    }
    void do_deallocate([[maybe_unused]] void* block, [[maybe_unused]] std::size_t bytes, [[maybe_unused]] std::size_t alignment) override {
        if constexpr (!kFreesNothing<A>) {
            allocator_->deallocate(block, {.size = bytes, .alignment = alignment});
        }
    }
    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        const auto* const same = dynamic_cast<const Resource*>(&other);
        return same != nullptr && same->allocator_ == allocator_;
    }

    [[noreturn]] HEAPWRIGHT_COLD static void refuse() { throw std::bad_alloc{}; }

    A* allocator_;
};

/// The other direction: a memory_resource, which must outlive it, as a source of chunks. What the resource throws becomes a
/// refusal.
///
/// Thread safety: that of the resource.
/// Example:  `ResourceSource below{*std::pmr::get_default_resource()}; Arena arena{below};`
class ResourceSource {
public:
    explicit ResourceSource(std::pmr::memory_resource& resource) noexcept : resource_(&resource) {}

    [[nodiscard]] void* try_allocate(Layout layout) const noexcept {
        try {
            return resource_->allocate(layout.size, layout.alignment);
        } catch (...) {
            return nullptr;
        }
    }
    void deallocate(void* block, Layout layout) const noexcept { resource_->deallocate(block, layout.size, layout.alignment); }

private:
    std::pmr::memory_resource* resource_;
};

static_assert(BlockSource<ResourceSource>);

}  // namespace heapwright
