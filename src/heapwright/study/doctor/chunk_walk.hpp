// Walks glibc's chunks in the order of their addresses and says, in resident bytes, what is live, free, and could be given back.
#pragma once

#include <cstdint>
#include <vector>

#include <heapwright/study/doctor/free_lists.hpp>
#include <heapwright/study/doctor/glibc_heap.hpp>
#include <heapwright/study/doctor/page_run.hpp>
#include <heapwright/study/doctor/process_memory.hpp>

namespace heapwright::study::doctor::glibc {

/// What was found. All bytes are resident ones, but for `largest_free_bytes`.
///
///   CW1  live + headers + trimmable + pinned + kept + uncertain are the resident bytes from Segment::begin to Segment::end
struct ChunkFigures {
    std::uint64_t live_bytes = 0;       ///< in used chunks, without their headers; those in threads' caches are among them
    std::uint64_t header_bytes = 0;     ///< of used chunks, and what closes a piece of a heap
    std::uint64_t trimmable_bytes = 0;  ///< OS pages that malloc_trim(0) gives back
    std::uint64_t kept_bytes = 0;       ///< whole free OS pages that it does not: the tops of arenas other than the main one
    std::uint64_t pinned_bytes = 0;     ///< free bytes on OS pages that also hold something else
    std::uint64_t uncertain_bytes = 0;  ///< where no chunks could be followed
    std::uint64_t used_chunks = 0;
    std::uint64_t free_chunks = 0;
    std::uint64_t fast_chunks = 0;  ///< of the free ones
    std::uint64_t largest_free_bytes = 0;
    std::uint64_t lost = 0;  ///< times that the walk had to search for the next chunk

    void add(const ChunkFigures& other);
};

/// A used chunk of the size that threads' caches have.
struct CacheCandidate {
    std::uint64_t address = 0;
    std::uint64_t bytes = 0;
};

/// One walk over one segment. Nothing that the memory holds makes it fail, run for ever or count a byte twice [CW1].
class ChunkWalk {
public:
    /// Requires: `pages` covers the segment; all outlive the walk.
    ChunkWalk(MemorySource& memory, const PageRun& pages, const Segment& segment, const ChunkSet& fast);

    /// Cost: linear in the chunks; memory is read in pieces of up to 1 MiB.
    void run();

    [[nodiscard]] const ChunkFigures& figures() const { return figures_; }
    [[nodiscard]] const std::vector<CacheCandidate>& candidates() const { return candidates_; }
    /// The name of the first invariant that does not hold, or nullptr. Requires: run() has returned.
    [[nodiscard]] const char* broken_invariant() const;

private:
    [[nodiscard]] std::uint64_t word(std::uint64_t address) {
        const std::uint64_t offset = address - window_start_;
        return offset + sizeof(std::uint64_t) <= window_bytes_ ? window_word(offset) : word_slow(address);
    }
    [[nodiscard]] std::uint64_t window_word(std::uint64_t offset) const;
    [[nodiscard]] std::uint64_t word_slow(std::uint64_t address);
    [[nodiscard]] std::uint64_t peek(std::uint64_t address);
    void load(std::uint64_t address);
    [[nodiscard]] bool has_plain_flags(std::uint64_t head) const;
    [[nodiscard]] bool is_top(std::uint64_t at, std::uint64_t next);
    [[nodiscard]] bool is_chunk(std::uint64_t at, std::uint64_t head) const;
    [[nodiscard]] bool leads_on(std::uint64_t at);
    [[nodiscard]] std::uint64_t bytes_of(std::uint64_t at, std::uint64_t& head);
    [[nodiscard]] std::uint64_t close_with_top(std::uint64_t at, std::uint64_t next);
    [[nodiscard]] std::uint64_t walk_from(std::uint64_t at);
    [[nodiscard]] std::uint64_t search_from(std::uint64_t at);
    void note(std::uint64_t at, std::uint64_t bytes, bool is_free, bool is_fast);
    void close_run(std::uint64_t to);
    void count_free(std::uint64_t from, std::uint64_t to);
    void count_top(std::uint64_t from, std::uint64_t to);

    MemorySource& memory_;
    const PageRun& pages_;
    const Segment& segment_;
    const ChunkSet& fast_;
    ChunkFigures figures_;
    std::vector<CacheCandidate> candidates_;

    std::vector<std::byte> window_;
    std::uint64_t window_start_ = 0;
    std::uint64_t window_bytes_ = 0;

    std::uint64_t run_start_ = 0;  // of chunks that are all used, or all free
    std::uint64_t run_headers_ = 0;
    bool run_is_free_ = false;
};

}  // namespace heapwright::study::doctor::glibc
