// Which blocks of an image have been compared with their checksums, when that is done bit by bit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <heapwright/base/error.hpp>
#include <heapwright/own/image/image_file.hpp>

namespace heapwright::detail {

/// A bit for each block.
///
/// Thread safety: any thread: two that meet at a block both compare it.
class VerifiedBlocks {
public:
    /// Without `compares` every block counts as compared.
    ///
    /// Fails:    out_of_memory.
    [[nodiscard]] static Result<VerifiedBlocks> make(const ImageFile& file, bool compares) noexcept;
    VerifiedBlocks(VerifiedBlocks&& other) noexcept
        : words_(std::exchange(other.words_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
    VerifiedBlocks& operator=(VerifiedBlocks&& other) noexcept {
        std::swap(words_, other.words_);
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    VerifiedBlocks(const VerifiedBlocks&) = delete;
    VerifiedBlocks& operator=(const VerifiedBlocks&) = delete;
    ~VerifiedBlocks();

    /// Compares the blocks from the one of `begin` to the one before `end`, bytes of the payload, that nobody has compared.
    ///
    /// Requires: begin < end <= the payload's size.
    /// Fails:    damaged_data with damaged_block.
    [[nodiscard]] Result<void> verify(const ImageFile& file, std::uint64_t begin, std::uint64_t end) const noexcept;
    [[nodiscard]] std::uint64_t count() const noexcept;

private:
    VerifiedBlocks() noexcept = default;

    std::uint64_t* words_ = nullptr;
    std::size_t bytes_ = 0;
};

}  // namespace heapwright::detail
