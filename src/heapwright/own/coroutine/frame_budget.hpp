// Frames within a fixed number of bytes, and figures of the frames that go through: sources in front of other sources.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright {

/// Lets frames through up to a number of bytes at one time. A coroutine that would be too much is not made: its task or
/// generator comes back without a frame.
///
///   FB1  used <= limit
///
/// Thread safety: one thread at a time.
class FrameBudget {
public:
    /// Requires: `below` outlives it and its frames.
    constexpr FrameBudget(SourceRef below, std::size_t limit_bytes) noexcept : below_(below), limit_bytes_(limit_bytes) {}
    FrameBudget(const FrameBudget&) = delete;
    FrameBudget& operator=(const FrameBudget&) = delete;
    ~FrameBudget() = default;

    [[nodiscard]] void* try_allocate(Layout layout) noexcept {
        if (HEAPWRIGHT_UNLIKELY(layout.size > limit_bytes_ - used_bytes_)) {
            ++refusals_;
            return nullptr;
        }
        void* const frame = below_.try_allocate(layout);
        if (HEAPWRIGHT_UNLIKELY(frame == nullptr)) {
            ++refusals_;
            return nullptr;
        }
        used_bytes_ += layout.size;
        return frame;
    }
    void deallocate(void* frame, Layout layout) noexcept {
        HEAPWRIGHT_CHECK(layout.size <= used_bytes_, "a frame is freed into a budget that did not give it");
        used_bytes_ -= layout.size;
        below_.deallocate(frame, layout);
    }

    [[nodiscard]] std::size_t limit_bytes() const noexcept { return limit_bytes_; }
    [[nodiscard]] std::size_t used_bytes() const noexcept { return used_bytes_; }
    [[nodiscard]] std::size_t refusals() const noexcept { return refusals_; }
    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        return used_bytes_ <= limit_bytes_ ? nullptr : "FB1: more is used than the budget allows";
    }

private:
    SourceRef below_;
    std::size_t limit_bytes_;
    std::size_t used_bytes_ = 0;
    std::size_t refusals_ = 0;
};

/// What went through a FrameMeter. Sizes are as asked from the source: a frame and what its policy puts behind it.
struct FrameFigures {
    static constexpr std::size_t kStepBytes = 32;
    static constexpr std::size_t kSteps = 64;

    std::uint64_t made;
    std::uint64_t refused;
    std::uint64_t made_bytes;
    std::size_t live;
    std::size_t live_bytes;
    std::size_t peak_live;
    std::size_t peak_bytes;
    std::size_t largest_bytes;
    std::array<std::uint64_t, kSteps>
        by_size;  // [n]: made of more than 32 * n bytes and at most 32 * (n + 1); the last: and all larger ones
};

/// Counts the frames that go through it.
///
///   FM1  live <= peak <= made, in frames, and the sizes add up to made
///
/// Thread safety: one thread at a time.
class FrameMeter {
public:
    /// Requires: `below` outlives it and its frames.
    constexpr explicit FrameMeter(SourceRef below) noexcept : below_(below) {}
    FrameMeter(const FrameMeter&) = delete;
    FrameMeter& operator=(const FrameMeter&) = delete;
    ~FrameMeter() = default;

    [[nodiscard]] void* try_allocate(Layout layout) noexcept {
        void* const frame = below_.try_allocate(layout);
        if (HEAPWRIGHT_UNLIKELY(frame == nullptr)) {
            ++figures_.refused;
            return nullptr;
        }
        const std::size_t step = layout.size == 0 ? 0 : (layout.size - 1) / FrameFigures::kStepBytes;
        ++figures_.by_size[step < FrameFigures::kSteps ? step : FrameFigures::kSteps - 1];
        ++figures_.made;
        figures_.made_bytes += layout.size;
        figures_.live_bytes += layout.size;
        raise(figures_.peak_live, ++figures_.live);
        raise(figures_.peak_bytes, figures_.live_bytes);
        raise(figures_.largest_bytes, layout.size);
        return frame;
    }
    void deallocate(void* frame, Layout layout) noexcept {
        HEAPWRIGHT_CHECK(figures_.live > 0 && figures_.live_bytes >= layout.size,
                         "a frame is freed through a meter that did not see it made");
        --figures_.live;
        figures_.live_bytes -= layout.size;
        below_.deallocate(frame, layout);
    }

    [[nodiscard]] const FrameFigures& figures() const noexcept { return figures_; }
    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        std::uint64_t sum = 0;
        for (const std::uint64_t count : figures_.by_size) {
            sum += count;
        }
        const bool adds_up = figures_.live <= figures_.peak_live && figures_.peak_live <= figures_.made && sum == figures_.made;
        return adds_up ? nullptr : "FM1: the figures of frames do not add up";
    }

private:
    static void raise(std::size_t& peak, std::size_t now) noexcept { peak = now > peak ? now : peak; }

    SourceRef below_;
    FrameFigures figures_{};
};

static_assert(BlockSource<FrameBudget> && BlockSource<FrameMeter>);

}  // namespace heapwright
