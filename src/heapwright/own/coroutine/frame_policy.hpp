// Where the frame of a coroutine comes from, as a base class of its promise.
//
//   policy               source                        named in               bytes a frame is longer by
//   RecycledFrames       the thread's FrameCache       the type only          0, rounded up to 32
//   GlobalFrames         operator new                  the type only          0
//   FramesOf<source>     an object of static duration  the type only          0
//   FramesFrom<Source>   any Source object             std::allocator_arg     8, a pointer behind the frame
//   FramesFromAny        any BlockSource, or the cache std::allocator_arg     16, a SourceRef behind the frame
//
// Sizes are rounded up to 16. The last two find the source among the coroutine's parameters: `(std::allocator_arg_t,
// Source&, ...)` in front, behind the object of a member function or a lambda. What finds it again lies behind the frame,
// because a frame is freed with its size.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/block_source.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/own/coroutine/frame_cache.hpp>

namespace heapwright {

/// What operator new aligns to. A local with a stricter alignment is not aligned in a frame by g++ 12 and clang 19.
inline constexpr std::size_t kFrameAlignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

namespace detail {

/// Rounded up, which no source can avoid for the next frame anyway: so an arena sees that the newest frame ends where its
/// free part begins, and takes it back.
[[nodiscard]] constexpr Layout frame_layout(std::size_t bytes) noexcept {
    return {.size = align_up(bytes, kFrameAlignment), .alignment = kFrameAlignment};
}

/// A frame followed by what says where it came from.
template <class Note>
struct NotedFrame {
    [[nodiscard]] static constexpr std::size_t note_at(std::size_t frame_bytes) noexcept { return align_up(frame_bytes, alignof(Note)); }
    [[nodiscard]] static constexpr Layout layout(std::size_t frame_bytes) noexcept {
        return frame_layout(note_at(frame_bytes) + sizeof(Note));  // NOLINT(bugprone-sizeof-expression): of the pointer
    }
    [[nodiscard]] static Note& note(void* frame, std::size_t frame_bytes) noexcept {
        return *reinterpret_cast<Note*>(static_cast<std::byte*>(frame) + note_at(frame_bytes));
    }
};

template <class>
inline constexpr bool kNever = false;

/// A frame policy that takes no source from the parameters refuses one, instead of leaving it unused without a word. Not by
/// deleted functions: for a deleted one clang looks on and takes the operator new without parameters.
struct NoSourceAmongParameters {
    template <class Source, class... Rest>
    static void* operator new(std::size_t, std::allocator_arg_t, Source&, Rest&...) noexcept {
        static_assert(kNever<Source>,
                      "this coroutine has a source among its parameters, but its frames come from elsewhere: name FramesFrom");
        return nullptr;
    }
    template <class Self, class Source, class... Rest>
    static void* operator new(std::size_t, Self&, std::allocator_arg_t, Source&, Rest&...) noexcept {
        static_assert(kNever<Source>,
                      "this coroutine has a source among its parameters, but its frames come from elsewhere: name FramesFrom");
        return nullptr;
    }
};

}  // namespace detail

/// Frames from the thread's own FrameCache: after the first few, neither malloc nor anything shared between threads.
struct RecycledFrames : detail::NoSourceAmongParameters {
    using NoSourceAmongParameters::operator new;
    [[nodiscard]] static void* operator new(std::size_t bytes) noexcept { return detail::take_thread_frame(detail::frame_layout(bytes)); }
    static void operator delete(void* frame, std::size_t bytes) noexcept { detail::free_thread_frame(frame, detail::frame_layout(bytes)); }
};

/// Frames as a coroutine without any policy has them, but refused with nullptr instead of an exception.
struct GlobalFrames : detail::NoSourceAmongParameters {
    using NoSourceAmongParameters::operator new;
    [[nodiscard]] static void* operator new(std::size_t bytes) noexcept { return ::operator new(bytes, std::nothrow); }
    static void operator delete(void* frame, std::size_t bytes) noexcept { ::operator delete(frame, bytes); }
};

/// Frames from one object that lives as long as the program.
///
/// Example: `constinit FrameBudget budget{...}; Task<int, FramesOf<budget>> count();`
template <auto& Source>
struct FramesOf : detail::NoSourceAmongParameters {
    using NoSourceAmongParameters::operator new;
    [[nodiscard]] static void* operator new(std::size_t bytes) noexcept { return Source.try_allocate(detail::frame_layout(bytes)); }
    static void operator delete(void* frame, std::size_t bytes) noexcept { Source.deallocate(frame, detail::frame_layout(bytes)); }
};

/// Frames from the source that the coroutine is called with. A call without one does not compile.
///
/// Requires: the source outlives the coroutine.
/// Example:  `Task<int, FramesFrom<Arena>> parse(std::allocator_arg_t, Arena&, std::string_view text);`
template <BlockSource Source>
struct FramesFrom {
    using Noted = detail::NotedFrame<Source*>;

