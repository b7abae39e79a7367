// Allocators made of allocators: one after the other, by size, within a limit, under a lock.
//
// Each holds references: the parts are the program's own and must outlive what is made of them. What a part cannot do is a
// sentence at compile time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

#include <heapwright/alloc/adapt/allocator_traits.hpp>
#include <heapwright/alloc/adapt/description.hpp>
#include <heapwright/base/check.hpp>

namespace heapwright {

/// Gives nothing: the end of a chain, and the source of what must never grow.
struct NullSource {
    [[nodiscard]] static void* try_allocate(Layout /*layout*/) noexcept { return nullptr; }
    static void deallocate(void* /*block*/, Layout /*layout*/) noexcept {
        HEAPWRIGHT_CHECK(false, "a block came back to a source that never gave one; free it where it was made");
    }
    [[nodiscard]] static bool owns(const void* /*block*/) noexcept { return false; }

    [[nodiscard]] static constexpr CompositionCost cost() noexcept { return {}; }
    static constexpr void describe(CompositionText& text) noexcept { text.append("NullSource"); }
};
inline constexpr NullSource kNothing{};

/// Asks `First`, and `Second` when that refuses. A block goes back to the one that owns it.
///
/// Thread safety: that of its parts.
template <BlockSource First, BlockSource Second>
class Fallback {
    static_assert(Owner<First>, "the first of a fallback must know its own blocks: it needs `bool owns(const void*) const noexcept`");

public:
    Fallback(First& first, Second& second) noexcept : first_(first), second_(second) {}

    [[nodiscard]] void* try_allocate(Layout layout) noexcept {
        void* const block = first_.try_allocate(layout);
        return HEAPWRIGHT_LIKELY(block != nullptr) ? block : second_.try_allocate(layout);
    }
    [[nodiscard]] SizedBlock try_allocate_at_least(Layout layout) noexcept {
        const SizedBlock block = allocate_at_least_from(first_, layout);
        return HEAPWRIGHT_LIKELY(block.start != nullptr) ? block : allocate_at_least_from(second_, layout);
    }
    void deallocate(void* block, Layout layout) noexcept {
        if (HEAPWRIGHT_LIKELY(first_.owns(block))) {
            first_.deallocate(block, layout);
        } else {
            second_.deallocate(block, layout);
        }
    }
    [[nodiscard]] bool owns(const void* block) const noexcept
        requires Owner<Second>
    {
        return first_.owns(block) || second_.owns(block);
    }

    [[nodiscard]] static constexpr CompositionCost cost() noexcept {
        return CompositionCost{.decisions = 1, .owner_checks = 1, .own_bytes = sizeof(Fallback)} + cost_of<First>() + cost_of<Second>();
    }
    static constexpr void describe(CompositionText& text) noexcept {
        text.append("Fallback(");
        describe_to<First>(text);
        text.append(", ");
        describe_to<Second>(text);
        text.append(")");
    }

private:
    First& first_;
    Second& second_;
};

/// Sizes up to the threshold from one allocator, larger ones from another. A block's size says where it goes back.
///
/// Thread safety: that of its parts.
template <std::size_t ThresholdBytes, BlockSource Small, BlockSource Large>
class Segregate {
public:
    Segregate(Small& small, Large& large) noexcept : small_(small), large_(large) {}

    [[nodiscard]] void* try_allocate(Layout layout) noexcept {
        return layout.size <= ThresholdBytes ? small_.try_allocate(layout) : large_.try_allocate(layout);
    }
    // No try_allocate_at_least: a block whose caller knows more bytes of it would go back to the wrong part.
    void deallocate(void* block, Layout layout) noexcept {
        if (layout.size <= ThresholdBytes) {
            small_.deallocate(block, layout);
        } else {
            large_.deallocate(block, layout);
        }
    }
    [[nodiscard]] bool owns(const void* block) const noexcept
        requires(Owner<Small> && Owner<Large>)
    {
        return small_.owns(block) || large_.owns(block);
    }

