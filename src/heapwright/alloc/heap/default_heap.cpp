// What malloc and free do when a thread's own spans do not answer at once.
#include <heapwright/alloc/heap/default_heap.hpp>

#include <algorithm>
#include <cstring>

#include <heapwright/alloc/heap/detail/clock.hpp>
#include <heapwright/alloc/heap/detail/large.hpp>
#include <heapwright/alloc/heap/detail/misuse.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::default_heap {

using heap::FreeBlock;
using heap::SizeClass;
using heap::Span;
using heap::ThreadCache;

namespace {

/// Serves threads after their exit handler, one at a time.
constinit os::SpinLock g_shared_lock;
constinit ThreadCache* g_shared_cache = nullptr;

void* allocate_shared(SizeClass size_class, bool may_borrow, bool& is_zero) noexcept {
    const os::LockGuard guard(g_shared_lock);
    if (g_shared_cache == nullptr) {
        g_shared_cache = heap::g_default_core.obtain(heap::owner::kNobody, nullptr);
        if (g_shared_cache == nullptr) {
            return nullptr;
        }
    }
    return g_shared_cache->take(size_class, may_borrow, is_zero);
}

/// A block of a class, or of a larger one; `is_zero`: but for its first word, it reads as zero.
void* allocate_class(SizeClass size_class, bool may_borrow, bool& is_zero) noexcept {
    is_zero = false;
    ThreadCache* cache = heap::t_state.cache;
    if (HEAPWRIGHT_UNLIKELY(cache == nullptr)) {
        cache = heap::cache_of_thread();
        if (cache == nullptr) {
            return allocate_shared(size_class, may_borrow, is_zero);
        }
    }
    return cache->take(size_class, may_borrow, is_zero);
}

/// The record of the span that a block lies in; stops the program if the block cannot be one.
Span* span_of_block(const void* block, const char* what) noexcept {
    Span* span = heap::find_span(block);
    if (span == nullptr) {
        heap::stop_foreign(what, block);
    }
    if (span->owner.load(std::memory_order_relaxed) == heap::owner::kInterior) {  // does not change while the block lives
        span -= span->head_distance;
    }
    return span;
}

void release_small(Span* span, FreeBlock* block) noexcept {
    while (true) {
        const std::uintptr_t self = heap::thread_pointer();
        const std::uintptr_t owner = span->owner.load(std::memory_order_relaxed);  // equals self only if this thread wrote it
        if (owner == self) {
            block->next = span->free;
            span->free = block;
            return;
        }
        if (owner == (self | heap::owner::kCountedBit)) {
            block->next = span->local_free;
            const bool is_due = --span->countdown == 0;
            std::atomic_ref(span->local_free).store(block, std::memory_order_release);  // as in release()
            if (is_due) {
                detail::on_countdown(span);
            }
            return;
        }
        if (owner == (self | heap::owner::kFullBit)) {
            span->cache.load(std::memory_order_relaxed)->take_home(span, block, block, 1);  // this thread's own
            heap::note_freed_in_spans();
            return;
        }
        ThreadCache* const cache = heap::cache_of_thread();
        if (cache == nullptr || span->is_private) {  // which does not change while the block lives
            heap::push_remote(span, block, block);
            return;
        }
        if (owner != heap::owner::kAbandoned) {
            heap::t_state.outbox.add(span, block);
            return;
        }
        static_cast<void>(cache->adopt(span));  // by us or by somebody: look again
    }
}

bool is_block_start(const Span* span, const void* block) noexcept {
    const auto offset = static_cast<std::size_t>(static_cast<const char*>(block) - span->start);
    return offset % span->block_bytes == 0;
}

}  // namespace

namespace detail {

HEAPWRIGHT_NOINLINE void* allocate_slow(std::size_t bytes) noexcept {
    bool is_zero = false;
    if (bytes > heap::kSmallBytes) {
        return heap::allocate_large(heap::g_default_core, bytes, 1, is_zero);
    }
    return allocate_class(heap::class_of(bytes), true, is_zero);
}

HEAPWRIGHT_NOINLINE void on_countdown(Span* span) noexcept {
    if (span->cache.load(std::memory_order_relaxed)->on_countdown(span)) {  // the caller owns the span
        heap::note_freed_in_spans();
    }
}

HEAPWRIGHT_NOINLINE void release_slow(void* block) noexcept {
    if (block == nullptr) {
        return;
    }
    Span* const span = span_of_block(block, "free");
    const std::uintptr_t owner = span->owner.load(std::memory_order_relaxed);  // does not become large while the block lives
    if (owner == heap::owner::kLarge) {
        if (block != span->start) {
            heap::stop_interior("free", block);
        }
        heap::release_large(span);
        heap::note_freed();
        return;
    }
    if (owner == heap::owner::kFree || owner == heap::owner::kMetadata) {
        heap::stop_not_a_block("free", block);
    }
    // A division: cheap beside blocks of more than 8 KiB only.
    if (span->slices > 1 && !is_block_start(span, block)) {
        heap::stop_interior("free", block);
    }
    release_small(span, static_cast<FreeBlock*>(block));
}

}  // namespace detail

