// What a cache has to do with its meshed spans.
//
// A block in a shared page is given out again only where there is no memory for a new span: who writes to it has a copy made of the page,
// and has all processors told that run the program. A page of a new span takes as much memory, and is all room.
#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/mesh_record.hpp>
#include <heapwright/alloc/heap/detail/page_return.hpp>
#include <heapwright/alloc/heap/detail/thread_cache.hpp>

namespace heapwright::heap {

/// A meshed span stays in its list until it is empty, or comes into one when it is worth it.
HEAPWRIGHT_COLD bool ThreadCache::take_home_meshed(Span* span, FreeBlock* first, std::uint32_t count) noexcept {
    const std::uint32_t own = put_home_meshed(span, first, count);
    if (span->live() != 0 && (span->state != SpanState::full || own == 0)) {
        return false;
    }
    unlist(span);
    place(span);
    return true;
}

/// There is no memory for a new span: one of those whose free blocks rest, because their pages are shared.
HEAPWRIGHT_COLD Span* ThreadCache::take_resting(SizeClass size_class) noexcept {
    if (meshed_spans() == 0) {
        return nullptr;
    }
    const auto has_room = [&](const Span& span) {
        return span.size_class == size_class && span.is_meshed() && absent_blocks(&span) != 0 &&
               (span.state == SpanState::full || &span == active_[size_class]);
    };
    Span* resting = all_;
    while (resting != nullptr && !has_room(*resting)) {
        resting = resting->cache_next;
    }
    if (resting == nullptr) {
        resting = heap_->claim_resting(size_class, thread());
        if (resting == nullptr) {
            return nullptr;
        }
        add(resting);
    }
    take_all_meshed_back(resting);
    return resting;
}

}  // namespace heapwright::heap
