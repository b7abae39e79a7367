// What an examination of a running process says: where each resident byte belongs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <heapwright/study/doctor/process_facts.hpp>

namespace heapwright::study {

/// Whose malloc serves the process, as far as its mappings tell.
enum class AllocatorKind : std::uint8_t { glibc, heapwright, jemalloc, tcmalloc, mimalloc, musl, other, unknown };
[[nodiscard]] const char* name_of(AllocatorKind kind);

/// How the figures of the heap were come by.
enum class Knowledge : std::uint8_t {
    walked,     ///< block by block
    estimated,  ///< by the mappings alone: what is live cannot be told from what is free
};

/// The parts of the RSS, in bytes; each resident byte is in one of them.
struct MemoryParts {
    std::uint64_t live = 0;           ///< in blocks that the program holds
    std::uint64_t thread_cached = 0;  ///< in freed blocks that threads keep for themselves
    std::uint64_t trimmable = 0;      ///< whole free OS pages: malloc_trim(0) gives them back
    std::uint64_t kept_free = 0;      ///< whole free OS pages that it does not
    std::uint64_t pinned_free = 0;    ///< free bytes on OS pages that also hold live blocks
    std::uint64_t metadata = 0;       ///< the allocator's own
    std::uint64_t uncertain = 0;      ///< in the heap, where it could not be followed
    std::uint64_t stacks = 0;
    std::uint64_t files = 0;            ///< programs, libraries, mapped files, with their data
    std::uint64_t shared = 0;           ///< memory shared with other processes, and no file
    std::uint64_t lazy_free = 0;        ///< given back already; counted until the kernel takes it
    std::uint64_t other_anonymous = 0;  ///< the program's own mappings, and other allocators' heaps
    std::uint64_t other = 0;            ///< the kernel's pages, and what changed while it was read

    [[nodiscard]] std::uint64_t rss() const {
        return live + thread_cached + trimmable + kept_free + pinned_free + metadata + uncertain + stacks + files + shared + lazy_free +
               other_anonymous + other;
    }
    /// What malloc has from the kernel.
    [[nodiscard]] std::uint64_t heap() const { return live + thread_cached + trimmable + kept_free + pinned_free + metadata + uncertain; }
};

/// One of glibc's arenas.
struct ArenaFigures {
    std::uint64_t address = 0;
    bool is_main = false;
    std::uint64_t heaps = 0;  ///< pieces of memory that it has
    std::uint64_t threads = 0;
    std::uint64_t live = 0;
    std::uint64_t free_whole = 0;  ///< trimmable and kept
    std::uint64_t pinned_free = 0;
    std::uint64_t largest_free = 0;
};

/// One look at a process.
///
///   EX1  the parts sum to what the kernel counts in the mappings, and where pages were looked at one by one, to those
struct Examination {
    int pid = 0;
    std::string name;
    std::string executable;
    std::uint32_t threads = 0;
    AllocatorKind allocator = AllocatorKind::unknown;
    std::string allocator_file;
    Knowledge knowledge = Knowledge::estimated;
    std::string caveat;  ///< why it is an estimate, or what could not be read; a sentence, or empty

    MemoryParts parts;
    std::uint64_t counted_bytes = 0;  ///< resident in the mappings: what the parts must sum to
    std::uint64_t status_rss = 0;     ///< the kernel's own count, a moment earlier
    std::uint64_t swapped = 0;
    std::uint64_t huge_pages = 0;     ///< of the RSS
    std::uint64_t files_code = 0;     ///< of the files: executable
    std::uint64_t files_private = 0;  ///< of the files: the process's own copies of written pages
    std::uint64_t live_mapped = 0;    ///< of what is live: blocks with a mapping of their own
    std::uint64_t live_blocks = 0;
    std::uint64_t fast_blocks = 0;    ///< glibc: free and not merged yet
    std::uint64_t thread_caches = 0;  ///< glibc: caches that hold blocks
    std::vector<ArenaFigures> arenas;
    std::vector<doctor::Descendant> descendants;  ///< processes that it started: their memory is not in the figures above

    [[nodiscard]] std::uint64_t rss() const { return parts.rss(); }
    /// The name of the first invariant that does not hold, or nullptr.
    [[nodiscard]] const char* broken_invariant() const {
        return parts.rss() == counted_bytes ? nullptr : "EX1: the parts are not what is resident";
    }
};

}  // namespace heapwright::study
