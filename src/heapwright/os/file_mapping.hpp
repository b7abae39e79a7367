// A file's bytes as memory.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include <heapwright/base/error.hpp>
#include <heapwright/os/file.hpp>

namespace heapwright::os {

/// The bytes of a file, mapped privately and read-only, or copied into memory of their own. Given back with the object.
///
/// A mapping sees what others write into the file, and a page of it that a truncated file no longer has is a bus error. A copy is
/// safe from both.
class FileMapping {
public:
    FileMapping() noexcept = default;
    FileMapping(FileMapping&& other) noexcept : start_(std::exchange(other.start_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    FileMapping& operator=(FileMapping&& other) noexcept {
        std::swap(start_, other.start_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    FileMapping(const FileMapping&) = delete;
    FileMapping& operator=(const FileMapping&) = delete;
    ~FileMapping();

    /// Fails:    invalid_argument for an empty file; out_of_memory, io_failed.
    [[nodiscard]] static Result<FileMapping> map(const File& file) noexcept;
    /// Reads the file from its beginning.
    ///
    /// Fails:    as map; io_failed with the bytes read where the file became shorter meanwhile.
    [[nodiscard]] static Result<FileMapping> copy(File& file) noexcept;

    /// Starts at an OS page.
    [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {start_, bytes_}; }

private:
    FileMapping(std::byte* start, std::size_t bytes) noexcept : start_(start), bytes_(bytes) {}

    std::byte* start_ = nullptr;
    std::size_t bytes_ = 0;
};

}  // namespace heapwright::os
