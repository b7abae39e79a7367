// The static TLS of this process, as a plan from which a thread of our own gets a copy.
#pragma once

#include <cstddef>

namespace heapwright::os::detail {

/// Where each loaded library's static TLS block lies below the thread pointer (x86-64, variant II of the TLS ABI), and
/// what it initially holds.
///
///   TP1  offsets increase from one block to the next, and no two blocks overlap
///   TP2  block_bytes covers every block
class StaticTlsPlan {
public:
    static constexpr std::size_t kBlocksMax = 128;

    /// Looks at the calling thread's own blocks.
    void collect() noexcept;

    /// Bytes that lay_out needs, whole OS pages.
    [[nodiscard]] std::size_t mapping_bytes() const noexcept;

    /// Builds TLS and control block in mapping_bytes() of zeroed memory at `start`.
    ///
    /// Requires: start is a multiple of the OS page.
    /// Returns:  the thread pointer to hand to clone().
    [[nodiscard]] void* lay_out(std::byte* start) const noexcept;

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    struct Block {
        std::size_t offset;       // of its start, below the thread pointer
        std::size_t bytes;        // of the whole block
        const void* image;        // initial contents, in the library's file
        std::size_t image_bytes;  // the rest of the block is zero
    };

    void add(const Block& block) noexcept;
    void drop_dynamic_blocks() noexcept;

    Block blocks_[kBlocksMax]{};
    std::size_t count_ = 0;
    std::size_t block_bytes_ = 0;
    std::size_t alignment_ = 0;  // of the strictest block
};

/// The plan, collected by the first caller.
///
/// Thread safety: any thread; a second caller waits for the first.
[[nodiscard]] const StaticTlsPlan& static_tls_plan() noexcept;

}  // namespace heapwright::os::detail
