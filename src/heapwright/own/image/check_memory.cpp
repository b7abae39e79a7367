// How the memory of a check grows and goes back.
#include <heapwright/own/image/detail/check_memory.hpp>

#include <cstring>

#include <heapwright/os/pages.hpp>

namespace heapwright::detail {

namespace {
constexpr std::size_t kFirstBytes = 4 * os::kPageBytes;
}

CheckStack::~CheckStack() {
    if (frames_ != nullptr) {
        os::release(frames_, os::round_to_pages(room_ * sizeof(CheckFrame)));
    }
}

bool CheckStack::grow() noexcept {
    const std::size_t old_bytes = os::round_to_pages(room_ * sizeof(CheckFrame));
    const std::size_t bytes = old_bytes == 0 ? kFirstBytes : old_bytes * 2;
    auto* const grown = static_cast<CheckFrame*>(os::map_pages(bytes, "heapwright image check"));
    if (grown == nullptr) {
        return false;
    }
    if (frames_ != nullptr) {
        std::memcpy(grown, frames_, used_ * sizeof(CheckFrame));
        os::release(frames_, old_bytes);
    }
    frames_ = grown;
    // As many as make the same number of pages when they are counted again.
    room_ = bytes / sizeof(CheckFrame);
    return true;
}

CheckMarks::~CheckMarks() {
    for (std::size_t type = 0; type < kTypesMax; ++type) {
        if (words_[type] != nullptr) {
            os::release(words_[type], bytes_[type]);
        }
    }
}

std::uint64_t* CheckMarks::make(std::uint32_t type, std::uint64_t places) noexcept {
    bytes_[type] = os::round_to_pages((places / 64 + 1) * sizeof(std::uint64_t));
    words_[type] = static_cast<std::uint64_t*>(os::map_pages(bytes_[type], "heapwright image check"));
    return words_[type];
}

}  // namespace heapwright::detail
