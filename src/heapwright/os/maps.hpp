// The process's mappings as /proc/self/maps tells them, read without allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include <heapwright/base/error.hpp>

namespace heapwright::os {

/// One line of /proc/self/maps; from smaps also what is resident.
struct Mapping {
    std::uintptr_t start = 0;
    std::uintptr_t end = 0;
    std::uint64_t offset = 0;  // in the file
    std::uint64_t inode = 0;   // 0: no file
    std::uint64_t resident_bytes = 0;
    std::uint64_t anonymous_bytes = 0;  // resident, and not backed by a file
    std::uint64_t huge_bytes = 0;       // resident as transparent huge pages
    std::uint64_t swapped_bytes = 0;
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
    bool readable = false;
    bool writable = false;
    bool executable = false;
    bool shared = false;
    bool has_counters = false;  // smaps was read: the *_bytes fields and is_observers are true
    bool is_observers = false;  // made by map_observer_pages()
    std::string_view path;      // "[heap]", "[anon:name]", a file with " (deleted)" perhaps, or empty; valid in the callback only

    [[nodiscard]] std::size_t size_bytes() const noexcept { return end - start; }
    [[nodiscard]] bool contains(const void* address) const noexcept {
        const auto number = reinterpret_cast<std::uintptr_t>(address);
        return start <= number && number < end;
    }
};

enum class MapsDetail : std::uint8_t {
    addresses,  // /proc/self/maps
    counters,   // /proc/self/smaps: slower, the kernel walks every page table
};

/// Return false to stop.
using MappingCallback = bool (*)(const Mapping& mapping, void* context) noexcept;

/// Calls back for each mapping in the order of addresses.
///
/// The kernel prints the list piece by piece: mappings made or removed during the walk may or may not appear, but each
/// one that stays appears exactly once.
///
/// Requires: buffer holds at least kMapsBufferBytes; it is used during the call only.
/// Returns:  how many mappings were handed over.
/// Fails:    what opening and reading the file fails with; damaged_data when a line is not understood.
/// Cost:     one read per buffer; smaps costs the kernel a walk over all resident pages.
[[nodiscard]] Result<std::size_t> for_each_mapping(std::span<char> buffer, MapsDetail detail, MappingCallback callback,
                                                   void* context) noexcept;

/// The same for a file in the format of maps or smaps, such as /proc/PID/smaps.
[[nodiscard]] Result<std::size_t> for_each_mapping_in(const char* path, std::span<char> buffer, MapsDetail detail, MappingCallback callback,
                                                      void* context) noexcept;

/// Room for a longest path, and as much again to read into. A path beyond 4 KiB is cut.
inline constexpr std::size_t kMapsBufferBytes = 16384;

/// The same with any callable: `bool(const Mapping&)`.
template <class Callable>
    requires std::is_invocable_r_v<bool, Callable&, const Mapping&>
[[nodiscard]] Result<std::size_t> for_each_mapping(std::span<char> buffer, MapsDetail detail, Callable&& callable) noexcept {
    using Plain = std::remove_reference_t<Callable>;
    return for_each_mapping(
        buffer, detail, [](const Mapping& mapping, void* context) noexcept -> bool { return (*static_cast<Plain*>(context))(mapping); },
        const_cast<void*>(static_cast<const void*>(&callable)));
}

namespace detail {

/// Parses one line of maps without its newline. Open for tests.
[[nodiscard]] bool parse_maps_line(std::string_view line, Mapping& mapping) noexcept;

}  // namespace detail

}  // namespace heapwright::os
