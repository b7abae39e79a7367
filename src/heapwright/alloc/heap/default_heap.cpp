// What malloc and free do when a thread's own spans do not answer at once.
#include <heapwright/alloc/heap/default_heap.hpp>

#include <algorithm>
#include <cstring>

#include <heapwright/alloc/heap/detail/clock.hpp>
#include <heapwright/alloc/heap/detail/large.hpp>
#include <heapwright/alloc/heap/detail/mesher.hpp>
#include <heapwright/alloc/heap/detail/misuse.hpp>
#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/alloc/heap/detail/planned.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>
#include <heapwright/os/pages.hpp>

namespace heapwright::default_heap {

using heap::FreeBlock;
using heap::Sink;
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
    Span* const span = heap::find_span(block);
    if (span == nullptr) {
        heap::stop_foreign(what, block);
    }
    return heap::record_of_first(span);
}

/// A thread that frees more than it allocates takes home what others freed for it, too.
void open_mail(ThreadCache& cache) noexcept {
    if (cache.mail.has_mail()) {
        cache.open_mail();
    }
}

/// Of a span of this thread that asks.
HEAPWRIGHT_ALWAYS_INLINE void release_asking(ThreadCache& cache, Span* span, FreeBlock* block, std::uintptr_t strangeness) noexcept {
    if (HEAPWRIGHT_UNLIKELY(cache.take_home_asking(span, block, strangeness) != ThreadCache::Came::nothing)) {
        heap::note_freed_in_spans();
        open_mail(cache);
    }
}

/// Of another thread of this heap: stays here, or goes home with others.
HEAPWRIGHT_ALWAYS_INLINE void release_of_other(ThreadCache& cache, Span* span, FreeBlock* block) noexcept {
    if (!cache.keep_of_other(span, block)) {
        heap::t_state.outbox.add(span, block);
    }
}

void release_small(Span* span, FreeBlock* block) noexcept {
    while (true) {
        const std::uintptr_t self = heap::thread_pointer();
        const std::uintptr_t owner = span->owner.load(std::memory_order_relaxed);  // equals self only if this thread wrote it
        if (owner == self) {
            Sink* const sink = span->sink;
            if (heap::push(sink, block)) {
                detail::on_countdown(span, sink);
            }
            return;
        }
        if (heap::is_asking(owner ^ self)) {
            release_asking(*span->cache.load(std::memory_order_relaxed), span, block, owner ^ self);  // this thread's own
            return;
        }
        ThreadCache* const cache = heap::cache_of_thread();
        if (cache == nullptr || span->is_private) {  // which does not change while the block lives
            heap::push_remote(span, block, block);
            return;
        }
        if (owner != heap::owner::kAbandoned) {
            release_of_other(*cache, span, block);
            return;
        }
        if (heap::g_default_core.put_into_abandoned(span, block)) {
            heap::note_freed_in_spans();
            return;
        }
        static_cast<void>(cache->adopt(span));  // by us or by somebody: look again
        open_mail(*cache);
    }
}

/// The same, apart: other blocks that are freed need fewer registers.
HEAPWRIGHT_NOINLINE void release_of_other_slow(ThreadCache& cache, Span* span, FreeBlock* block) noexcept {
    release_of_other(cache, span, block);
}

HEAPWRIGHT_NOINLINE void* allocate_large_slow(std::size_t bytes) noexcept {
    bool is_zero = false;
    return heap::allocate_large(heap::g_default_core, bytes, 1, is_zero);
}

HEAPWRIGHT_NOINLINE void* refill(ThreadCache& cache, SizeClass size_class) noexcept {
    bool is_zero = false;
    return cache.refill(size_class, true, is_zero);
}

bool is_block_start(const Span* span, const void* block) noexcept {
    const auto offset = static_cast<std::size_t>(static_cast<const char*>(block) - span->start);
    return offset % span->block_bytes == 0;
}

/// Of a span of blocks, whosever it is.
HEAPWRIGHT_ALWAYS_INLINE void release_block(Span* span, void* block) noexcept {
    // A division: cheap beside blocks of more than 8 KiB only.
    if (span->slices > 1 && !is_block_start(span, block)) {
        heap::stop_interior("free", block);
    }
    release_small(span, static_cast<FreeBlock*>(block));
}

/// A block of its own span, or of a span whose thread is gone.
HEAPWRIGHT_NOINLINE void release_other(Span* span, std::uintptr_t owner, void* block) noexcept {
    if (owner != heap::owner::kLarge) {
        release_block(span, block);
        return;
    }
    if (block != span->start) {
        heap::stop_interior("free", block);
    }
    heap::release_large(span);
    heap::note_freed();
}

/// The same, or a block of a bump chunk.
HEAPWRIGHT_ALWAYS_INLINE void release_unusual(Span* span, std::uintptr_t owner, void* block) noexcept {
    if (heap::owner::is_bump(owner)) {
        heap::BumpPlace::release(span, owner, block);
        return;
    }
    release_other(span, owner, block);
}

