// The state of a heap of movable objects: chunks by size, the name table, the gate, and how far a compaction is.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <heapwright/base/error.hpp>
#include <heapwright/os/spin_lock.hpp>
#include <heapwright/own/handle/detail/chunks.hpp>
#include <heapwright/own/handle/detail/gate.hpp>
#include <heapwright/own/handle/detail/layout.hpp>
#include <heapwright/own/handle/detail/many_pins.hpp>
#include <heapwright/own/handle/detail/names.hpp>
#include <heapwright/own/handle/options.hpp>

namespace heapwright::movable {

/// A chunk's number, or kNoChunk, which is what zeroed memory says.
class ChunkNumber {
public:
    operator std::uint32_t() const noexcept { return ~inverted_; }  // NOLINT(google-explicit-constructor): it is one
    ChunkNumber& operator=(std::uint32_t number) noexcept {
        inverted_ = ~number;
        return *this;
    }

private:
    std::uint32_t inverted_;
};

/// The chunks of one size of slot that have free slots, in rings by how full they are; allocation takes from the fullest,
/// compaction empties the emptiest. What a compaction is done with stands at the end of its ring.
///
/// Zeroed memory is one without chunks: sizes that nobody uses take no memory, and whoever looks at all of them writes only to those
/// that have chunks.
struct alignas(64) SizeClass {
    static constexpr std::uint8_t kLists = 16;

    mutable os::SpinLock lock;
    ChunkNumber current;        // where slots are taken until it is full
    ChunkNumber lists[kLists];  // the first of each ring
    std::uint64_t live;
    std::atomic<std::uint64_t> chunks_now;

    [[nodiscard]] std::uint64_t chunks() const noexcept {
        return chunks_now.load(std::memory_order_relaxed);  // without the lock a figure of a moment; what else is read is behind it
    }
    void add_chunks(std::int64_t more) noexcept {
        chunks_now.store(chunks() + static_cast<std::uint64_t>(more), std::memory_order_relaxed);  // behind the lock
    }
};

class Compaction;
class Store;
inline constexpr unsigned kSegmentShift = 30;
inline constexpr std::size_t kSegmentBytes = std::size_t{1} << kSegmentShift;
inline constexpr std::size_t kSegments = std::size_t{1} << (47 - kSegmentShift);
/// Which heap has each GiB of addresses.
extern constinit std::atomic<Store*> g_directory[kSegments];

/// All of a heap. Lives on pages of its own.
class Store {
public:
    /// Returns:  nullptr when the kernel refuses addresses or a few pages.
    [[nodiscard]] static Store* make(const MovableHeapOptions& options) noexcept;
    /// Requires: no object is live (checked).
    static void destroy(Store* store) noexcept;
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    /// Of the mapping that begins with a store: itself, what it says of readers and of sizes, rows of pins.
    [[nodiscard]] static std::size_t own_bytes() noexcept;

    /// The heap whose object lies there. Requires: there is one.
    [[nodiscard]] static Store& of(const void* address) noexcept {
        // Acquire pairs with the release in make().
        return *g_directory[reinterpret_cast<std::uintptr_t>(address) >> kSegmentShift].load(std::memory_order_acquire);
    }

    /// Room for an object, with one pin and nobody as its owner: it stays until it has an owner and the pin is gone. What may have a
    /// short header is to be owned by a name below short_names.
    ///
    /// Fails:    limit_reached (number: the limit in bytes), out_of_memory, overflow (number: the bytes asked).
    [[nodiscard]] Result<std::byte*> allocate(std::size_t bytes, std::size_t alignment, std::uint32_t type,
                                              bool may_be_short = false) noexcept;
    /// Requires: it is pinned, or the caller is inside the gate.
    void deallocate(std::byte* payload) noexcept;
    /// A name comes back; where it was the last of a packed page, so does the page's record.
    void give_name(std::uint32_t name) noexcept;
    /// What a name says of an object that lies there.
    [[nodiscard]] Entry entry_for(const std::byte* payload) const noexcept {
        return static_cast<Entry>(static_cast<std::size_t>(payload - chunks.base()) / kEntryUnit);
    }
    /// Bytes that the object's place has.
    [[nodiscard]] std::size_t capacity_of(const std::byte* payload) const noexcept;

    [[nodiscard]] Result<DefragmentationResult> compact(std::uint64_t budget_ns) noexcept;
    void tick() noexcept;
    /// Moves everything that may move to another address. Returns: false when Borrows do not let it, or memory is short.
    bool move_everything() noexcept;

