// Arenas that take turns: what a frame makes lives until the frame after the next, for loops that look one frame back.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <heapwright/alloc/arena/arena.hpp>

namespace heapwright {

/// `Frames` arenas used in turn. With two, a frame's blocks are alive during that frame and the next.
///
/// Example: `for (;;) { frames.next_frame(); simulate(frames.now(), frames.before()); }`
/// Thread safety: one thread at a time.
template <std::size_t Frames = 2>
class FrameArena {
    static_assert(Frames >= 2, "with one frame there is no frame before: use Arena and reset it");

public:
    explicit FrameArena(SourceRef source, ArenaOptions options = {}) noexcept
        : FrameArena(source, options, std::make_index_sequence<Frames>{}) {}
    FrameArena(const FrameArena&) = delete;
    FrameArena& operator=(const FrameArena&) = delete;

    /// Begins a frame: what was made `Frames` frames ago is destroyed and its memory used anew.
    void next_frame() noexcept {
        ++frame_;
        now().reset();
    }

    /// How many times next_frame() was called.
    [[nodiscard]] std::uint64_t frame() const noexcept { return frame_; }

    /// The arena of this frame.
    [[nodiscard]] Arena& now() noexcept { return arenas_[frame_ % Frames]; }
    /// The arena of the frame `ago` frames before this one. Make nothing in it that is to live as long as this frame's blocks.
    ///
    /// Requires: ago < Frames (checked).
    [[nodiscard]] Arena& before(std::size_t ago = 1) noexcept {
        HEAPWRIGHT_CHECK(ago < Frames, "a frame that long ago is gone: make the FrameArena of more frames");
        return arenas_[(frame_ + Frames - ago) % Frames];
    }

    /// Returns memory that the last frames did not need, as Arena::trim does.
    std::size_t trim(unsigned percent = 90) noexcept {
        std::size_t returned_bytes = 0;
        for (Arena& arena : arenas_) {
            returned_bytes += arena.trim(percent);
        }
        return returned_bytes;
    }

    /// A pointer that knows when it was made, and refuses to be followed after its frame is gone.
    template <class T>
    class Ref {
    public:
        /// Requires: the frame it was made in is still held (checked).
        [[nodiscard]] T& operator*() const noexcept {
            HEAPWRIGHT_CHECK(frames_->frame_ - born_ < Frames, "a frame's object was used after its frame: copy what must live longer");
            return *object_;
        }
        [[nodiscard]] T* operator->() const noexcept { return &**this; }
        [[nodiscard]] bool is_alive() const noexcept { return frames_->frame_ - born_ < Frames; }

    private:
        friend class FrameArena;
        Ref(const FrameArena* frames, T* object) noexcept : frames_(frames), object_(object), born_(frames->frame_) {}
        const FrameArena* frames_;
        T* object_;
        std::uint64_t born_;
    };

    /// Makes a T in this frame.
    ///
    /// Requires: limits and source suffice (checked).
    template <class T, class... Args>
    [[nodiscard]] Ref<T> create(Args&&... args) {
        return {this, &now().template create<T>(std::forward<Args>(args)...)};
    }

private:
    template <std::size_t... Index>
    FrameArena(SourceRef source, ArenaOptions options, std::index_sequence<Index...>) noexcept
        : arenas_{((void)Index, Arena{source, options})...} {}

    std::array<Arena, Frames> arenas_;
    std::uint64_t frame_ = 0;
};

}  // namespace heapwright
