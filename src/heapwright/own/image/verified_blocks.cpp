// The bits of blocks that were compared, in pages of their own.
#include <heapwright/own/image/detail/verified_blocks.hpp>

#include <atomic>

#include <heapwright/os/pages.hpp>
#include <heapwright/own/image/detail/format.hpp>

namespace heapwright::detail {

Result<VerifiedBlocks> VerifiedBlocks::make(const ImageFile& file, bool compares) noexcept {
    VerifiedBlocks made;
    if (compares) {
        made.bytes_ = os::round_to_pages((file.blocks() / 64 + 1) * sizeof(std::uint64_t));
        made.words_ = static_cast<std::uint64_t*>(os::map_pages(made.bytes_, "heapwright image check"));
        if (made.words_ == nullptr) {
            return fail_with(Errc::out_of_memory, made.bytes_);
        }
    }
    return made;
}

VerifiedBlocks::~VerifiedBlocks() {
    if (words_ != nullptr) {
        os::release(words_, bytes_);
    }
}

Result<void> VerifiedBlocks::verify(const ImageFile& file, std::uint64_t begin, std::uint64_t end) const noexcept {
    if (words_ == nullptr) {
        return {};
    }
    for (std::uint64_t block = begin >> kImageBlockBits; block <= (end - 1) >> kImageBlockBits; ++block) {
        // Relaxed: the bytes were there before any thread; a bit says only that comparing them again would be idle.
        const std::atomic_ref<std::uint64_t> word(words_[block / 64]);
        const std::uint64_t bit = std::uint64_t{1} << (block % 64);
        if ((word.load(std::memory_order_relaxed) & bit) != 0) {
            continue;
        }
        if (auto fine = file.verify_block(block); !fine) {
            return fine;
        }
        word.fetch_or(bit, std::memory_order_relaxed);
    }
    return {};
}

std::uint64_t VerifiedBlocks::count() const noexcept {
    std::uint64_t count = 0;
    for (std::size_t index = 0; index < bytes_ / sizeof(std::uint64_t); ++index) {
        const std::atomic_ref<std::uint64_t> word(words_[index]);
        for (std::uint64_t left = word.load(std::memory_order_relaxed); left != 0; left &= left - 1) {  // relaxed: a figure
            ++count;
        }
    }
    return count;
}

}  // namespace heapwright::detail
