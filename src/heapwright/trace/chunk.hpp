// The file's grammar: a header and then chunks, each of which can be checked and understood alone.
//
//   +-------------+---------------+---------+---------------+---------+----
//   | FileHeader  |  ChunkHeader  | payload |  ChunkHeader  | payload | ...
//   +-------------+---------------+---------+---------------+---------+----
//
// All numbers are little endian. A payload is one zstd frame with its content checksum on, or plain bytes.
// A file that was cut anywhere is readable up to its last whole chunk. docs/format.md says the rest in prose.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/trace/event.hpp>

namespace heapwright::trace {

inline constexpr char kFileMagic[8] = {'H', 'W', 'T', 'R', 'A', 'C', 'E', '\n'};
/// A reader refuses another major version and skips the chunk kinds and trailing fields of a newer minor one.
inline constexpr std::uint16_t kVersionMajor = 1;
inline constexpr std::uint16_t kVersionMinor = 0;

struct FileHeader {
    char magic[8];
    std::uint16_t version_major;
    std::uint16_t version_minor;
    std::uint32_t header_bytes;  // sizeof(FileHeader); the first chunk starts there
};
static_assert(sizeof(FileHeader) == 16);

/// Values are part of the format. A reader skips a kind that it does not know.
enum class ChunkKind : std::uint8_t {
    info = 1,       ///< text, one "key=value" a line: program, arguments, allocator, kernel, options ...
    modules = 2,    ///< all loaded files from now on: address ranges, load bias, path, build-id
    stacks = 3,     ///< new nodes of the stack tree (parent, return address); pcs belong to the modules in force
    events = 4,     ///< one thread's events in order, as columns
    samples = 5,    ///< resident pages and faults, read on a clock
    mappings = 6,   ///< the memory map with the resident bytes of each mapping at one moment
    usable = 7,     ///< pairs (requested size, usable size) of the program's allocator
    threads = 8,    ///< thread numbers, kernel ids, names, first and last tick
    watermark = 9,  ///< no payload: every event before last_tick stands before this chunk in the file
    end = 10,       ///< text as in info: what was recorded, lost and used; absent when the program was killed
};

enum class Compression : std::uint8_t { none = 0, zstd = 1 };

inline constexpr std::uint32_t kChunkMagic = 0x4b435748;  // "HWCK"

/// Limits that writers keep and readers enforce before they allocate anything.
inline constexpr std::uint32_t kMaxPlainBytes = 16U << 20;
inline constexpr std::uint32_t kMaxStoredBytes = 17U << 20;

struct ChunkHeader {
    std::uint32_t magic;
    ChunkKind kind;
    Compression compression;
    std::uint16_t reserved;      // 0
    std::uint32_t stored_bytes;  // payload as it stands in the file
    std::uint32_t plain_bytes;   // payload once decompressed
    std::uint32_t items;         // events, nodes, samples, pairs ...: what the payload holds
    ThreadIndex thread;          // events: whose; otherwise 0
    Tick first_tick;
    Tick last_tick;
    std::uint32_t payload_check;  // FNV-1a (32 bits) of the stored payload when compression is none, else 0
    std::uint32_t header_check;   // FNV-1a (32 bits) of the bytes before this field
};
static_assert(sizeof(ChunkHeader) == 48);

constexpr std::uint32_t fnv1a(const unsigned char* bytes, std::size_t count, std::uint32_t hash = 2166136261U) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        hash = (hash ^ bytes[i]) * 16777619U;
    }
    return hash;
}

/// A stack node as the stacks chunk lists it. Nodes are numbered in file order from 1; a parent comes before its child.
struct StackNode {
    StackId parent;    ///< the caller's frame; none at the outermost frame
    std::uint64_t pc;  ///< a return address: the call is at pc - 1
};

/// A clock reading of the samples chunk.
struct Sample {
    Tick tick;
    std::uint64_t monotonic_ns;
    std::uint64_t resident_pages;  ///< of the whole process, 4 KiB each
    std::uint64_t file_pages;      ///< the part of them that is backed by files (statm "shared")
    std::uint64_t minor_faults;    ///< since the process began
    std::uint64_t major_faults;
    std::uint64_t cpu_ns;  ///< user + system time of the process so far, the recorder's own thread excluded
};

/// One line of the memory map in a mappings chunk.
struct Mapping {
    std::uint64_t begin;
    std::uint64_t bytes;
    std::uint64_t resident_bytes;
    std::uint64_t anonymous_bytes;
    std::uint32_t permissions;  ///< bit 0 read, 1 write, 2 execute, 3 shared
    // then the name as in /proc/PID/maps: a path, [heap], [stack], [anon:...], or nothing
};

}  // namespace heapwright::trace
