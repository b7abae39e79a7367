// The files that the program has loaded, read through the loader by one of the program's own threads.
#pragma once

#include <cstddef>
#include <cstdint>

namespace heapwright::trace::record {

inline constexpr std::size_t kMaxProgramPathBytes = 4096;

/// A list on its way from the thread that read it to the file. Owns OS pages; move it by assignment, free it once.
struct ModuleList {
    std::uint8_t* payload = nullptr;  ///< as a modules chunk wants it
    std::size_t mapped_bytes = 0;
    std::size_t payload_bytes = 0;
    std::uint32_t modules = 0;
    std::uint32_t stack_nodes = 0;  ///< nodes up to this number belong to the list before

    void free() noexcept;
};

/// Reads the loader's list.
///
/// Requires: a thread that libc knows; takes the loader's lock, so call it without locks that an allocation may take.
/// Returns:  an empty list when nothing was loaded or unloaded since `loaded` and `unloaded`, which it then updates.
/// Cost:     some microseconds and one mapping.
[[nodiscard]] ModuleList read_modules(std::uint64_t& loaded, std::uint64_t& unloaded) noexcept;

/// The file in which an address of code lies, from the loader.
struct ModuleOf {
    char path[512] = "";
    std::uint8_t build_id[32] = {};
    std::size_t build_id_bytes = 0;
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
};
[[nodiscard]] bool find_module(const void* code, ModuleOf& module) noexcept;

}  // namespace heapwright::trace::record
