// Size and alignment of a block: the request every allocator understands, with arithmetic that cannot overflow unseen.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/error.hpp>

namespace heapwright {

/// What a block must look like.
///
///   L1  alignment is a power of two
///   L2  size, rounded up to alignment, is at most kLargestSize
///
/// of, array, make, extend, repeat and padded keep both. A Layout written by hand with braces is the writer's own
/// responsibility; allocators check it with is_valid() where a wrong one would damage memory.
struct Layout {
    /// Differences of pointers into one block must fit std::ptrdiff_t.
    static constexpr std::size_t kLargestSize = PTRDIFF_MAX;

    std::size_t size = 0;
    std::size_t alignment = 1;

    /// The layout of one T.
    template <class T>
    [[nodiscard]] static constexpr Layout of() noexcept {
        return Layout{.size = sizeof(T), .alignment = alignof(T)};
    }

    /// The layout of `count` T in a row.
    ///
    /// Fails:    overflow when the bytes exceed kLargestSize.
    template <class T>
    [[nodiscard]] static constexpr Result<Layout> array(std::size_t count) noexcept {
        std::size_t bytes = 0;
        if (multiply_overflows(sizeof(T), count, &bytes)) {
            return fail_with(Errc::overflow, count);
        }
        return make(bytes, alignof(T));
    }

    /// Fails:    invalid_argument when alignment is no power of two; overflow when the rounded size exceeds kLargestSize.
    [[nodiscard]] static constexpr Result<Layout> make(std::size_t size, std::size_t alignment) noexcept {
        const Layout layout{.size = size, .alignment = alignment};
        if (!is_power_of_two(alignment)) {
            return fail_with(Errc::invalid_argument, alignment);
        }
        if (!layout.is_valid()) {
            return fail_with(Errc::overflow, size);
        }
        return layout;
    }

    /// Whether L1 and L2 hold.
    [[nodiscard]] constexpr bool is_valid() const noexcept { return broken_invariant() == nullptr; }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] constexpr const char* broken_invariant() const noexcept {
        if (!is_power_of_two(alignment)) {
            return "L1: the alignment is no power of two";
        }
        std::size_t rounded = 0;
        if (align_up_overflows(size, alignment, &rounded) || rounded > kLargestSize) {
            return "L2: the size rounded up to the alignment is too large";
        }
        return nullptr;
    }

    struct Extended;
    struct Repeated;

    /// This layout followed by `next`, as the members of a struct follow each other.
    ///
    /// Returns:  the layout of both, without padding at the end, and where `next` begins in it.
    /// Fails:    overflow.
    [[nodiscard]] constexpr Result<Extended> extend(Layout next) const noexcept;

    /// `count` of this layout in a row, each aligned.
    ///
    /// Returns:  the layout of all, the last one padded as well, and the distance from one to the next.
    /// Fails:    overflow.
    [[nodiscard]] constexpr Result<Repeated> repeat(std::size_t count) const noexcept;

    /// This layout with its size rounded up to its alignment. Cannot fail, by L2.
    [[nodiscard]] constexpr Layout padded() const noexcept { return Layout{.size = align_up(size, alignment), .alignment = alignment}; }

    friend constexpr bool operator==(const Layout&, const Layout&) noexcept = default;
};

struct Layout::Extended {
    Layout layout;
    std::size_t offset;  // where the second part begins, in bytes
};

struct Layout::Repeated {
    Layout layout;
    std::size_t stride;  // from the start of one to the start of the next, in bytes
};

constexpr Result<Layout::Extended> Layout::extend(Layout next) const noexcept {
    std::size_t offset = 0;
    std::size_t end = 0;
    if (align_up_overflows(size, next.alignment, &offset) || add_overflows(offset, next.size, &end)) {
        return fail_with(Errc::overflow, next.size);
    }
    const Result<Layout> both = make(end, alignment < next.alignment ? next.alignment : alignment);
    if (!both) {
        return std::unexpected(both.error());
    }
    return Extended{.layout = *both, .offset = offset};
}

constexpr Result<Layout::Repeated> Layout::repeat(std::size_t count) const noexcept {
    const std::size_t stride = padded().size;
    std::size_t bytes = 0;
    if (multiply_overflows(stride, count, &bytes)) {
        return fail_with(Errc::overflow, count);
    }
    const Result<Layout> all = make(bytes, alignment);
    if (!all) {
        return std::unexpected(all.error());
    }
    return Repeated{.layout = *all, .stride = stride};
}

}  // namespace heapwright
