// Any allocator of the library as a std::pmr::memory_resource, and any memory_resource as a source of the library.
#pragma once

#include <concepts>
#include <cstddef>
#include <memory_resource>
#include <new>
#include <utility>

#include <heapwright/alloc/adapt/allocator_traits.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright {

namespace detail {

/// What a memory_resource does, whoever holds the allocator.
template <BlockSource A>
class ResourceCalls {
public:
    HEAPWRIGHT_ALWAYS_INLINE static void* allocate(A& allocator, Layout layout) {
        if constexpr (HasShortWay<A>) {
            void* const block = allocator.try_allocate_fast(layout);
            return HEAPWRIGHT_LIKELY(block != nullptr) ? block : allocate_or_throw(allocator, layout);
        } else {
            return allocate_or_throw(allocator, layout);
        }
    }
    HEAPWRIGHT_ALWAYS_INLINE static void deallocate([[maybe_unused]] A& allocator, [[maybe_unused]] void* block,
                                                    [[maybe_unused]] Layout layout) noexcept {
        if constexpr (!kFreesNothing<A>) {
            allocator.deallocate(block, layout);
        }
    }

private:
    HEAPWRIGHT_NOINLINE static void* allocate_or_throw(A& allocator, Layout layout) {
        // What is larger could wrap when it is rounded, and nobody has it.
        void* const block = layout.size > Layout::kLargestSize / 2 ? nullptr : allocator.try_allocate(layout);
        if (block == nullptr) {
            throw std::bad_alloc{};
        }
        return block;
    }
};

}  // namespace detail

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
        return detail::ResourceCalls<A>::allocate(*allocator_, {.size = bytes, .alignment = alignment});
    }
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        detail::ResourceCalls<A>::deallocate(*allocator_, block, {.size = bytes, .alignment = alignment});
    }
    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        const auto* const same = dynamic_cast<const Resource*>(&other);
        return same != nullptr && same->allocator_ == allocator_;
    }

    A* allocator_;
};

/// A memory_resource with the allocator inside: a drop-in for std::pmr::monotonic_buffer_resource and its like, and a load
/// cheaper a call than Resource. Equal to itself only.
///
/// Cost, Fails, Thread safety: as Resource.
/// Example:  `OwningResource<Pool> nodes{Layout{64, 8}, os::kPages}; std::pmr::list<int> numbers{&nodes};`
template <BlockSource A>
class OwningResource final : public std::pmr::memory_resource {
public:
    template <class... Args>
        requires std::constructible_from<A, Args...>
    explicit OwningResource(Args&&... args) : allocator_(std::forward<Args>(args)...) {}
    OwningResource(const OwningResource&) = delete;
    OwningResource& operator=(const OwningResource&) = delete;
    ~OwningResource() override = default;

    [[nodiscard]] A& allocator() noexcept { return allocator_; }

private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return detail::ResourceCalls<A>::allocate(allocator_, {.size = bytes, .alignment = alignment});
    }
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        if constexpr (HasShortWayBack<A>) {
            if (HEAPWRIGHT_LIKELY(allocator_.deallocate_fast(block))) {
                return;
            }
            deallocate_slow(block);
        } else {
            detail::ResourceCalls<A>::deallocate(allocator_, block, {.size = bytes, .alignment = alignment});
        }
    }
    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

    /// Takes the resource and not the allocator, so that the usual way computes no address for it.
    HEAPWRIGHT_NOINLINE void deallocate_slow(void* block) noexcept { allocator_.deallocate(block); }

    A allocator_;
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