    [[nodiscard]] static constexpr CompositionCost cost() noexcept {
        return CompositionCost{.decisions = 1, .own_bytes = sizeof(Segregate)} + cost_of<Small>() + cost_of<Large>();
    }
    static constexpr void describe(CompositionText& text) noexcept {
        text.append("Segregate(<= ").append(ThresholdBytes).append(" bytes: ");
        describe_to<Small>(text);
        text.append(", else: ");
        describe_to<Large>(text);
        text.append(")");
    }

private:
    Small& small_;
    Large& large_;
};

/// Refuses what would bring the live bytes, as they were asked for, over a limit.
///
/// Thread safety: one thread at a time.
template <BlockSource Below>
class Limited {
public:
    Limited(Below& below, std::size_t limit_bytes) noexcept : below_(below), limit_bytes_(limit_bytes) {}

    [[nodiscard]] void* try_allocate(Layout layout) noexcept {
        void* const block = layout.size > limit_bytes_ - live_bytes_ ? nullptr : below_.try_allocate(layout);
        live_bytes_ += block == nullptr ? 0 : layout.size;
        return block;
    }
    void deallocate(void* block, Layout layout) noexcept {
        HEAPWRIGHT_CHECK(layout.size <= live_bytes_, "more bytes come back than are live; free blocks with the size that was asked for");
        below_.deallocate(block, layout);
        live_bytes_ -= layout.size;
    }
    [[nodiscard]] bool owns(const void* block) const noexcept
        requires Owner<Below>
    {
        return below_.owns(block);
    }
    [[nodiscard]] std::size_t live_bytes() const noexcept { return live_bytes_; }
    [[nodiscard]] std::size_t limit_bytes() const noexcept { return limit_bytes_; }

    [[nodiscard]] static constexpr CompositionCost cost() noexcept {
        return CompositionCost{.decisions = 1, .counters = 1, .own_bytes = sizeof(Limited)} + cost_of<Below>();
    }
    static constexpr void describe(CompositionText& text) noexcept {
        text.append("Limited(");
        describe_to<Below>(text);
        text.append(")");
    }

private:
    Below& below_;
    std::size_t limit_bytes_;
    std::size_t live_bytes_ = 0;
};

/// One thread after the other: for an allocator that knows none. SharedArena and SharedPool need no lock, and scale.
///
/// `Lock` has lock() and unlock(): a mutex, a spin lock, or what keeps interrupts off meanwhile.
/// Thread safety: any thread.
template <BlockSource Below, class Lock = std::mutex>
class Synchronised {
public:
    explicit Synchronised(Below& below) noexcept : below_(below) {}

    [[nodiscard]] void* try_allocate(Layout layout) noexcept {
        const std::lock_guard<Lock> lock{mutex_};
        return below_.try_allocate(layout);
    }
    [[nodiscard]] SizedBlock try_allocate_at_least(Layout layout) noexcept {
        const std::lock_guard<Lock> lock{mutex_};
        return allocate_at_least_from(below_, layout);
    }
    void deallocate(void* block, Layout layout) noexcept {
        const std::lock_guard<Lock> lock{mutex_};
        below_.deallocate(block, layout);
    }
    [[nodiscard]] bool owns(const void* block) const noexcept
        requires Owner<Below>
    {
        const std::lock_guard<Lock> lock{mutex_};
        return below_.owns(block);
    }

    [[nodiscard]] static constexpr CompositionCost cost() noexcept {
        return CompositionCost{.locks = 1, .own_bytes = sizeof(Synchronised)} + cost_of<Below>();
    }
    static constexpr void describe(CompositionText& text) noexcept {
        text.append("Synchronised(");
        describe_to<Below>(text);
        text.append(")");
    }

private:
    Below& below_;
    mutable Lock mutex_;
};

static_assert(BlockSource<NullSource> && BlockSource<const NullSource>);

}  // namespace heapwright
