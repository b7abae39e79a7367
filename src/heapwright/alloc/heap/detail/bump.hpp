// Blocks of any size one after the other in chunks of 64 KiB, which are used again when their last block is freed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include <heapwright/alloc/heap/detail/span.hpp>
#include <heapwright/alloc/heap/size_class.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::heap {

/// Before each block of a chunk: 8 bytes. What an overrun destroys first is the tag.
struct BumpHeader {
    static constexpr std::uint32_t kLive = 0x706D'7542;
    static constexpr std::uint32_t kFreed = 0x6465'6572;

    std::uint32_t tag;
    std::uint16_t units;  ///< that the block takes with its header
    std::uint16_t site;   ///< the plan's entry that it was made by; 0: none, or one beyond the 65535th
};
inline constexpr std::size_t kBumpUnit = 16;
inline constexpr unsigned kWeightBlockLog2 = 16;
inline constexpr std::size_t kBumpHeaderBytes = sizeof(BumpHeader);
static_assert(kBumpHeaderBytes == 8 && kSliceBytes / kBumpUnit < (1U << kWeightBlockLog2));

[[nodiscard]] inline BumpHeader* bump_header(void* block) noexcept { return static_cast<BumpHeader*>(block) - 1; }
[[nodiscard]] inline const BumpHeader* bump_header(const void* block) noexcept { return static_cast<const BumpHeader*>(block) - 1; }
/// Bytes that a block takes with its header.
[[nodiscard]] constexpr std::size_t bump_bytes_for(std::size_t bytes) noexcept {
    return (bytes + kBumpHeaderBytes + kBumpUnit - 1) & ~(kBumpUnit - 1);
}
/// 2^16 for the block, and 1 for each unit.
[[nodiscard]] constexpr std::uint32_t weight_of(std::uint32_t units) noexcept { return (1U << kWeightBlockLog2) + units; }

class BumpPlace;

/// A thread's part of a bump place. Never unmapped.
struct BumpHome {
    char* cursor = nullptr;  ///< the next block, a multiple of 16
    char* end = nullptr;     ///< of the chunk
    Span* chunk = nullptr;   ///< that is being filled
    BumpPlace* place = nullptr;
    Span* noticed = nullptr;               ///< chunks that others freed into; under the place's lock
    std::atomic<bool> has_notices{false};  ///< a hint
    bool others_free = false;              ///< into the chunk that is being filled

    /// Requires: bytes <= placement::kMostBumpBytes.  Returns: nullptr when the chunk has no room.
    [[nodiscard]] HEAPWRIGHT_ALWAYS_INLINE void* take(std::size_t bytes, std::uint32_t site) noexcept {
        const std::size_t whole = bump_bytes_for(bytes);
        char* const block = cursor;
        if (HEAPWRIGHT_UNLIKELY(whole > static_cast<std::size_t>(end - block))) {
            return nullptr;
        }
        cursor = block + whole;
        const auto units = static_cast<std::uint32_t>(whole / kBumpUnit);
        *bump_header(block) = {
            .tag = BumpHeader::kLive, .units = static_cast<std::uint16_t>(units), .site = static_cast<std::uint16_t>(site)};
        chunk->countdown += weight_of(units);
        return block;
    }
};

/// What became of a place's chunks.
struct BumpFigures {
    std::uint64_t live_blocks = 0;
    std::uint64_t live_bytes = 0;  ///< without headers
    std::uint64_t chunks = 0;
    std::uint64_t held_back = 0;  ///< filled, and not empty
    std::uint64_t lost = 0;       ///< of those, that kOvertaken others were filled after
    std::uint64_t won = 0;        ///< filled chunks that became empty
};

/// What blocks of one entry of the plan do to the chunks that they lie in.
struct SiteFigures {
    std::uint64_t live_blocks = 0;
    std::uint64_t live_bytes = 0;  ///< without headers
    std::uint64_t held_back = 0;   ///< filled chunks with a live block of it
    std::uint64_t lost = 0;        ///< live blocks in chunks that kOvertaken others were filled after
    const Span* last = nullptr;    ///< chunk that is counted in held_back
};

/// The chunks of one bump place. A chunk's span record is used so:
///
///   owner      thread pointer | kBump: of that thread; kBump: given to all
///   countdown  weight of the blocks that are live as the owner knows; 0 of a chunk given to all
///   remote     minus the weight that others freed; of a chunk given to all, the weight of its live blocks
///   free       its BumpHome          pages   number of the place
///   state      active: it is being filled; full: it is filled        stamp   of a filled one: its number among them
///
///   BP1  countdown + remote is the weight of the live blocks; when it is 0 the chunk is empty
///   BP2  a chunk of a thread is in its place's list; one that is filled and empty for its owner is in none
///
/// A free of the owner subtracts from countdown, one of another thread from remote. The first of those tells the owner, who
/// gives the chunk to all when it next asks for one; then whoever frees the last block takes the chunk out.
///
/// Thread safety: any thread; a BumpHome is its thread's.
class BumpPlace {
public:
    static constexpr std::uint32_t kOvertaken = 8;

