// Taking buffers from the kernel and keeping them.
#include <heapwright/trace/record/buffer_pool.hpp>

#include <heapwright/os/pages.hpp>

namespace heapwright::trace::record {

bool BufferPool::grow() noexcept {
    if (blocks_ == kMaxBlocks) {
        return false;
    }
    auto* block = static_cast<Buffer*>(os::map_observer_pages(kPerBlock * sizeof(Buffer), "heapwright buffers"));
    if (block == nullptr) {
        return false;
    }
    block_[blocks_++] = block;
    for (std::size_t at = kPerBlock; at > 0; --at) {
        // Only the header is touched: a buffer that nobody fills costs one OS page.
        block[at - 1].next = free_;
        free_ = &block[at - 1];
    }
    carved_ += kPerBlock;
    return true;
}

Buffer* BufferPool::take(std::uint32_t threads) noexcept {
    if (taken_ >= threads + kMaxSpare || (free_ == nullptr && !grow())) {
        return nullptr;
    }
    Buffer* buffer = free_;
    free_ = buffer->next;
    ++taken_;
    buffer->reset();
    return buffer;
}

void BufferPool::give(Buffer* buffer) noexcept {
    buffer->next = free_;
    free_ = buffer;
    --taken_;
}

void BufferPool::take_all_back() noexcept {
    free_ = nullptr;
    taken_ = 0;
    for (std::uint32_t block = blocks_; block > 0; --block) {
        Buffer* first = block_[block - 1];
        static_cast<void>(os::discard(first, kPerBlock * sizeof(Buffer)));
        for (std::size_t at = kPerBlock; at > 0; --at) {
            first[at - 1].next = free_;
            free_ = &first[at - 1];
        }
    }
}

const char* BufferPool::broken_invariant() const noexcept {
    std::uint32_t free = 0;
    for (const Buffer* buffer = free_; buffer != nullptr; buffer = buffer->next) {
        ++free;
    }
    return taken_ + free == carved_ ? nullptr : "BP1: a buffer is neither free nor given out";
}

}  // namespace heapwright::trace::record
