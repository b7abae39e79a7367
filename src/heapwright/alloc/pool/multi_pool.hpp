// Pools of several sizes behind one door, with everything that goes elsewhere in the figures.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include <heapwright/alloc/pool/class_choice.hpp>
#include <heapwright/alloc/pool/pool.hpp>

namespace heapwright {

struct SizeClassOptions {
    std::size_t block_bytes;
    std::size_t limit_blocks = PoolOptions::kUnlimited;
};

struct MultiPoolOptions {
    std::size_t borrow_classes = 1;                    // how many larger classes may serve when a class is at its limit
    SourceRef fallback = {};                           // serves what no class can; the default one refuses
    std::size_t spare_bytes = std::size_t{256} << 10;  // per class
    Leaks leaks = Leaks::refuse;
};

/// One class, or all of them added up.
struct SizeClassStats {
    std::size_t block_bytes;  // 0 in a sum
    std::size_t live_blocks;
    std::size_t requested_bytes;  // what the live blocks were asked for; the rest of them is internal fragmentation
    std::size_t usable_bytes;     // what the live blocks hold
    std::uint64_t borrowed;       // requests of smaller classes that were served here
    std::uint64_t refusals;       // requests that were passed on, upwards or to the fallback
    std::size_t owned_bytes;      // taken from the source
};

struct MultiPoolStats {
    SizeClassStats all;
    std::size_t fallback_blocks;   // live
    std::size_t fallback_bytes;    // live
    std::uint64_t fallback_total;  // ever
    std::uint64_t refusals;        // requests that were answered with nullptr
};

/// Blocks of any size up to the largest class, each from the pool of the smallest class that fits.
///
///   MP1  classes ascend, and class_of names for every size up to kTabled the smallest class that holds it
///   MP2  requested_bytes of a class is at most what its live blocks hold
///
/// A class's blocks are aligned to the largest power of two that divides its size, up to an OS page; a stricter request
/// goes to the next class that satisfies it.
/// Thread safety: one thread at a time.
class MultiPool {
public:
    /// Requires: at most kMostClasses classes, ascending, none of 0 bytes (checked).
    MultiPool(std::span<const SizeClassOptions> classes, SourceRef source, MultiPoolOptions options = {}) noexcept;
    MultiPool(const MultiPool&) = delete;
    MultiPool& operator=(const MultiPool&) = delete;
    ~MultiPool();

    /// Returns:  a block; nullptr when neither a class nor the fallback can serve.
    /// Cost:     that of Pool and about 10 instructions.
    [[nodiscard]] void* try_allocate(Layout layout) noexcept;
    /// As try_allocate, with what the block really holds.
    [[nodiscard]] SizedBlock try_allocate_at_least(Layout layout) noexcept;

    /// Takes a block back. It finds its own pool, whatever layout is given.
    ///
    /// Requires: a live block of this MultiPool, with the layout it was asked for. A block that cannot have been given for
    ///           this layout, a second free and, while the fallback holds nothing, a foreign block stop the program.
    void deallocate(void* block, Layout layout) noexcept;

    [[nodiscard]] bool owns(const void* block) const noexcept;
    [[nodiscard]] std::size_t classes() const noexcept { return count_; }
    /// Requires: index < classes() (checked).
    [[nodiscard]] SizeClassStats class_stats(std::size_t index) const noexcept;
    [[nodiscard]] MultiPoolStats stats() const noexcept;
    /// Returns every slab whose blocks are all back. Returns: bytes.
    std::size_t trim() noexcept;
    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    struct Class {
        Class(Layout block, SourceRef source, PoolOptions options) noexcept : pool(block, source, options) {}
        Pool pool;
        std::size_t requested_bytes = 0;
        std::uint64_t borrowed = 0;
    };

    static constexpr std::size_t kGrain = 16;
    static constexpr std::size_t kTabled = 4096;

    /// The first class that holds the layout, count_ if none does.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE std::size_t class_for(Layout layout) const noexcept {
        std::size_t index = layout.size <= kTabled ? class_of_[(layout.size + kGrain - 1) / kGrain] : first_untabled_;
        while (index < count_ && !classes_[index].pool.fits(layout)) {
            ++index;
        }
        return index;
    }
    struct Served {
        void* block;
        std::size_t size_bytes;
    };
    [[nodiscard]] Served serve(Layout layout) noexcept;
    [[nodiscard]] Served serve_elsewhere(std::size_t first, Layout layout) noexcept;
    void deallocate_elsewhere(std::size_t first, void* block, Layout layout) noexcept;

    Class* classes_ = nullptr;
    std::size_t count_ = 0;
    std::size_t first_untabled_ = 0;
    std::array<std::uint8_t, kTabled / kGrain + 1> class_of_{};
    MultiPoolOptions options_;
    SourceRef source_;
    std::size_t fallback_blocks_ = 0;
    std::size_t fallback_bytes_ = 0;
    std::uint64_t fallback_total_ = 0;
    std::uint64_t refusals_ = 0;
};

static_assert(BlockSource<MultiPool>);

}  // namespace heapwright

#include <heapwright/alloc/pool/detail/multi_pool_impl.hpp>