    explicit BumpPlace(std::uint32_t number) noexcept : number_(number) {}
    BumpPlace(const BumpPlace&) = delete;
    BumpPlace& operator=(const BumpPlace&) = delete;

    /// A block, when the home's chunk has no room: from the same one if it is empty, else from a new one.
    ///
    /// Returns: nullptr when memory is exhausted.
    [[nodiscard]] void* take_slow(BumpHome& home, std::size_t bytes, std::uint32_t site) noexcept;

    /// Frees a block into its chunk. Requires: is_bump(owner), which is the chunk's.
    static HEAPWRIGHT_ALWAYS_INLINE void release(Span* chunk, std::uintptr_t owner, void* block) noexcept {
        BumpHeader* const header = bump_header(block);
        if (HEAPWRIGHT_UNLIKELY(header->tag != BumpHeader::kLive)) {
            stop_no_block("free", block);
        }
        header->tag = BumpHeader::kFreed;
        const std::uint32_t weight = weight_of(header->units);
        const auto self = reinterpret_cast<std::uintptr_t>(__builtin_thread_pointer()) | owner::kBump;
        if (HEAPWRIGHT_LIKELY(owner == self)) {  // equal only if this thread wrote it
            chunk->countdown -= weight;
            if (HEAPWRIGHT_UNLIKELY(chunk->countdown == 0)) {
                BumpHome& home = *reinterpret_cast<BumpHome*>(chunk->sink);
                if (chunk == home.chunk) {
                    home.cursor = chunk->start + kBumpUnit;
                } else {
                    take_out(chunk, home);
                }
            }
            return;
        }
        release_of_another(chunk, weight);
    }
    /// Bytes that can be used. Stops the program where no block begins.
    [[nodiscard]] static std::size_t usable_bytes(const void* block, const char* what) noexcept;
    /// Makes the last block of this thread's chunk longer or shorter; false where that is not possible.
    [[nodiscard]] static bool resize(BumpHome& home, void* block, std::size_t bytes) noexcept;

    /// Takes home what others freed, and gives back the home's chunk if it is empty.
    void shed(BumpHome& home) noexcept;
    /// Gives the chunks of a thread that ends to all; of every thread but `thread`, if `others` is set.
    void leave(std::uintptr_t thread, bool others) noexcept;

    void add_figures(BumpFigures& sum) noexcept;
    /// Adds what stands in the headers of blocks to the entries that made them, by their numbers. Of more than kMostWalked
    /// chunks only every second, third, ... is looked at, and counts for those that are not.
    ///
    /// Cost: a look at each block of the chunks, under the place's lock.
    void add_sites(std::span<SiteFigures> sites) noexcept;
    static constexpr std::uint32_t kMostWalked = 256;
    [[nodiscard]] os::SpinLock& lock() noexcept { return lock_; }
    /// The name of the first invariant that does not hold, or nullptr. Requires: no thread uses the place meanwhile.
    [[nodiscard]] const char* broken_invariant() noexcept;

private:
    [[nodiscard]] Span* take_chunk(BumpHome& home) noexcept;
    static void fill_again(BumpHome& home) noexcept;
    void close(BumpHome& home) noexcept;
    void answer_notices(BumpHome& home) noexcept;
    void notify(Span* chunk) noexcept;
    static void take_out(Span* chunk, BumpHome& home) noexcept;
    static void release_of_another(Span* chunk, std::uint32_t weight) noexcept;
    [[noreturn]] static void stop_no_block(const char* what, const void* block) noexcept;
    [[nodiscard]] bool give_to_all(Span* chunk) noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    void unlist(Span* chunk) noexcept HEAPWRIGHT_REQUIRES_LOCK(lock_);
    void give_back(Span* chunk) noexcept;

    os::SpinLock lock_;
    Span* chunks_ = nullptr;  // all of them, by cache_next
    std::uint32_t number_;
    std::atomic<std::uint32_t> filled_{0};  // changes under the lock
    std::atomic<std::uint64_t> won_{0};
};

/// The place of that number.
[[nodiscard]] BumpPlace* bump_place(std::uint32_t number) noexcept;

}  // namespace heapwright::heap
