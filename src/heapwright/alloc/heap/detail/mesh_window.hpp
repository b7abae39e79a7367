// Another mapping in the place of pages of the heap, while the program runs: who touches them meanwhile waits.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <heapwright/alloc/heap/size_class.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::heap {

/// Pages are replaced by a private mapping of a file, a few at a time.
///
///   anonymous:     take_out ── the pages are empty: every access waits, the kernel's on the program's behalf, too ──► map_over
///   mapped before: hold ── who writes waits, who reads goes on ──► map_over
///
/// Anonymous pages are moved by userfaultfd (UFFDIO_MOVE), which refuses those that the kernel holds for a transfer in flight
/// (O_DIRECT, registered buffers), so that no such transfer goes to a page that is no longer there. Nothing tells of a transfer into a
/// copy that a private mapping made of a page when it was written to; so pages that have such a copy are not held.
///
/// What was taken out stays in a room until the room is full or the window closed: a child that is forked meanwhile is given the
/// pages that it lacks before it runs (answer_forks).
///
/// Thread safety: one thread. Between take_out() or hold() and the end it takes no lock, writes to nothing of the program's, and no
/// signal handler runs on it. While it is open, a fork in the process waits for the next call here.
class MeshWindow {
public:
    /// Why there can be no window.
    enum class Refusal : std::uint8_t { none, forbidden, old_kernel, locked_memory, exhausted };

    constexpr MeshWindow() noexcept = default;
    MeshWindow(const MeshWindow&) = delete;
    MeshWindow& operator=(const MeshWindow&) = delete;

    /// Cost: some system calls. Requires: it is closed.
    [[nodiscard]] Refusal open() noexcept;
    /// From now on no fork waits. The descriptor stays for the next time: the kernel looks at every mapping of the process when it goes.
    void close() noexcept;
    /// The descriptor goes, too. Requires: it is closed.
    void shut() noexcept;
    /// In a child of fork: the descriptor is a copy of its parent's.
    void reset_after_fork() noexcept;

    /// Takes the memory of anonymous pages out. Returns what was in them; nullptr where the kernel refuses: they are as they were.
    [[nodiscard]] const char* take_out(char* pages, std::size_t bytes) noexcept;
    /// Holds pages still that a file is mapped over. Returns false where one was written to since, or the kernel refuses.
    [[nodiscard]] bool hold(char* pages, std::size_t bytes) noexcept;
    /// Maps the file from `offset` over pages that were taken out or held last, so that writes to them stay their own, and lets
    /// everybody go on. Returns false where the kernel refuses: they are as they were.
    [[nodiscard]] bool map_over(char* pages, std::size_t bytes, int file, std::size_t offset) noexcept;

    /// Whether the kernel refused, since the last call or since it was opened, what needs a mapping more: for want of mappings, or of memory.
    [[nodiscard]] bool lacked_mappings() noexcept { return std::exchange(lacks_mappings_, false); }
    [[nodiscard]] bool lacks_mappings() const noexcept { return lacks_mappings_; }

private:
    enum class Moved : std::uint8_t { all, busy, refused };
    static constexpr std::size_t kRoomBytes = 8 * kSliceBytes;
    /// Pages that were taken out, and where they are in the room.
    struct Away {
        char* pages = nullptr;
        std::size_t at = 0;
        std::size_t bytes = 0;
    };

    [[nodiscard]] Refusal make_descriptor() noexcept;
    void forget() noexcept { descriptor_ = process_ = -1; }
    [[nodiscard]] bool watch(const char* pages, std::size_t bytes, std::uint64_t mode) noexcept;
    [[nodiscard]] Moved move_out(const Away& away) noexcept;
    void put_back(const Away& away, std::size_t count) noexcept;
    void fill_child(long child) noexcept;
    void answer_forks() noexcept;
    void settle() noexcept;
    void empty_room() noexcept;
    void let_go(char* pages, std::size_t bytes) noexcept;
    [[nodiscard]] bool are_shared(char* pages, std::size_t bytes) noexcept;

    long descriptor_ = -1;
    long process_ = -1;  // whose it is
    long page_map_ = -1;
    char* room_ = nullptr;
    std::size_t used_ = 0;  // bytes of the room
    std::size_t away_count_ = 0;
    std::array<Away, kRoomBytes / os::kPageBytes> away_{};
    bool is_held_ = false;  // and not taken out
    bool lacks_mappings_ = false;
};

/// Anonymous memory again in the place of a mapping of a file; it reads as zero. Returns false where the kernel refuses.
[[nodiscard]] bool map_anonymous_over(char* pages, std::size_t bytes) noexcept;

}  // namespace heapwright::heap
