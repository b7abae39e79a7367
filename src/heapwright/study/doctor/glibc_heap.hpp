// Where glibc's malloc keeps its arenas in another process, found without symbols: by what their records must look like.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <heapwright/study/doctor/glibc_layout.hpp>
#include <heapwright/study/doctor/mappings.hpp>
#include <heapwright/study/doctor/process_memory.hpp>

namespace heapwright::study::doctor::glibc {

/// A run of chunks: one after the other from `begin` on, up to `top` or `end`.
struct Segment {
    std::uint64_t start = 0;  ///< of the piece of memory; records of the arena lie before `begin`
    std::uint64_t begin = 0;  ///< the first chunk
    std::uint64_t end = 0;
    std::uint64_t top = 0;                 ///< the chunk that has never been cut, where it lies here; else 0
    bool is_main = false;                  ///< grown by brk: a trim gives the end of `top` back
    std::uint64_t trim_step = kPageBytes;  ///< it gives back a multiple of this

    [[nodiscard]] bool contains(std::uint64_t address) const { return start <= address && address < end; }
};

struct ArenaPlace {
    std::uint64_t address = 0;
    Arena arena{};
    bool is_main = false;
    std::vector<Segment> segments;
};

/// Whether a record at `address` is an arena: its rings either hold nothing and lead to themselves, or lead to chunks.
[[nodiscard]] bool is_arena(const Arena& arena, std::uint64_t address);

/// The main arena, in the data of libc or of a static executable.
[[nodiscard]] std::optional<std::uint64_t> find_main_arena(MemorySource& memory, std::span<const ProcessMapping> mappings, bool is_static);

/// All arenas with their segments, the main one first.
///
/// Requires: `main_arena` is where find_main_arena() found it.
[[nodiscard]] std::vector<ArenaPlace> find_arenas(MemorySource& memory, std::span<const ProcessMapping> mappings, std::uint64_t main_arena);

}  // namespace heapwright::study::doctor::glibc
