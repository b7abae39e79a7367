// Heap objects: the default heap's parts, with a thread's cache found by the heap's number.
#include <heapwright/alloc/heap/heap.hpp>

#include <algorithm>
#include <cstring>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/large.hpp>
#include <heapwright/alloc/heap/detail/mesher.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>

namespace heapwright {

using heap::FreeBlock;
using heap::SizeClass;
using heap::Span;
using heap::ThreadCache;

Heap::Heap(HeapOptions options) noexcept : core_(options.limit_bytes) {
    core_.set_compaction(options.compaction);
    if (options.compaction == Compaction::mesh) {
        static_cast<void>(heap::allow_meshing());  // which says what is missing
    }
    heap::enlist_heap(core_);
}

Heap::~Heap() {
    heap::delist_heap(core_);
    heap::discard_heap(core_);
}

void* Heap::allocate_class(SizeClass size_class, bool may_borrow, bool& is_zero) noexcept {
    is_zero = false;
    ThreadCache* const cache = heap::cache_of_thread(core_);
    return cache == nullptr ? nullptr : cache->take(size_class, may_borrow, is_zero);
}

void* Heap::allocate(std::size_t bytes) noexcept {
    bool is_zero = false;
    return bytes <= heap::kSmallBytes ? allocate_class(heap::class_of(bytes), true, is_zero)
                                      : heap::allocate_large(core_, bytes, 1, is_zero);
}

void* Heap::allocate_zeroed(std::size_t bytes) noexcept {
    bool is_zero = false;
    if (bytes > heap::kSmallBytes) {
        void* const block = heap::allocate_large(core_, bytes, 1, is_zero);
        if (block != nullptr && !is_zero) {
            heap::clear_large(block, bytes);
        }
        return block;
    }
    void* const block = allocate_class(heap::class_of(bytes), true, is_zero);
    if (block != nullptr) {
        std::memset(block, 0, is_zero ? sizeof(FreeBlock) : bytes);
    }
    return block;
}

void* Heap::allocate_aligned(std::size_t bytes, std::size_t alignment) noexcept {
    bool is_zero = false;
    const heap::AlignedPlace place = heap::aligned_place(bytes, alignment);
    return place.is_small ? allocate_class(place.size_class, false, is_zero) : heap::allocate_large(core_, bytes, place.slices, is_zero);
}

void* Heap::reallocate(void* block, std::size_t bytes) noexcept {
    if (default_heap::resize_in_place(block, bytes)) {
        return block;
    }
    if (void* const moved = heap::move_large(heap::find_span(block), bytes); moved != nullptr) {
        return moved;
    }
    void* const moved = allocate(bytes);
    if (moved != nullptr) {
        std::memcpy(moved, block, std::min(usable_bytes(block), bytes));
        release(block);
    }
    return moved;
}

void Heap::release(void* block) noexcept { default_heap::release(block); }

std::size_t Heap::usable_bytes(const void* block) const noexcept { return default_heap::usable_bytes(block); }

bool Heap::owns(const void* address) const noexcept {
    const Span* span = heap::find_span(address);
    if (span == nullptr) {
        return false;
    }
    bool is_found = false;
    const auto look = [&](const Span& listed) {
        const char* const end = listed.start + std::size_t{listed.slices} * heap::kSliceBytes;
        is_found = is_found || (address >= listed.start && address < end);
    };
    core_.for_each_cache([&](ThreadCache& cache) {
        const os::LockGuard guard(cache.lock());
        cache.for_each_span(look);
    });
    core_.for_each_abandoned(look);
    return is_found;
}

bool Heap::is_meshing() const noexcept { return heap::may_mesh() && core_.wants_meshing(); }

HeapStatistics Heap::statistics() const noexcept {
    HeapStatistics sum;
    heap::add_heap(sum, core_);
    sum.allocated_bytes += sum.large_bytes;
    sum.peak_active_bytes = sum.active_bytes;
    return sum;
}

}  // namespace heapwright