    [[nodiscard]] MovableHeapStats stats() const noexcept;
    [[nodiscard]] const char* broken_invariant() const noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS;
    void reset_after_fork() noexcept;

    MovableHeapOptions options;
    Gate gate;
    Names names;
    Chunks chunks;
    ManyPins many_pins;
    std::atomic<std::uint64_t> refusals{0};
    std::uint32_t short_names = ShortHeader::kNames;  // names that short headers have room for; tests lower it

private:
    friend class Compaction;

    /// Of a page of names: what its names will be in. Here, for a child of fork that has nobody to go on with it.
    struct NewRecord {
        std::byte* memory;
        std::byte* former;
        std::size_t room;
        std::uint32_t page;
    };

    Store(const MovableHeapOptions& given, std::byte* addresses, std::size_t chunk_count, std::size_t name_count,
          std::size_t address_bytes) noexcept;
    ~Store() = default;

    [[nodiscard]] std::byte* allocate_slot(std::size_t class_index, std::uint32_t type) noexcept;
    [[nodiscard]] std::byte* allocate_large(std::size_t bytes, std::uint32_t type) noexcept;
    void deallocate_large(Chunk& chunk) noexcept;
    /// Whether something was done after which another try may succeed.
    HEAPWRIGHT_COLD bool make_room(unsigned attempt) noexcept;

    // Under the lock of the size class:
    [[nodiscard]] Chunk* fullest(SizeClass& size_class) noexcept;
    [[nodiscard]] Chunk* new_chunk(std::size_t size_class) noexcept;
    /// A free slot, as low as possible. Returns: kNoSlot when the chunk is full, or when its next page is beyond the limit.
    [[nodiscard]] std::uint32_t take_slot(Chunk& chunk) noexcept;
    void give_slot(Chunk& chunk, std::uint32_t slot) noexcept;
    void relist(SizeClass& size_class, Chunk& chunk) noexcept;
    void unlist(SizeClass& size_class, Chunk& chunk) noexcept;
    [[nodiscard]] bool fill_holes(Chunk& chunk) noexcept;

    void run(Compaction& compaction, std::uint64_t deadline_ns) noexcept;
    void finish(DefragmentationResult& result, std::uint64_t deadline_ns) noexcept;
    [[nodiscard]] bool may_make_records() const noexcept;
    void settle_record(const NewRecord& record) noexcept;
    void end_new_records() noexcept;
    void drop_new_records() noexcept;
    void add_to_totals(const DefragmentationResult& result) noexcept;

    [[nodiscard]] const char* broken_in(const Chunk& chunk) const noexcept;
    [[nodiscard]] const char* broken_object(std::byte* payload, std::uint64_t& named) const noexcept;
    [[nodiscard]] const char* broken_objects(const Chunk& chunk, std::uint64_t& live, std::uint64_t& named) const noexcept;
    [[nodiscard]] const char* broken_chunks(std::uint64_t& live, std::uint64_t& named, std::size_t& pages) const noexcept;
    [[nodiscard]] const char* broken_list(std::size_t class_index, std::uint8_t list) const noexcept;
    [[nodiscard]] const char* broken_lists() const noexcept;

    std::size_t address_bytes_;
    SizeClass* classes_;  // kClassCount of them
    std::atomic<std::uint64_t> large_objects_{0};
    std::atomic<std::size_t> large_bytes_{0};
    std::atomic<std::uint32_t> allocations_{0};  // for the stress mode

    os::SpinLock compacting_;             // held by who compacts
    std::atomic<std::uint32_t> pass_{1};  // written behind compacting_; a fresh chunk has 0
    // How far a compaction is: sizes, then pages of the name table, then what goes back. Behind compacting_.
    std::size_t next_class_ = kClassCount;
    std::uint32_t next_page_ = Names::kNoPage;
    std::uint32_t next_record_ = kNoChunk;             // of chunks
    static constexpr std::size_t kRecordsAtOnce = 32;  // pages of names: a step
    NewRecord new_records_[kRecordsAtOnce] = {};
    std::size_t new_count_ = 0;
    bool is_compacted_ = true;
    mutable os::SpinLock totals_lock_;
    MovableHeapStats totals_;  // what compactions did; behind totals_lock_, as what follows
    std::uint64_t ticked_ns_ = 0;
    std::int64_t credit_ns_ = 0;  // processor time that tick() may take
    bool is_unfinished_ = false;  // a compaction has begun: ticks end it, however little is vacant by now
};

inline constexpr std::uint32_t kNoSlot = UINT32_MAX;

}  // namespace heapwright::movable
