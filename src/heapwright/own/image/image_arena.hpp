// The arena that becomes an image: one run of addresses, so that distances within it stay what they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <heapwright/base/block_source.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/base/layout.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/own/image/detail/format.hpp>

namespace heapwright {

/// Zeroed memory that grows at its end and never moves. Addresses are reserved at once, memory is taken as it is used.
///
///   I1  the used bytes are committed, and the committed ones reserved
///
/// Thread safety: one thread at a time.
class ImageArena {
public:
    static constexpr std::size_t kDefaultLimitBytes = std::size_t{64} << 30;

    /// Reserves at the first request.
    explicit ImageArena(std::size_t limit_bytes = kDefaultLimitBytes) noexcept;
    ImageArena(const ImageArena&) = delete;
    ImageArena& operator=(const ImageArena&) = delete;
    ~ImageArena();

    /// Returns:  zeroed bytes; nullptr beyond the limit, when the kernel refuses, or when the alignment exceeds 64.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* try_allocate(Layout layout) noexcept {
        const std::size_t start = align_up(used_, layout.alignment);
        if (HEAPWRIGHT_UNLIKELY(layout.size > committed_ - used_ || start > committed_ - layout.size ||
                                layout.alignment > detail::kImageAlignment)) {
            return allocate_slow(layout);
        }
        used_ = start + layout.size;
        return base_ + start;
    }
    /// An arena takes nothing back.
    void deallocate(void*, Layout) noexcept {}

    /// All that was given, from the first byte on.
    [[nodiscard]] std::span<const std::byte> payload() const noexcept { return {base_, used_}; }
    /// What the first refusal was: limit_reached, out_of_memory or invalid_argument.
    [[nodiscard]] const Error& refusal() const noexcept { return refusal_; }
    [[nodiscard]] bool has_refused() const noexcept { return has_refused_; }
    /// Whether the address is one that was given.
    [[nodiscard]] bool owns(const void* address) const noexcept {
        return reinterpret_cast<std::uintptr_t>(address) - reinterpret_cast<std::uintptr_t>(base_) < used_;
    }

    /// Writes the image to a file beside `path` and renames it when it is on the disk: whoever opens `path` finds the old image or
    /// the whole new one. Blocks that are all zero are left out of the file, as holes.
    ///
    /// Fails:    disk_full, permission_denied, not_found, io_failed: `path` is as it was, and nothing is left beside it;
    ///           overflow for a path of 4000 letters.
    [[nodiscard]] Result<void> write(const char* path, std::uint64_t schema, std::uint32_t version, std::size_t root_bytes) noexcept;

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept {
        return used_ <= committed_ && committed_ <= limit_ ? nullptr : "I1: an arena used more than it has";
    }

private:
    [[nodiscard]] HEAPWRIGHT_COLD void* allocate_slow(Layout layout) noexcept;
    void* refuse(Error error) noexcept;

    std::byte* base_ = nullptr;
    std::size_t used_ = 0;
    std::size_t committed_ = 0;
    std::size_t limit_;
    Error refusal_{};
    bool has_refused_ = false;
};

static_assert(BlockSource<ImageArena>);

}  // namespace heapwright
