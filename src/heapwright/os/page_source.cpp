// Chunks from reserve, commit and release.
#include <heapwright/os/page_source.hpp>

namespace heapwright::os {

void* PageSource::try_allocate(Layout layout) const noexcept {
    const std::size_t bytes = round_to_pages(layout.size);
    if (bytes == 0) {  // nothing was asked for, or more than there are addresses
        return nullptr;
    }
    void* const start = reserve(bytes, layout.alignment < kPageBytes ? kPageBytes : layout.alignment, name_);
    if (start != nullptr && !commit(start, bytes)) {
        release(start, bytes);
        return nullptr;
    }
    return start;
}

void PageSource::deallocate(void* block, Layout layout) const noexcept { release(block, round_to_pages(layout.size)); }

}  // namespace heapwright::os
