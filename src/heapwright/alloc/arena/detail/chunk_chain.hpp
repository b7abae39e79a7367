// The chunks of an arena in one list: those in use, then those kept for later.
//
//   first ──► ... ──► last ──► retained ──► retained ──► nullptr
//   └──── in use ────────┘     └── empty, poisoned ──┘
//
// Header-only like the rest of the module: a program built with AddressSanitizer must not link bodies that were built
// without it, or the two would disagree about which bytes are poisoned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/block_source.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/error.hpp>
#include <heapwright/base/poison.hpp>

namespace heapwright {

/// How an arena takes memory from its source. All in bytes as the source sees them, headers included.
struct ArenaOptions {
    static constexpr std::size_t kUnlimited = SIZE_MAX;

    std::size_t first_chunk_bytes = std::size_t{16} << 10;   // each further chunk is twice as large ...
    std::size_t largest_chunk_bytes = std::size_t{4} << 20;  // ... up to this, unless one request needs more
    std::size_t limit_bytes = kUnlimited;                    // taken from the source at one time
    std::size_t limit_chunks = kUnlimited;
};

namespace detail {

/// Sits at the start of each chunk.
struct alignas(16) Chunk {
    Chunk* previous;
    Chunk* next;
    std::byte* low;  // the arena's cursors when it left this chunk; meaningless in its current one
    std::byte* high;
    std::size_t bytes;  // with this header
    bool is_borrowed;   // the caller's buffer, not from the source

    [[nodiscard]] std::byte* begin() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
    [[nodiscard]] std::byte* end() noexcept { return reinterpret_cast<std::byte*>(this) + bytes; }
    [[nodiscard]] std::size_t capacity() const noexcept { return bytes - sizeof(Chunk); }
    /// As of the moment the arena left it.
    [[nodiscard]] std::size_t used_bytes() const noexcept { return capacity() - static_cast<std::size_t>(high - low); }
};
static_assert(sizeof(Chunk) == 48 || sizeof(void*) != 8);

/// Takes chunks from a source within limits, and keeps them for reuse.
///
///   C1  the links agree in both directions
///   C2  `last` is on the list, or nullptr while no chunk is in use
///   C3  owned_bytes and owned_chunks count the chunks that came from the source, and are within the limits
class ChunkChain {
public:
    constexpr ChunkChain(std::span<std::byte> buffer, SourceRef source, ArenaOptions options) noexcept
        : source_(source), options_(options), next_chunk_bytes_(options.first_chunk_bytes), buffer_(buffer) {}
    ChunkChain(const ChunkChain&) = delete;
    ChunkChain& operator=(const ChunkChain&) = delete;

    [[nodiscard]] Chunk* first() const noexcept { return first_; }
    /// The newest chunk in use.
    [[nodiscard]] Chunk* last() const noexcept { return last_; }

    /// Puts one more chunk in use: a retained one that is large enough, or a new one.
    ///
    /// Returns:  a chunk with at least `needed` bytes, now last(); nullptr when limits or source refuse, and then
    ///           nothing changed except why_refused() and refusals().
    /// Cost:     at most kProbes retained chunks are looked at, whatever their number.
    [[nodiscard]] Chunk* extend(std::size_t needed) noexcept;

    /// Chunks after `keep` leave use and are retained; nullptr: all of them.
    void retire_after(Chunk* keep) noexcept;

    /// Puts the largest retained chunk first (after the caller's buffer), so that the next cycle meets few chunks.
    ///
    /// Requires: no chunk is in use.
    void promote_largest() noexcept;

    /// Returns retained chunks to the source once those before them add up to `keep_bytes`.
    std::size_t trim(std::size_t keep_bytes) noexcept;

    /// Returns every chunk to the source. The caller's buffer is as if never used.
    void release() noexcept;

    [[nodiscard]] std::size_t owned_bytes() const noexcept { return owned_bytes_; }
    [[nodiscard]] std::size_t owned_chunks() const noexcept { return owned_chunks_; }
    [[nodiscard]] std::size_t retained_bytes() const noexcept;
    [[nodiscard]] constexpr std::size_t refusals() const noexcept { return refusals_; }
    [[nodiscard]] constexpr Errc why_refused() const noexcept { return why_refused_; }
    [[nodiscard]] constexpr std::span<std::byte> buffer() const noexcept { return buffer_; }
    [[nodiscard]] bool is_in_use(const Chunk* chunk) const noexcept;
    constexpr void count_refusal(Errc why) noexcept {
        why_refused_ = why;
        ++refusals_;
    }

    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const noexcept;

private:
    static constexpr std::size_t kGrain = 64;     // sizes asked of the source are multiples of this ...
    static constexpr std::size_t kOsPage = 4096;  // ... and from this size on of this
    static constexpr std::size_t kProbes = 8;

    [[nodiscard]] Chunk*& retained() noexcept { return last_ == nullptr ? first_ : last_->next; }
    void adopt_buffer() noexcept;
    [[nodiscard]] Chunk* take_retained(std::size_t needed) noexcept;
    [[nodiscard]] Chunk* take_new(std::size_t needed) noexcept;
    [[nodiscard]] Chunk* make_chunk(void* memory, std::size_t bytes, bool is_borrowed) noexcept;
    void link_after(Chunk* before, Chunk* chunk) noexcept;
    void unlink(Chunk* chunk) noexcept;
    void give_back(Chunk* chunk) noexcept;

    Chunk* first_ = nullptr;
    Chunk* last_ = nullptr;
    SourceRef source_;
    ArenaOptions options_;
    std::size_t next_chunk_bytes_;
    std::size_t owned_bytes_ = 0;
    std::size_t owned_chunks_ = 0;
    std::size_t refusals_ = 0;
    std::span<std::byte> buffer_;
    bool is_buffer_adopted_ = false;
    Errc why_refused_ = Errc::out_of_memory;
};

}  // namespace detail
}  // namespace heapwright

#include <heapwright/alloc/arena/detail/chunk_chain_impl.hpp>
