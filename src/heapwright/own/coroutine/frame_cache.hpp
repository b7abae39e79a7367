// Frames used again: a short list for each size, in front of any source.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/base/poison.hpp>
#include <heapwright/own/coroutine/detail/thread_exit_hosted.hpp>

namespace heapwright {

/// operator new as a source, refusing with nullptr.
///
/// Thread safety: any thread.
struct NewSource {
    [[nodiscard]] static void* try_allocate(Layout layout) noexcept {
        return layout.alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__
                   ? ::operator new(layout.size, std::nothrow)
                   : ::operator new(layout.size, std::align_val_t{layout.alignment}, std::nothrow);
    }
    static void deallocate(void* block, Layout layout) noexcept {
        if (layout.alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) {
            ::operator delete(block, layout.size);
        } else {
            ::operator delete(block, layout.size, std::align_val_t{layout.alignment});
        }
    }
};
inline constinit NewSource new_source{};

struct FrameCacheStats {
    std::size_t kept_frames;
    std::size_t kept_bytes;  // at most the limit
    std::size_t limit_bytes;
    std::size_t misses;      // frames that were asked from the source
    std::size_t given_back;  // frames that were over the limit or too large, and went back to it
};

/// Keeps freed frames in a list for each 32 bytes of size, up to a limit of bytes, and gives the newest of a size first.
/// Frames over 2 KiB go past it.
///
///   FC1  what the lists hold is what is kept, and kept bytes <= limit
///
/// Thread safety: one thread at a time; the source may be for one thread as well. A frame may be freed into the cache of
///                another thread than the one it came from if both have the same source.
class FrameCache {
public:
    static constexpr std::size_t kStepBytes = 32;
    static constexpr std::size_t kLists = 64;
    static constexpr std::size_t kLargestBytes = kLists * kStepBytes;
    static constexpr std::size_t kDefaultLimitBytes = std::size_t{1} << 20;

    /// Requires: `source` outlives the cache, or release() is called before it ends.
    constexpr explicit FrameCache(SourceRef source, std::size_t limit_bytes = kDefaultLimitBytes) noexcept
        : source_(source), limit_bytes_(limit_bytes) {}
    FrameCache(const FrameCache&) = delete;
    FrameCache& operator=(const FrameCache&) = delete;
    // Trivial, so that a thread's cache needs no destructor of its own: whoever makes one calls release().
    ~FrameCache() = default;

    /// Returns:  nullptr when there is none and the source refuses.
    /// Cost:     about 9 instructions; a block of the source when none of this size was freed before.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* try_allocate(Layout layout) noexcept {
        const std::size_t list = list_of(layout.size);
        if (HEAPWRIGHT_UNLIKELY(list >= kLists) || HEAPWRIGHT_UNLIKELY(lists_[list] == nullptr)) {
            return allocate_slow(layout.size);
        }
        Free* const frame = lists_[list];
        unpoison_defined(frame, sizeof(Free));
        lists_[list] = frame->next;
        kept_bytes_ -= bytes_of(list);
        unpoison(frame, layout.size);
        return frame;
    }

    /// Requires: a frame of this size from a cache of the same source.
    /// Cost:     about 8 instructions.
    HEAPWRIGHT_ALWAYS_INLINE void deallocate(void* frame, Layout layout) noexcept {
        if (HEAPWRIGHT_UNLIKELY(!try_keep(frame, layout))) {
            give_back(frame, layout);
        }
    }
    /// The usual way of deallocate. False when the frame is too large or the limit is met; then nothing changed.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE bool try_keep(void* frame, Layout layout) noexcept {
        const std::size_t list = list_of(layout.size);
        const std::size_t kept = kept_bytes_ + bytes_of(list);
        if (HEAPWRIGHT_UNLIKELY(list >= kLists) || HEAPWRIGHT_UNLIKELY(kept > limit_bytes_)) {
            return false;
        }
        kept_bytes_ = kept;
        lists_[list] = ::new (frame) Free{lists_[list]};
        poison(frame, bytes_of(list));
        return true;
    }
    /// The other way: straight to the source.
    HEAPWRIGHT_NOINLINE void give_back(void* frame, Layout layout) noexcept {
        ++given_back_;
        source_.deallocate(frame, source_layout(layout.size));
    }

    /// Gives every kept frame back to the source.
    ///
    /// Returns: bytes given back.
    HEAPWRIGHT_NOINLINE std::size_t release() noexcept {
        for (std::size_t list = 0; list < kLists; ++list) {
            while (lists_[list] != nullptr) {
                Free* const frame = lists_[list];
                unpoison_defined(frame, bytes_of(list));
                lists_[list] = frame->next;
                source_.deallocate(frame, layout_of(list));
            }
        }
        return std::exchange(kept_bytes_, 0);
    }

    /// Bytes to keep at most from now on. What is kept beyond it goes back with the next release().
    void set_limit(std::size_t limit_bytes) noexcept {
        limit_bytes_ = limit_bytes;
        if (kept_bytes_ > limit_bytes_) {
            release();
        }
    }

    /// Cost: O(kept frames).
    [[nodiscard]] FrameCacheStats stats() const noexcept {
        return {.kept_frames = count().first,
                .kept_bytes = kept_bytes_,
                .limit_bytes = limit_bytes_,
                .misses = misses_,
                .given_back = given_back_};
    }
    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        return count().second == kept_bytes_ && kept_bytes_ <= limit_bytes_ ? nullptr : "FC1: the cache does not keep what it counted";
    }

