// Pages that fault for a while after they were given back: a use after the end shows itself without a sanitizer.
#pragma once

#include <cstddef>

#include <heapwright/os/page_source.hpp>

namespace heapwright::os {

/// As PageSource, but blocks given back keep their addresses, inaccessible, until kRetiredBlocks newer ones have come
/// back. Their memory goes back to the kernel at once; only addresses are held.
///
/// Cost:     one more system call for a pair than PageSource.
/// Thread safety: any thread.
class RetiredPages {
public:
    static constexpr std::size_t kRetiredBlocks = 1024;

    constexpr explicit RetiredPages(const char* name = "heapwright") noexcept : pages_(name) {}

    [[nodiscard]] void* try_allocate(Layout layout) const noexcept { return pages_.try_allocate(layout); }
    void deallocate(void* block, Layout layout) const noexcept;

    /// Whether the address lies in a block that came back and still faults. For tests and for messages.
    [[nodiscard]] static bool is_retired(const void* address) noexcept;

private:
    PageSource pages_;
};

static_assert(BlockSource<const RetiredPages>);

/// Where scopes take their chunks: in debug builds a use after the scope faults.
#ifdef NDEBUG
static constexpr PageSource kScopePages{"heapwright scope"};
#else
static constexpr RetiredPages kScopePages{"heapwright scope"};
#endif

}  // namespace heapwright::os
