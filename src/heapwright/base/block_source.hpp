// Where an allocator gets its chunks from: the concept, and a view of any such source that needs no template.
#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>

#include <heapwright/base/layout.hpp>

namespace heapwright {

/// Something that gives whole blocks and takes them back. Every allocator of the library is one, so that each can stand
/// on any other; tests stand them on sources that count and fail.
template <class S>
concept BlockSource = requires(S& source, Layout layout, void* block) {
    { source.try_allocate(layout) } noexcept -> std::same_as<void*>;  // nullptr: none left
    { source.deallocate(block, layout) } noexcept;                    // the layout that was asked for
};

/// A block that may be larger than what was asked for; all of it is the caller's. `start` is nullptr when refused.
struct SizedBlock {
    void* start;
    std::size_t size_bytes;
};

/// A view of a BlockSource that must outlive every copy of the view. The default one gives nothing: an allocator on it
/// has only what it was built with.
///
/// Cost:     an indirect call. Allocators ask their source once per chunk, so none of them is a template over it.
class SourceRef {
public:
    constexpr SourceRef() noexcept = default;

    template <class S>
        requires(!std::same_as<std::remove_cv_t<S>, SourceRef> && BlockSource<S>)
    // Implicit, so that `Arena arena{source}` reads as what it means.
    constexpr SourceRef(S& source) noexcept : source_(&source), calls_(&kCalls<S>) {}

    /// Returns:  a block, or nullptr.
    [[nodiscard]] void* try_allocate(Layout layout) const noexcept {
        return calls_ == nullptr ? nullptr : calls_->try_allocate(source_, layout);
    }

    /// Requires: `block` came from this source, for this layout.
    void deallocate(void* block, Layout layout) const noexcept { calls_->deallocate(source_, block, layout); }

    /// Whether it can give anything at all.
    [[nodiscard]] constexpr explicit operator bool() const noexcept { return calls_ != nullptr; }

    friend constexpr bool operator==(const SourceRef&, const SourceRef&) noexcept = default;

private:
    struct Calls {
        void* (*try_allocate)(const void* source, Layout layout) noexcept;
        void (*deallocate)(const void* source, void* block, Layout layout) noexcept;
    };

    template <class S>
    static S& source_of(const void* source) noexcept {
        return *static_cast<S*>(const_cast<void*>(source));  // it was given as an S&, so it is not const unless S is
    }

    template <class S>
    static constexpr Calls kCalls{
        .try_allocate = [](const void* source, Layout layout) noexcept -> void* { return source_of<S>(source).try_allocate(layout); },
        .deallocate = [](const void* source, void* block, Layout layout) noexcept { source_of<S>(source).deallocate(block, layout); },
    };

    const void* source_ = nullptr;
    const Calls* calls_ = nullptr;
};

static_assert(BlockSource<SourceRef>);

}  // namespace heapwright