void* allocate_zeroed(std::size_t bytes) noexcept {
    bool is_zero = false;
    if (bytes > heap::kSmallBytes) {
        void* const block = heap::allocate_large(heap::g_default_core, bytes, 1, is_zero);
        if (block != nullptr && !is_zero) {
            heap::clear_large(block, bytes);
        }
        return block;
    }
    void* const block = bytes <= heap::kDirectBytes ? allocate(bytes) : allocate_class(heap::class_of(bytes), true, is_zero);
    if (block != nullptr) {
        std::memset(block, 0, is_zero ? sizeof(FreeBlock) : bytes);
    }
    return block;
}

void* allocate_aligned(std::size_t bytes, std::size_t alignment) noexcept {
    if (alignment <= heap::kSmallestBytes || (alignment <= 16 && bytes > heap::kSmallestBytes)) {
        return allocate(bytes);
    }
    bool is_zero = false;
    const heap::AlignedPlace place = heap::aligned_place(bytes, alignment);
    return place.is_small ? allocate_class(place.size_class, false, is_zero)
                          : heap::allocate_large(heap::g_default_core, bytes, place.slices, is_zero);
}

std::size_t usable_bytes(const void* block) noexcept {
    if (block == nullptr) {
        return 0;
    }
    const Span* const span = span_of_block(block, "malloc_usable_size");
    if (span->owner.load(std::memory_order_relaxed) == heap::owner::kLarge) {  // does not change while the block lives
        return std::size_t{span->pages} * os::kPageBytes;
    }
    return span->block_bytes;
}

bool resize_in_place(void* block, std::size_t bytes) noexcept {
    Span* const span = span_of_block(block, "realloc");
    if (span->owner.load(std::memory_order_relaxed) == heap::owner::kLarge) {  // does not change while the block lives
        return bytes > heap::kSmallBytes && heap::resize_large(span, bytes);
    }
    return bytes <= span->block_bytes && bytes * 2 >= span->block_bytes;
}

void* reallocate(void* block, std::size_t bytes) noexcept {
    if (resize_in_place(block, bytes)) {
        return block;
    }
    if (void* const moved = heap::move_large(heap::find_span(block), bytes); moved != nullptr) {
        return moved;
    }
    const std::size_t before = usable_bytes(block);
    void* const moved = allocate(bytes);
    if (moved == nullptr) {
        return bytes <= before ? block : nullptr;
    }
    std::memcpy(moved, block, std::min(before, bytes));
    release(block);
    return moved;
}

std::size_t trim() noexcept {
    heap::t_state.outbox.flush();
    if (ThreadCache* const cache = heap::t_state.cache; cache != nullptr) {
        cache->shed();
    }
    heap::g_default_core.sweep_abandoned();
    const std::size_t in_spans = heap::visit_all();
    return in_spans + heap::purge_regions(0, true);
}

void set_clock(std::uint64_t delay_ns, bool may_start_thread, bool is_on) noexcept {
    heap::set_clock({.delay_ns = delay_ns, .may_start_thread = may_start_thread, .is_on = is_on});
}

void set_limit(std::size_t bytes) noexcept { heap::g_default_core.set_limit(bytes); }

void before_fork() noexcept {
    heap::visitor_lock().lock();
    g_shared_lock.lock();
    heap::lock_heaps();
    heap::lock_regions();
}

void after_fork_in_parent() noexcept {
    heap::unlock_regions();
    heap::unlock_heaps();
    g_shared_lock.unlock();
    heap::visitor_lock().unlock();
}

void after_fork_in_child() noexcept {
    heap::reset_visitor_after_fork();
    heap::reset_region_locks_after_fork();
    heap::reset_heap_locks_after_fork();
    g_shared_lock.reset_after_fork();
    heap::restart_clock_after_fork();
    heap::for_each_heap([](heap::HeapCore& heap) { heap.after_fork_in_child(heap::thread_pointer()); });
}

}  // namespace heapwright::default_heap
