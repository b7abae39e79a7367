// Frames on top of each other in one buffer, for coroutines that end in the reverse order of their start.
//
//   buffer │ frame 1 ... │tag│ frame 2 ... │tag│          free
//                                              ▲ top
//
// Each tag holds the bytes of the frame below it, and whether that has ended although others lie on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/block_source.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/base/poison.hpp>

namespace heapwright {

struct FrameStackStats {
    std::size_t used_bytes;  // tags and ended frames that others lie on included
    std::size_t peak_bytes;
    std::size_t capacity_bytes;
    std::size_t overflows;  // frames that did not fit, given by the overflow source
    std::size_t refusals;   // frames that nobody could give
};

/// A stack of frames. A frame that ends out of turn is remembered and leaves when those on it have left. What does not fit
/// comes from the overflow source, if there is one.
///
///   FS1  the sizes in the tags lead from the top exactly to the bottom
///   FS2  the frame on top is alive
///
/// Each frame is rounded up to 16 bytes with its tag of 8.
/// Thread safety: one thread at a time.
class FrameStack {
public:
    static constexpr std::size_t kAlignment = 16;
    static constexpr std::size_t kTagBytes = 8;

    /// Requires: buffer and source outlive it and its frames.
    explicit FrameStack(std::span<std::byte> buffer, SourceRef overflow = {}) noexcept
        : bottom_(align_up(address(buffer.data()), kAlignment)),
          top_(bottom_),
          end_(align_down(address(buffer.data()) + buffer.size(), kAlignment)),
          overflow_(overflow) {
        end_ = end_ < bottom_ ? bottom_ : end_;
        poison(at(bottom_), end_ - bottom_);
    }
    FrameStack(const FrameStack&) = delete;
    FrameStack& operator=(const FrameStack&) = delete;
    /// Requires: no frame is left (checked).
    ~FrameStack() {
        HEAPWRIGHT_CHECK(top_ == bottom_, "a stack of frames ends under live coroutines: end them first");
        unpoison(at(bottom_), end_ - bottom_);
    }

    /// Returns:  nullptr when it does not fit and the overflow source refuses as well.
    /// Cost:     about 10 instructions.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* try_allocate(Layout layout) noexcept {
        const std::size_t bytes = occupied(layout.size);
        if (HEAPWRIGHT_UNLIKELY(bytes > end_ - top_) || HEAPWRIGHT_UNLIKELY(layout.alignment > kAlignment)) {
            return allocate_slow(layout);
        }
        std::byte* const frame = at(top_);
        top_ += bytes;
        if (HEAPWRIGHT_UNLIKELY(top_ > peak_)) {
            peak_ = top_;
        }
        unpoison(frame, layout.size);
        write_tag(top_, bytes);
        return frame;
    }

    /// Requires: a live frame of this stack, of this size (checked as far as its tag shows).
    /// Cost:     about 10 instructions for the frame on top; a loop over those below it that have ended before.
    HEAPWRIGHT_ALWAYS_INLINE void deallocate(void* frame, Layout layout) noexcept {
        const std::uintptr_t start = address(frame);
        const std::size_t bytes = occupied(layout.size);
        if (HEAPWRIGHT_UNLIKELY(start + bytes != top_) || HEAPWRIGHT_UNLIKELY(start < bottom_)) {
            deallocate_slow(frame, layout);
            return;
        }
        top_ = start;
        poison(frame, bytes);
        if (HEAPWRIGHT_UNLIKELY(top_ != bottom_ && (read_tag(top_) & kEnded) != 0)) {
            drop_ended();
        }
    }

    [[nodiscard]] FrameStackStats stats() const noexcept {
        return {.used_bytes = top_ - bottom_,
                .peak_bytes = peak_ - bottom_,
                .capacity_bytes = end_ - bottom_,
                .overflows = overflows_,
                .refusals = refusals_};
    }
    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        if (top_ != bottom_ && (read_tag(top_) & kEnded) != 0) {
            return "FS2: an ended frame lies on top";
        }
        std::uintptr_t place = top_;
        while (place > bottom_) {
            const std::uint64_t bytes = read_tag(place) & ~kEnded;
            if (bytes == 0 || bytes % kAlignment != 0 || bytes > place - bottom_) {
                break;
            }
            place -= bytes;
        }
        return place == bottom_ ? nullptr : "FS1: a tag has been overwritten";
    }

private:
    static constexpr std::uint64_t kEnded = 1;

    [[nodiscard]] static std::uintptr_t address(const void* place) noexcept { return reinterpret_cast<std::uintptr_t>(place); }
    [[nodiscard]] static std::byte* at(std::uintptr_t place) noexcept { return reinterpret_cast<std::byte*>(place); }
    [[nodiscard]] static constexpr std::size_t occupied(std::size_t bytes) noexcept { return align_up(bytes + kTagBytes, kAlignment); }

    // The tag in front of `place`.
    static void write_tag(std::uintptr_t place, std::uint64_t tag) noexcept {
        unpoison(at(place - kTagBytes), kTagBytes);
        std::memcpy(at(place - kTagBytes), &tag, kTagBytes);
    }
    [[nodiscard]] static std::uint64_t read_tag(std::uintptr_t place) noexcept {
        std::uint64_t tag = 0;
        std::memcpy(&tag, at(place - kTagBytes), kTagBytes);
        return tag;
    }

    [[nodiscard]] HEAPWRIGHT_NOINLINE void* allocate_slow(Layout layout) noexcept {
        void* const frame = overflow_.try_allocate(layout);
        ++(frame == nullptr ? refusals_ : overflows_);
        return frame;
    }
    HEAPWRIGHT_NOINLINE void deallocate_slow(void* frame, Layout layout) noexcept {
        const std::uintptr_t start = address(frame);
        if (start < bottom_ || start >= end_) {
            HEAPWRIGHT_CHECK(static_cast<bool>(overflow_), "a frame is not of this stack: free it where it came from");
            overflow_.deallocate(frame, layout);
            return;
        }
        const std::uintptr_t tag_at = start + occupied(layout.size);
        HEAPWRIGHT_CHECK(tag_at <= top_ && read_tag(tag_at) == occupied(layout.size),
                         "a frame is not a live one of this stack: it was freed twice, or its tag was overwritten");
        write_tag(tag_at, occupied(layout.size) | kEnded);
        poison(frame, layout.size);
    }
    HEAPWRIGHT_NOINLINE void drop_ended() noexcept {
        while (top_ != bottom_ && (read_tag(top_) & kEnded) != 0) {
            const std::uint64_t bytes = read_tag(top_) & ~kEnded;
            top_ -= bytes;
            poison(at(top_), bytes);
        }
    }

    std::uintptr_t bottom_;
    std::uintptr_t top_;
    std::uintptr_t end_;
    std::uintptr_t peak_ = bottom_;
    std::size_t overflows_ = 0;
    std::size_t refusals_ = 0;
    SourceRef overflow_;
};

static_assert(BlockSource<FrameStack>);

}  // namespace heapwright
