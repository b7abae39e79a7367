// Addresses and memory from the kernel, in whole OS pages.
//
//   reserve ── addresses only ──► commit ── usable ──► decommit ── memory given back, addresses kept ──► release
//   map_pages does the first two at once.
#pragma once

#include <cstddef>

namespace heapwright::os {

inline constexpr std::size_t kPageBytes = 4096;
/// What the kernel may map as one piece when transparent huge pages apply.
inline constexpr std::size_t kHugePageBytes = std::size_t{2} << 20;

/// Reserves addresses without memory; touching them is a fault until commit().
///
/// Requires: bytes > 0, a multiple of kPageBytes; alignment is a power of two of at least kPageBytes.
/// Returns:  the start; nullptr when the kernel refuses or the sum overflows. `name` (a literal, or nullptr) shows in
///           /proc/PID/maps as [anon:name] on kernels that can.
/// Cost:     one mmap, up to two munmap where alignment exceeds a page, one prctl where named.
/// Thread safety: any thread.
[[nodiscard]] void* reserve(std::size_t bytes, std::size_t alignment, const char* name) noexcept;

/// Makes reserved addresses readable and writable; fresh pages are zero.
///
/// Requires: start and bytes are multiples of kPageBytes, inside one reservation.
/// Returns:  false when the kernel refuses.
[[nodiscard]] bool commit(void* start, std::size_t bytes) noexcept;

/// Gives the memory back and makes the addresses inaccessible; their contents are gone.
///
/// Requires: as commit.
[[nodiscard]] bool decommit(void* start, std::size_t bytes) noexcept;

/// Gives the memory back but leaves the addresses usable; they read as zero afterwards. One call fewer than
/// decommit and commit, for pages that will be wanted again soon.
[[nodiscard]] bool discard(void* start, std::size_t bytes) noexcept;

/// Gives back memory and addresses.
///
/// Requires: start and bytes are multiples of kPageBytes that this process reserved or mapped.
void release(void* start, std::size_t bytes) noexcept;

/// Reserved and committed at once. Pages are zero; memory is taken when they are first touched.
///
/// Requires: bytes > 0; rounded up to whole pages (release the rounded size).
/// Returns:  nullptr when the kernel refuses.
[[nodiscard]] void* map_pages(std::size_t bytes, const char* name) noexcept;

/// map_pages for an observer inside somebody else's program. Not every kernel can name mappings: these are marked, too, so
/// that Mapping::is_observers tells them, and so that the kernel never merges them with the program's own. They stay out of
/// core dumps.
///
/// Cost: one mmap, one prctl, two madvise.
[[nodiscard]] void* map_observer_pages(std::size_t bytes, const char* name) noexcept;
/// The mark alone, for what was reserved.
void mark_observer_pages(void* start, std::size_t bytes) noexcept;

/// Names a mapping in /proc/PID/maps. Without effect on kernels before 5.17 or built without the feature.
void name_pages(void* start, std::size_t bytes, const char* name) noexcept;

/// How many of these pages are in memory.
///
/// Requires: start is a multiple of kPageBytes.
/// Returns:  the count; -errno when a page is not mapped at all or the kernel refuses.
/// Cost:     one mincore per 16 MiB.
[[nodiscard]] long resident_pages(const void* start, std::size_t bytes) noexcept;

/// bytes rounded up to whole pages. Wraps to 0 for the last page of the address space.
[[nodiscard]] constexpr std::size_t round_to_pages(std::size_t bytes) noexcept { return (bytes + kPageBytes - 1) & ~(kPageBytes - 1); }

}  // namespace heapwright::os