private:
    struct Free {
        Free* next;
    };

    /// Past the lists for no bytes as well, which no frame has.
    [[nodiscard]] static constexpr std::size_t list_of(std::size_t bytes) noexcept { return (bytes - 1) / kStepBytes; }
    [[nodiscard]] static constexpr std::size_t bytes_of(std::size_t list) noexcept { return (list + 1) * kStepBytes; }
    [[nodiscard]] static constexpr Layout layout_of(std::size_t list) noexcept {
        return {.size = bytes_of(list), .alignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__};
    }
    /// What the source is asked for: whole steps where it will be kept.
    [[nodiscard]] static constexpr Layout source_layout(std::size_t bytes) noexcept {
        const std::size_t list = list_of(bytes);
        return list >= kLists ? Layout{.size = bytes, .alignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__} : layout_of(list);
    }

    [[nodiscard]] HEAPWRIGHT_NOINLINE void* allocate_slow(std::size_t bytes) noexcept {
        ++misses_;
        return source_.try_allocate(source_layout(bytes));
    }
    /// Frames and bytes in the lists.
    [[nodiscard]] std::pair<std::size_t, std::size_t> count() const noexcept {
        std::pair<std::size_t, std::size_t> kept{0, 0};
        for (std::size_t list = 0; list < kLists; ++list) {
            for (const Free* frame = lists_[list]; frame != nullptr;) {
                ++kept.first;
                kept.second += bytes_of(list);
                unpoison_defined(frame, sizeof(Free));
                const Free* const next = frame->next;
                poison(frame, sizeof(Free));
                frame = next;
            }
        }
        return kept;
    }

    // Written by every frame.
    std::array<Free*, kLists> lists_{};
    std::size_t kept_bytes_ = 0;
    // Written seldom.
    SourceRef source_;
    std::size_t limit_bytes_;
    std::size_t misses_ = 0;
    std::size_t given_back_ = 0;
};

static_assert(BlockSource<FrameCache>);

namespace detail {

// It keeps nothing until something will empty it at the thread's end.
inline constinit thread_local FrameCache thread_frames{new_source, 0};
inline constinit thread_local bool thread_frames_are_open = false;

/// The thread's cache, from now on until the thread ends. After that it keeps nothing again, so that frames freed by later
/// destructors of the thread go back at once.
HEAPWRIGHT_NOINLINE inline FrameCache& open_thread_frames() noexcept {
    if (!thread_frames_are_open) {
        thread_frames_are_open = true;
        thread_frames.set_limit(FrameCache::kDefaultLimitBytes);
        at_thread_exit([]() noexcept { thread_frames.set_limit(0); });
    }
    return thread_frames;
}

HEAPWRIGHT_NOINLINE inline void free_thread_frame_slow(void* frame, Layout layout) noexcept {
    open_thread_frames().deallocate(frame, layout);
}

[[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* take_thread_frame(Layout layout) noexcept { return thread_frames.try_allocate(layout); }
HEAPWRIGHT_ALWAYS_INLINE void free_thread_frame(void* frame, Layout layout) noexcept {
    if (HEAPWRIGHT_UNLIKELY(!thread_frames.try_keep(frame, layout))) {
        free_thread_frame_slow(frame, layout);
    }
}

}  // namespace detail

/// The calling thread's own cache over operator new, emptied when the thread ends.
[[nodiscard]] inline FrameCache& thread_frame_cache() noexcept { return detail::open_thread_frames(); }

}  // namespace heapwright
