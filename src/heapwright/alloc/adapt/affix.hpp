// Something of the program's own beside every block: a note before it, a guard behind it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <type_traits>

#include <heapwright/alloc/adapt/allocator_traits.hpp>
#include <heapwright/alloc/adapt/description.hpp>
#include <heapwright/base/bits.hpp>

namespace heapwright {

/// Nothing behind a block.
struct NoAffix {};

/// Keeps a `Prefix` right before each block of another allocator, and a `Suffix` behind it. Both are made with the block and
/// destroyed before it goes back, so that a suffix whose destructor looks at itself is a guard against writes beyond the end.
///
///   block of `Below` │ padding │ Prefix │ block │ Suffix │
///
/// Cost:     the bytes of both, and what aligning the block behind the prefix takes.
/// Thread safety: that of its part.
/// Example:  `struct Note { const char* who; }; Affixed<Tlsf, Note> heap{tlsf}; ... heap.prefix_of(block).who = "parser";`
template <BlockSource Below, class Prefix, class Suffix = NoAffix>
class Affixed {
    static_assert(std::is_nothrow_default_constructible_v<Prefix> && std::is_nothrow_default_constructible_v<Suffix> &&
                      std::is_nothrow_destructible_v<Prefix> && std::is_nothrow_destructible_v<Suffix>,
                  "what stands beside a block is made and destroyed where nothing may throw");

public:
    explicit Affixed(Below& below) noexcept : below_(below) {}

    /// Returns:  nullptr also where prefix, block and suffix are more than any machine has.
    [[nodiscard]] void* try_allocate(Layout layout) noexcept {
        const Whole whole = whole_of(layout);
        void* const start = whole.layout.is_valid() ? below_.try_allocate(whole.layout) : nullptr;
        if (start == nullptr) {
            return nullptr;
        }
        std::byte* const block = static_cast<std::byte*>(start) + whole.block_offset;
        std::construct_at(&prefix_of(block));
        if constexpr (kHasSuffix) {
            std::construct_at(&suffix_of(block, layout));
        }
        return block;
    }
    void deallocate(void* block, Layout layout) noexcept {
        if constexpr (kHasSuffix) {
            std::destroy_at(&suffix_of(block, layout));
        }
        std::destroy_at(&prefix_of(block));
        const Whole whole = whole_of(layout);
        below_.deallocate(static_cast<std::byte*>(block) - whole.block_offset, whole.layout);
    }

    /// What stands before the block.
    ///
    /// Requires: a live block of this allocator, here and below.
    [[nodiscard]] Prefix& prefix_of(void* block) const noexcept {
        return *reinterpret_cast<Prefix*>(static_cast<std::byte*>(block) - sizeof(Prefix));
    }
    /// What stands behind it: at its end, aligned.
    [[nodiscard]] Suffix& suffix_of(void* block, Layout layout) const noexcept
        requires(!std::is_same_v<Suffix, NoAffix>)
    {
        return *reinterpret_cast<Suffix*>(static_cast<std::byte*>(block) + align_up(layout.size, alignof(Suffix)));
    }

    [[nodiscard]] static constexpr CompositionCost cost() noexcept {
        return CompositionCost{.counters = kHasSuffix ? 2U : 1U, .own_bytes = sizeof(Affixed)} + cost_of<Below>();
    }
    static constexpr void describe(CompositionText& text) noexcept {
        text.append("Affixed(").append(sizeof(Prefix)).append(" bytes, ");
        describe_to<Below>(text);
        if constexpr (kHasSuffix) {
            text.append(", ").append(sizeof(Suffix)).append(" bytes");
        }
        text.append(")");
    }

private:
    static constexpr bool kHasSuffix = !std::is_same_v<Suffix, NoAffix>;

    struct Whole {
        Layout layout;
        std::size_t block_offset;
    };
    [[nodiscard]] static Whole whole_of(Layout layout) noexcept {
        const std::size_t alignment = std::max({layout.alignment, alignof(Prefix), kHasSuffix ? alignof(Suffix) : std::size_t{1}});
        const std::size_t before = align_up(sizeof(Prefix), alignment);
        std::size_t behind = layout.size;
        std::size_t all = 0;
        bool is_too_much = false;
        if constexpr (kHasSuffix) {
            is_too_much = align_up_overflows(layout.size, alignof(Suffix), &behind) || add_overflows(behind, sizeof(Suffix), &behind);
        }
        is_too_much = is_too_much || add_overflows(before, behind, &all) || all > Layout::kLargestSize;
        return {.layout = {.size = is_too_much ? SIZE_MAX : all, .alignment = alignment}, .block_offset = before};
    }

    Below& below_;
};

}  // namespace heapwright
