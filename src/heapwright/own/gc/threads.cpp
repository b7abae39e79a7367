// Threads of a heap: attaching and detaching, and the heap's own beginning and end.
#include <cstdlib>
#include <new>

#include <heapwright/base/check.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/thread.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/marker.hpp>
#include <heapwright/own/gc/detail/stack.hpp>
#include <heapwright/own/gc/heap.hpp>
#include <heapwright/own/gc/root.hpp>

namespace heapwright::gc {

namespace detail {

constinit Mutator no_mutator{};
constinit thread_local Mutator* current_mutator = &no_mutator;

namespace {

constexpr std::size_t kHandlesBytes = std::size_t{8} << 20;  // addresses; memory where it is touched
constexpr std::size_t kMutatorBytes = os::round_to_pages(sizeof(Mutator));

void attach(const Heap& heap) noexcept {
    for (Mutator* mutator = current_mutator; mutator != nullptr; mutator = mutator->next_of_thread) {
        if (mutator->heap == &heap) {
            ++mutator->attachments;
            return;
        }
    }
    Collector& collector = collector_of(heap);
    void* const pages = os::map_pages(kMutatorBytes, "heapwright gc thread");
    void* const handles = os::map_pages(kHandlesBytes, "heapwright gc handles");
    HEAPWRIGHT_CHECK(pages != nullptr && handles != nullptr, "out of memory: no pages to attach a thread to a collected heap");
    auto* const mutator = ::new (pages) Mutator;
    mutator->heap = &heap;
    mutator->collector = &collector;
    mutator->handles_begin = mutator->handles_top = static_cast<void**>(handles);
    mutator->handles_limit = mutator->handles_begin + kHandlesBytes / sizeof(void*);
    mutator->stack_end = stack_end();
    mutator->attachments = 1;
    collector.list(*mutator);
    mutator->next_of_thread = current_mutator;
    current_mutator = mutator;
}

void detach(const Heap& heap) noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS {  // waits for the lock in turns with stops
    Mutator** link = &current_mutator;
    while (*link != nullptr && (*link)->heap != &heap) {
        link = &(*link)->next_of_thread;
    }
    HEAPWRIGHT_CHECK(*link != nullptr, "a thread that is not attached to a collected heap detaches from it");
    Mutator* const mutator = *link;
    if (--mutator->attachments != 0) {
        return;
    }
    Collector& collector = *mutator->collector;
    collector.hold_pauses(mutator);  // nobody collects while our list is merged
    collector.orphans.take(mutator->destructibles);
    {
        const os::LockGuard guard(collector.lock);  // others go on allocating, and count lines as retire() does
        collector.retire(*mutator);
        collector.remembered.take(mutator->remembered);
        Mutator** listed = &collector.mutators;
        while (*listed != mutator) {
            listed = &(*listed)->next;
        }
        *listed = mutator->next;
        --collector.mutator_count;
    }
    collector.collecting.unlock();
    *link = mutator->next_of_thread;
    release_mutator(mutator);
}

}  // namespace

void release_mutator(Mutator* mutator) noexcept {
    os::release(mutator->handles_begin, kHandlesBytes);
    mutator->~Mutator();
    os::release(mutator, kMutatorBytes);
}

Mutator& find_mutator(const Heap& heap) noexcept {
    Mutator** link = &current_mutator;
    while (*link != nullptr && (*link)->heap != &heap) {
        link = &(*link)->next_of_thread;
    }
    HEAPWRIGHT_CHECK(*link != nullptr, "this thread is not attached to the collected heap; hold a gc::ThreadScope while it uses it");
    Mutator* const found = *link;
    *link = found->next_of_thread;
    found->next_of_thread = current_mutator;
    current_mutator = found;
    return *found;
}

void grow_handles(Mutator&) noexcept {
    HEAPWRIGHT_CHECK(false, "more than a million handles in the scopes of one thread; end some scopes, or use gc::Root");
}

/// A pause walks the list without the lock, so that nobody is added during one.
void Collector::list(Mutator& mutator) noexcept {
    mutator.state.store(kParked, std::memory_order_relaxed);  // nobody sees it before the lock is released
    while (true) {
        {
            const os::LockGuard guard(lock);
            if (stop_wanted.load(std::memory_order_relaxed) == 0) {  // written under the lock
                mutator.state.store(kRunning, std::memory_order_relaxed);
                mutator.next = mutators;
                mutators = &mutator;
                ++mutator_count;
                return;
            }
        }
        park_others(&mutator);
        os::futex_wait(&stop_wanted, 1);
        run_again();
    }
}

}  // namespace detail

namespace {

/// A whole test suite is put under stress from outside. Not where the environment is somebody else's: secure_getenv.
GcConfig under_stress(const GcConfig& config) noexcept {
    GcConfig changed = config;
    const char* const every = changed.stress == 0 ? secure_getenv("HEAPWRIGHT_GC_STRESS") : nullptr;
    for (const char* digit = every; digit != nullptr && *digit >= '0' && *digit <= '9' && changed.stress < 100'000'000; ++digit) {
        changed.stress = changed.stress * 10 + static_cast<std::uint32_t>(*digit - '0');
    }
    return changed;
}

}  // namespace

Heap::Heap(const GcConfig& config) noexcept {
    void* const pages = os::map_pages(sizeof(detail::Collector), "heapwright gc");
    HEAPWRIGHT_CHECK(pages != nullptr, "out of memory: no pages for a collected heap's state");
    detail::have_kinds();
    collector_ = ::new (pages) detail::Collector(*this, under_stress(config));
    detail::begin_collector(*collector_);
    detail::attach(*this);
    detail::list_heap(*collector_);
}

Heap::~Heap() {
    detail::Collector& collector = *collector_;
    HEAPWRIGHT_CHECK(collector.mutator_count == 1, "a collected heap ends while other threads are attached; they have to detach first");
    HEAPWRIGHT_CHECK(collector.root_count == 0, "a collected heap ends before a gc::Root of it; declare the heap first");
    detail::unlist_heap(collector);
    collector.destroy_everything(detail::mutator_of(*this));
    detail::detach(*this);
    detail::end_collector(collector);
    collector.~Collector();
    os::release(collector_, os::round_to_pages(sizeof(detail::Collector)));
}

Heap& default_heap() noexcept {
    alignas(Heap) static std::byte room[sizeof(Heap)];
    static Heap* const heap = ::new (room) Heap;  // never destroyed: objects may be used until the very end
    return *heap;
}

void Heap::safepoint() noexcept {
    detail::Mutator& mutator = detail::mutator_of(*this);
    collector_->collect_if_due(mutator);
    collector_->run_waiting(mutator);
}

ThreadScope::ThreadScope(Heap& heap) noexcept : heap_(heap) { detail::attach(heap); }
ThreadScope::~ThreadScope() { detail::detach(heap_); }

void detail::enter_region(Mutator& mutator) noexcept { mutator.collector->park_saved(mutator); }

BlockingRegion::~BlockingRegion() {
    detail::Mutator& mutator = detail::mutator_of(heap_);
    mutator.collector->unpark(mutator);
}

}  // namespace heapwright::gc
