// Whole OS pages as a source of chunks for any allocator.
#pragma once

#include <heapwright/base/block_source.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::os {

/// Gives blocks of whole OS pages, zeroed, each its own mapping, and returns them to the kernel at once.
///
/// Sizes are rounded up to whole pages and the rest of the last page is the caller's to waste, so ask for multiples.
/// Cost:     three to six system calls for a pair, and a page fault at the first touch of each page.
/// Thread safety: any thread.
class PageSource {
public:
    /// `name` (a literal, or nullptr) shows in /proc/PID/maps as [anon:name] on kernels that can.
    constexpr explicit PageSource(const char* name = "heapwright") noexcept : name_(name) {}

    [[nodiscard]] void* try_allocate(Layout layout) const noexcept;
    void deallocate(void* block, Layout layout) const noexcept;

private:
    const char* name_;
};

static_assert(BlockSource<const PageSource>);

/// The one that allocators use when nobody says otherwise: `Arena arena{os::kPages};`
inline constexpr PageSource kPages{};

}  // namespace heapwright::os
