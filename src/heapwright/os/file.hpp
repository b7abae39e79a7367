// Files by raw system calls: no stdio, no errno, no allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <heapwright/base/error.hpp>

namespace heapwright::os {

/// One open file descriptor, closed with the object.
///
/// Errors carry the kernel's errno; `number` is the file offset or the bytes that did not fit, where said.
/// Interrupted calls are repeated. Descriptors are closed on exec.
/// Thread safety: one thread at a time per object, except that write_all of whole records from several threads is as
/// safe as the kernel's append is.
class File {
public:
    File() noexcept = default;
    /// Takes ownership of a descriptor.
    explicit File(int descriptor) noexcept : descriptor_(descriptor) {}
    File(File&& other) noexcept : descriptor_(other.give_up()) {}
    File& operator=(File&& other) noexcept;
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() { close(); }

    /// Fails:    not_found, permission_denied, io_failed.
    [[nodiscard]] static Result<File> open_read(const char* path) noexcept;
    /// Fails:    invalid_argument with EEXIST when the path exists; otherwise as create_truncate.
    [[nodiscard]] static Result<File> create_exclusive(const char* path, unsigned mode = 0644) noexcept;
    /// Fails:    not_found (a folder is missing), permission_denied, disk_full, io_failed.
    [[nodiscard]] static Result<File> create_truncate(const char* path, unsigned mode = 0644) noexcept;

    /// Writes all bytes at the file's position.
    ///
    /// Fails:    disk_full or io_failed, number: the bytes that were not written. Those before them were.
    [[nodiscard]] Result<void> write_all(std::span<const std::byte> bytes) noexcept;
    [[nodiscard]] Result<void> write_all(std::string_view text) noexcept;
    /// The same at `offset`, without moving the position.
    [[nodiscard]] Result<void> write_all_at(std::span<const std::byte> bytes, std::uint64_t offset) noexcept;

    /// Reads what comes with one call.
    ///
    /// Returns:  the bytes read; 0 at the end.
    [[nodiscard]] Result<std::size_t> read_some(std::span<std::byte> room) noexcept;
    /// Reads until `room` is full or the file ends.
    [[nodiscard]] Result<std::size_t> read_full(std::span<std::byte> room) noexcept;
    [[nodiscard]] Result<std::size_t> read_some_at(std::span<std::byte> room, std::uint64_t offset) noexcept;

    /// Bytes in the file. 0 for files of /proc, whatever they hold.
    [[nodiscard]] Result<std::uint64_t> size() const noexcept;
    /// Waits until the data is on the disk.
    [[nodiscard]] Result<void> sync() noexcept;
    /// Cuts or extends the file.
    [[nodiscard]] Result<void> resize(std::uint64_t bytes) noexcept;

    void close() noexcept;
    /// The descriptor is the caller's from now on; -1 if there was none.
    [[nodiscard]] int give_up() noexcept;
    [[nodiscard]] int fd() const noexcept { return descriptor_; }
    [[nodiscard]] bool is_open() const noexcept { return descriptor_ >= 0; }

private:
    int descriptor_ = -1;
};

/// Reads a small file, such as one of /proc or /sys, whole.
///
/// Returns:  the bytes read. A file that fills `room` to its last byte may be longer than it.
[[nodiscard]] Result<std::size_t> read_file(const char* path, std::span<char> room) noexcept;

[[nodiscard]] Result<void> remove_file(const char* path) noexcept;
[[nodiscard]] Result<void> rename_file(const char* from, const char* to) noexcept;

/// The error of a failed call on a file: which errno means which kind.
///
/// Requires: system_errno > 0.
[[nodiscard]] Error file_error(int system_errno, std::uint64_t number = 0) noexcept;

}  // namespace heapwright::os
