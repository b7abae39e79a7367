// Which loaded file an address of code belongs to, and where that file keeps its unwind tables.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace heapwright::trace::stack {

/// A loaded ELF file as far as unwinding needs it. All bytes between the bounds are readable.
struct LoadedFile {
    std::uintptr_t begin = 0;  ///< the file's mappings, with the holes between them
    std::uintptr_t end = 0;
    const std::uint8_t* eh_frame_hdr = nullptr;  ///< nullptr: it has no unwind tables
    const std::uint8_t* tables_begin = nullptr;  ///< the loaded segment in which the tables lie
    const std::uint8_t* tables_end = nullptr;
};

/// What an address was found to be.
enum class CodeKind : std::uint8_t {
    file,       ///< in an executable segment of a loaded file
    generated,  ///< in executable memory of no file: code made at run time
    none,       ///< not executable, or not mapped
};

/// Asks the loader (glibc's lock-free _dl_find_object) and, for what the loader does not know, /proc/self/maps.
///
/// Thread safety: any thread; no locks.
class CodeFinder {
public:
    constexpr CodeFinder() noexcept = default;

    /// Looks for _dl_find_object by dlsym. Without it each look-up reads the memory map.
    void open() noexcept;

    /// Requires: `buffer` as for os::for_each_mapping.
    /// Cost:     about 100 instructions when the loader knows the file, else one reading of /proc/self/maps.
    [[nodiscard]] CodeKind find(std::uintptr_t pc, std::span<char> buffer, LoadedFile& file) noexcept;

    /// Whether the loader still knows a file at this address; true when the loader cannot be asked.
    [[nodiscard]] bool is_loaded(std::uintptr_t pc) const noexcept;

    /// Forgets remembered ranges of generated code.
    void forget_generated() noexcept;

private:
    using FindObject = int (*)(void* address, void* result);

    [[nodiscard]] CodeKind find_in_maps(std::uintptr_t pc, std::span<char> buffer, LoadedFile& file) noexcept;

    static constexpr std::size_t kRanges = 16;
    /// Addresses that were found not to be code cost a reading of the memory map each: after this many no more.
    static constexpr std::uint32_t kMaxStrangers = 4096;

    FindObject find_object_ = nullptr;
    std::array<std::atomic<std::uint64_t>, kRanges> generated_{};  // first OS page << 24 | pages
    std::atomic<std::uint32_t> next_range_{0};
    std::atomic<std::uint32_t> strangers_{0};
};

namespace detail {

/// Whether an ELF file begins here.
[[nodiscard]] bool is_elf(std::uintptr_t begin, std::size_t readable_bytes) noexcept;

/// Reads the program headers of a loaded file.
///
/// Requires: [begin, begin + readable_bytes) is readable.
/// Returns:  none when it is not a loaded ELF file or `pc` is in no executable segment of it.
[[nodiscard]] CodeKind read_program_headers(std::uintptr_t begin, std::size_t readable_bytes, std::uintptr_t pc, LoadedFile& file) noexcept;

}  // namespace detail

}  // namespace heapwright::trace::stack