    template <class... Rest>
    [[nodiscard]] static void* operator new(std::size_t bytes, std::allocator_arg_t, Source& source, Rest&...) noexcept {
        return take(bytes, source);
    }
    template <class Self, class... Rest>
    [[nodiscard]] static void* operator new(std::size_t bytes, Self&, std::allocator_arg_t, Source& source, Rest&...) noexcept {
        return take(bytes, source);
    }
    [[nodiscard]] static void* operator new(std::size_t) noexcept {
        static_assert(detail::kNever<Source>,
                      "this coroutine takes its frames from a source: its first parameters must be std::allocator_arg_t and Source&");
        return nullptr;
    }

    static HEAPWRIGHT_ALWAYS_INLINE void operator delete(void* frame, std::size_t bytes) noexcept {
        Noted::note(frame, bytes)->deallocate(frame, Noted::layout(bytes));
    }

private:
    [[nodiscard]] static HEAPWRIGHT_ALWAYS_INLINE void* take(std::size_t bytes, Source& source) noexcept {
        void* const frame = source.try_allocate(Noted::layout(bytes));
        if (HEAPWRIGHT_LIKELY(frame != nullptr)) {
            ::new (static_cast<void*>(&Noted::note(frame, bytes))) Source*(&source);
        }
        return frame;
    }
};

/// Frames from whatever source the coroutine is called with, or from the thread's FrameCache when it is called without.
/// An indirect call each way where there is one.
///
/// Requires: the source outlives the coroutine.
struct FramesFromAny {
    using Noted = detail::NotedFrame<SourceRef>;

    [[nodiscard]] static void* operator new(std::size_t bytes) noexcept {
        return note(detail::take_thread_frame(Noted::layout(bytes)), bytes, {});
    }
    template <class Source, class... Rest>
    [[nodiscard]] static void* operator new(std::size_t bytes, std::allocator_arg_t, Source& source, Rest&...) noexcept {
        const SourceRef from{source};
        return note(from.try_allocate(Noted::layout(bytes)), bytes, from);
    }
    template <class Self, class Source, class... Rest>
    [[nodiscard]] static void* operator new(std::size_t bytes, Self&, std::allocator_arg_t, Source& source, Rest&...) noexcept {
        const SourceRef from{source};
        return note(from.try_allocate(Noted::layout(bytes)), bytes, from);
    }

    static HEAPWRIGHT_ALWAYS_INLINE void operator delete(void* frame, std::size_t bytes) noexcept {
        const SourceRef from = Noted::note(frame, bytes);
        if (from) {
            from.deallocate(frame, Noted::layout(bytes));
        } else {
            detail::free_thread_frame(frame, Noted::layout(bytes));
        }
    }

private:
    [[nodiscard]] static HEAPWRIGHT_ALWAYS_INLINE void* note(void* frame, std::size_t bytes, SourceRef from) noexcept {
        if (HEAPWRIGHT_LIKELY(frame != nullptr)) {
            ::new (static_cast<void*>(&Noted::note(frame, bytes))) SourceRef(from);
        }
        return frame;
    }
};

}  // namespace heapwright