/// A block for a thread that has no cache at hand: its first one, under a plan, or after its exit handler.
HEAPWRIGHT_NOINLINE void* allocate_first(std::size_t bytes, const std::uintptr_t* frame, bool& is_zero) noexcept {
    ThreadCache* const cache = heap::cache_of_thread();
    if (heap::t_state.planned != nullptr) {
        return heap::allocate_by_plan(bytes, frame, is_zero);
    }
    return cache == nullptr ? allocate_shared(heap::class_of(bytes), true, is_zero) : cache->take(heap::class_of(bytes), true, is_zero);
}

HEAPWRIGHT_ALWAYS_INLINE void release_in(Span* span, std::uintptr_t owner, void* block) noexcept {
    if (heap::owner::is_unusual(owner)) {
        release_unusual(span, owner, block);
        return;
    }
    if (owner == heap::owner::kFree || owner == heap::owner::kMetadata) {
        heap::stop_not_a_block("free", block);
    }
    release_block(span, block);
}

/// Outside the first region, or behind the first slice of a span.
HEAPWRIGHT_NOINLINE void release_far(void* block) noexcept {
    if (block != nullptr) {
        Span* const span = span_of_block(block, "free");
        release_in(span, span->owner.load(std::memory_order_relaxed), block);  // does not become another kind while the block lives
    }
}

HEAPWRIGHT_NOINLINE void* allocate_first_slow(std::size_t bytes, const std::uintptr_t* frame) noexcept {
    bool is_zero = false;
    return allocate_first(bytes, frame, is_zero);
}

}  // namespace

namespace detail {

HEAPWRIGHT_NOINLINE void* allocate_slow(std::size_t bytes, const std::uintptr_t* frame) noexcept {
    // Without a frame: what needs one is apart.
    if (HEAPWRIGHT_UNLIKELY(bytes > heap::kSmallBytes)) {
        return allocate_large_slow(bytes);
    }
    if (ThreadCache* const cache = heap::t_state.cache; HEAPWRIGHT_LIKELY(cache != nullptr)) {
        const SizeClass size_class = bytes <= heap::kDirectBytes ? heap::kClassOfStep[(bytes + 7) / 8] : heap::class_of(bytes);
        FreeBlock* const block = cache->take_at_hand(size_class);
        return HEAPWRIGHT_LIKELY(block != nullptr) ? block : refill(*cache, size_class);
    }
    if (HEAPWRIGHT_LIKELY(heap::t_state.planned != nullptr)) {
        return heap::allocate_by_plan(bytes, frame);
    }
    return allocate_first_slow(bytes, frame);
}

HEAPWRIGHT_NOINLINE void* allocate_zeroed_slow(std::size_t bytes, const std::uintptr_t* frame) noexcept {
    bool is_zero = false;
    if (bytes > heap::kSmallBytes) {
        void* const block = heap::allocate_large(heap::g_default_core, bytes, 1, is_zero);
        if (block != nullptr && !is_zero) {
            heap::clear_large(block, bytes);
        }
        return block;
    }
    ThreadCache* const cache = heap::t_state.cache;
    void* const block =
        HEAPWRIGHT_LIKELY(cache != nullptr) ? cache->take(heap::class_of(bytes), true, is_zero) : allocate_first(bytes, frame, is_zero);
    if (block != nullptr) {
        std::memset(block, 0, is_zero ? sizeof(FreeBlock) : bytes);
    }
    return block;
}

HEAPWRIGHT_NOINLINE void* allocate_aligned_slow(std::size_t bytes, std::size_t alignment, const std::uintptr_t* frame) noexcept {
    bool is_zero = false;
    if (heap::t_state.cache == nullptr) {
        if (void* const block = heap::allocate_in(heap::destination_of(bytes, frame), bytes, alignment, is_zero); block != nullptr) {
            return block;
        }
    }
    const heap::AlignedPlace place = heap::aligned_place(bytes, alignment);
    return place.is_small ? allocate_class(place.size_class, false, is_zero)
                          : heap::allocate_large(heap::g_default_core, bytes, place.slices, is_zero);
}

void* move(void* block, std::size_t bytes, const std::uintptr_t* frame) noexcept {
    if (void* const moved = heap::move_large(heap::find_span(block), bytes); moved != nullptr) {
        return moved;
    }
    const std::size_t before = usable_bytes(block);
    void* const moved = allocate_slow(bytes, frame);
    if (moved == nullptr) {
        return bytes <= before ? block : nullptr;
    }
    std::memcpy(moved, block, std::min(before, bytes));
    release(block);
    return moved;
}

HEAPWRIGHT_NOINLINE void on_countdown(Span* span, Sink* sink) noexcept {
    ThreadCache* const cache = span->cache.load(std::memory_order_relaxed);  // the caller owns the span
    if (cache->on_due(span, sink)) {
        heap::note_freed_in_spans();
    }
    open_mail(*cache);
}

HEAPWRIGHT_NOINLINE void release_slow(void* block) noexcept {
    const auto offset = static_cast<std::size_t>(static_cast<char*>(block) - heap::g_first_base);
    if (HEAPWRIGHT_LIKELY(offset < heap::g_first_bytes)) {
        Span* const span = heap::g_first_records + (offset >> heap::kSliceLog2);
        // Does not become another kind of span while the block lives.
        const std::uintptr_t owner = span->owner.load(std::memory_order_relaxed);
        ThreadCache* const cache = heap::t_state.cache;
        const std::uintptr_t strangeness = owner ^ heap::thread_pointer();
        const bool is_usual = span->slices == 1 && cache != nullptr && !span->is_private;
        if (heap::is_asking(strangeness) && is_usual) {
            release_asking(*cache, span, static_cast<FreeBlock*>(block), strangeness);
            return;
        }
        const bool is_of_other = heap::owner::is_thread(owner) && strangeness > heap::owner::kHandBits;
        if (HEAPWRIGHT_LIKELY(is_of_other && is_usual)) {
            release_of_other_slow(*cache, span, static_cast<FreeBlock*>(block));
            return;
        }
        if (HEAPWRIGHT_LIKELY(owner != heap::owner::kInterior)) {
            release_in(span, owner, block);
            return;
        }
    }
    release_far(block);
}

}  // namespace detail

