// Another mapping in the place of a slice's memory, while the program runs: who touches the slice meanwhile waits.
#pragma once

#include <cstddef>
#include <cstdint>

#include <heapwright/alloc/heap/size_class.hpp>

namespace heapwright::heap {

/// Where each page of a slice lies in a file of as many pages: four bits a page.
using MeshPlaces = std::uint64_t;
inline constexpr MeshPlaces kSamePlaces = 0xFEDC'BA98'7654'3210;
inline constexpr std::uint32_t kPagesOfSlice = 16;
[[nodiscard]] constexpr std::uint32_t mesh_place(MeshPlaces places, std::uint32_t page) noexcept {
    return static_cast<std::uint32_t>(places >> (4 * page)) & 15;
}
/// The page behind the last that follows `page` in the slice and in the file: they are one mapping.
[[nodiscard]] constexpr std::uint32_t mesh_run_end(MeshPlaces places, std::uint32_t page) noexcept {
    std::uint32_t end = page + 1;
    while (end < kPagesOfSlice && mesh_place(places, end) == mesh_place(places, end - 1) + 1) {
        ++end;
    }
    return end;
}

/// The memory of one slice of anonymous pages is taken out, looked at, and replaced by a private mapping of a file.
///
///   take_out ── the slice is empty: every access waits, the kernel's on the program's behalf, too ──► map_over, or put_back
///
/// Pages are moved by userfaultfd (UFFDIO_MOVE), which refuses those that the kernel holds for a transfer in flight (O_DIRECT,
/// registered buffers), so that no such transfer goes to a page that is no longer there. A child that is forked meanwhile is given
/// the pages that it lacks before it runs (answer_forks).
///
/// Thread safety: one thread. Between take_out() and the end it takes no lock, touches nothing of the program's, and no signal
/// handler runs on it.
class MeshWindow {
public:
    /// Why there can be no window.
    enum class Refusal : std::uint8_t { none, forbidden, old_kernel, locked_memory, exhausted };

    constexpr MeshWindow() noexcept = default;
    MeshWindow(const MeshWindow&) = delete;
    MeshWindow& operator=(const MeshWindow&) = delete;

    /// Cost: four system calls. Requires: it is closed. While it is open, a fork in the process waits for the next call here.
    [[nodiscard]] Refusal open() noexcept;
    void close() noexcept;

    /// Takes the slice's memory out. Returns false where the kernel refuses; then the slice is as it was.
    [[nodiscard]] bool take_out(char* slice) noexcept;
    /// What was taken out.
    [[nodiscard]] const char* content() const noexcept { return room_; }
    /// Maps pages of the file over the slice, so that writes to it stay the slice's own, and forgets what was taken out.
    /// Where the kernel refuses a mapping, its pages and those behind are as they were. Returns false where it refuses the first.
    [[nodiscard]] bool map_over(char* slice, int file, MeshPlaces places) noexcept;

private:
    enum class Moved : std::uint8_t { all, busy, refused };

    [[nodiscard]] Moved move_out(char* slice) noexcept;
    void put_back(char* slice, std::size_t from, std::size_t to) noexcept;
    void answer_forks(char* slice) noexcept;
    void settle(char* slice) noexcept;
    void unregister(char* slice) noexcept;

    long descriptor_ = -1;
    char* room_ = nullptr;  // a slice of addresses, for what is taken out
};

/// Anonymous memory again in the place of a mapping of a file; it reads as zero. Returns false where the kernel refuses.
[[nodiscard]] bool map_anonymous_over(char* slice) noexcept;

}  // namespace heapwright::heap
