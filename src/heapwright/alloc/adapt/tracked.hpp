// Counts what goes through an allocator: live and peak bytes, a histogram of sizes, and every event if somebody listens.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/adapt/allocator_traits.hpp>
#include <heapwright/alloc/adapt/description.hpp>
#include <heapwright/base/bits.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright {

/// Hears of every block that was given, and of every one before it is taken back.
template <class S>
concept EventSink = requires(S& sink, void* block, Layout layout) {
    { sink.allocated(block, layout) } noexcept;
    { sink.released(block, layout) } noexcept;
};

/// Hears nothing, and costs nothing.
struct NoSink {
    static void allocated(void* /*block*/, Layout /*layout*/) noexcept {}
    static void released(void* /*block*/, Layout /*layout*/) noexcept {}
};

struct TrackedStats {
    /// Entry n counts requests of 2^(n-1) to 2^n - 1 bytes; entry 0 those of no bytes.
    static constexpr std::size_t kSizeRows = 65;

    std::uint64_t allocations;
    std::uint64_t releases;
    std::uint64_t refusals;
    std::size_t live_bytes;  // as asked for
    std::size_t peak_bytes;
    std::uint64_t total_bytes;
    std::array<std::uint64_t, kSizeRows> sizes;

    [[nodiscard]] std::uint64_t live_blocks() const noexcept { return allocations - releases; }
};

/// An allocator with an account.
///
///   TR1  the histogram's entries add up to the allocations
///   TR2  live bytes are at most the peak, and the peak is at most the total
///
/// Cost:     about ten instructions a pair with no sink (tests/alloc/golden has the count).
/// Thread safety: one thread at a time.
template <BlockSource Below, EventSink Sink = NoSink>
class Tracked {
public:
    explicit Tracked(Below& below) noexcept
        requires std::same_as<Sink, NoSink>
        : below_(below), sink_(no_sink()) {}
    Tracked(Below& below, Sink& sink) noexcept : below_(below), sink_(sink) {}

    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* try_allocate(Layout layout) noexcept {
        void* const block = below_.try_allocate(layout);
        note(block, layout);
        return block;
    }
    HEAPWRIGHT_ALWAYS_INLINE void deallocate(void* block, Layout layout) noexcept {
        sink_.released(block, layout);
        below_.deallocate(block, layout);
        live_bytes_ -= layout.size;
        ++releases_;
    }
    [[nodiscard]] bool owns(const void* block) const noexcept
        requires Owner<Below>
    {
        return below_.owns(block);
    }

    /// Cost:     O(rows of the histogram).
    [[nodiscard]] TrackedStats stats() const noexcept {
        TrackedStats stats{};
        stats.releases = releases_;
        stats.refusals = refusals_;
        stats.live_bytes = live_bytes_;
        stats.peak_bytes = peak_bytes_;
        stats.total_bytes = total_bytes_;
        stats.sizes = sizes_;
        for (const std::uint64_t count : sizes_) {
            stats.allocations += count;  // counted here, so that a request writes one word less
        }
        return stats;
    }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        if (stats().allocations < releases_) {
            return "TR1: more blocks were released than the histogram holds";
        }
        return live_bytes_ > peak_bytes_ || peak_bytes_ > total_bytes_ ? "TR2: live bytes, peak and total contradict each other" : nullptr;
    }

    [[nodiscard]] static constexpr CompositionCost cost() noexcept {
        return CompositionCost{.decisions = 1, .counters = 5, .own_bytes = sizeof(Tracked)} + cost_of<Below>();
    }
    static constexpr void describe(CompositionText& text) noexcept {
        text.append("Tracked(");
        describe_to<Below>(text);
        text.append(")");
    }

private:
    static NoSink& no_sink() noexcept {
        static constinit NoSink none;
        return none;
    }
    HEAPWRIGHT_ALWAYS_INLINE void note(void* block, Layout layout) noexcept {
        if (HEAPWRIGHT_UNLIKELY(block == nullptr)) {
            ++refusals_;
            return;
        }
        ++sizes_[layout.size == 0 ? 0 : log2_floor(layout.size) + 1];
        total_bytes_ += layout.size;
        live_bytes_ += layout.size;
        peak_bytes_ = peak_bytes_ < live_bytes_ ? live_bytes_ : peak_bytes_;
        sink_.allocated(block, layout);
    }

    Below& below_;
    Sink& sink_;
    std::size_t live_bytes_ = 0;
    std::size_t peak_bytes_ = 0;
    std::uint64_t total_bytes_ = 0;
    std::uint64_t releases_ = 0;
    std::uint64_t refusals_ = 0;
    std::array<std::uint64_t, TrackedStats::kSizeRows> sizes_{};
};

}  // namespace heapwright