std::size_t usable_bytes(const void* block) noexcept {
    if (block == nullptr) {
        return 0;
    }
    const Span* const span = span_of_block(block, "malloc_usable_size");
    const std::uintptr_t owner = span->owner.load(std::memory_order_relaxed);  // does not become large or bump while the block lives
    if (heap::owner::is_unusual(owner) && owner != heap::owner::kAbandoned) {
        return heap::owner::is_bump(owner) ? heap::BumpPlace::usable_bytes(block, "malloc_usable_size")
                                           : std::size_t{span->pages} * os::kPageBytes;
    }
    return heap::bytes_of_block(span, block, "malloc_usable_size");
}

bool resize_in_place(void* block, std::size_t bytes) noexcept {
    Span* const span = span_of_block(block, "realloc");
    const std::uintptr_t owner = span->owner.load(std::memory_order_relaxed);  // does not become large or bump while the block lives
    if (heap::owner::is_unusual(owner) && owner != heap::owner::kAbandoned) {
        return heap::owner::is_bump(owner) ? heap::resize_bump(span, block, bytes)
                                           : bytes > heap::kSmallBytes && heap::resize_large(span, bytes);
    }
    const std::size_t room = heap::bytes_of_block(span, block, "realloc");
    return bytes <= room && bytes * 2 >= room;
}

std::size_t trim() noexcept {
    const os::LockGuard guard(heap::turn_lock());
    if (ThreadCache* const cache = heap::t_state.cache; cache != nullptr) {
        cache->shed();
    }
    heap::shed_places();
    heap::t_state.outbox.flush();
    heap::g_default_core.forward_mail(false);
    heap::g_default_core.sweep_abandoned();
    const std::size_t in_spans = heap::visit_all();
    const std::size_t shared = heap::mesh_all();
    return in_spans + shared + heap::purge_regions(0, true);
}

void set_mixing(bool may_mix) noexcept { heap::set_mixing(may_mix); }

void set_clock(std::uint64_t delay_ns, bool may_start_thread, bool is_on) noexcept {
    heap::set_clock({.delay_ns = delay_ns, .may_start_thread = may_start_thread, .is_on = is_on});
}

bool begin_meshing() noexcept { return heap::begin_meshing(); }

void set_limit(std::size_t bytes) noexcept { heap::g_default_core.set_limit(bytes); }

void before_fork() noexcept {
    heap::visitor_lock().lock();
    g_shared_lock.lock();
    heap::lock_plan();
    heap::lock_heaps();
    heap::lock_regions();
}

void after_fork_in_parent() noexcept {
    heap::unlock_regions();
    heap::unlock_heaps();
    heap::unlock_plan();
    g_shared_lock.unlock();
    heap::visitor_lock().unlock();
}

void after_fork_in_child() noexcept {
    heap::reset_visitor_after_fork();
    heap::reset_mesher_after_fork();
    heap::reset_mixed_records_after_fork();
    heap::reset_region_locks_after_fork();
    heap::reset_heap_locks_after_fork();
    heap::reset_plan_locks_after_fork();
    g_shared_lock.reset_after_fork();
    heap::restart_clock_after_fork();
    heap::leave_plan_after_fork();
    heap::for_each_heap([](heap::HeapCore& heap) { heap.after_fork_in_child(heap::thread_pointer()); });
}

}  // namespace heapwright::default_heap
