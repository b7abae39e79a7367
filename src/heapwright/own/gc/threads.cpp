// Threads of a heap: attaching, stopping the world, and where a thread's stack and registers are.
#include <new>

#include <heapwright/base/check.hpp>
#include <heapwright/base/poison.hpp>
#include <heapwright/os/clock.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/thread.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/marker.hpp>
#include <heapwright/own/gc/detail/stack.hpp>
#include <heapwright/own/gc/heap.hpp>
#include <heapwright/own/gc/root.hpp>

#if HEAPWRIGHT_UNDER_ASAN
#include <sanitizer/asan_interface.h>
#endif

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
    mutator->next_of_thread = current_mutator;
    current_mutator = mutator;
    collector.list(*mutator);
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
    // Nobody collects while our list is merged.
    while (!collector.collecting.try_lock()) {
        collector.park(*mutator);
        collector.unpark(*mutator);
    }
    collector.orphans.take(mutator->destructibles);
    {
        const os::LockGuard guard(collector.lock);  // others go on allocating, and count lines as retire() does
        collector.retire(*mutator);
        Mutator** listed = &collector.mutators;
        while (*listed != mutator) {
            listed = &(*listed)->next;
        }
        *listed = mutator->next;
        --collector.mutator_count;
    }
    collector.collecting.unlock();
    *link = mutator->next_of_thread;
    os::release(mutator->handles_begin, kHandlesBytes);
    mutator->~Mutator();
    os::release(mutator, kMutatorBytes);
}

}  // namespace

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

/// Stops where all our references are on the stack or in saved registers: whoever calls has saved them, or stays in here.
HEAPWRIGHT_NOINLINE void Collector::park(Mutator& self) noexcept {
    save_registers(self.registers);
    self.stack_pointer = stack_pointer();
    park_saved(self);
}

void Collector::park_saved(Mutator& self) noexcept {
#if HEAPWRIGHT_UNDER_ASAN
    self.fake_stack = __asan_get_current_fake_stack();
#endif
    self.state.store(kParked, std::memory_order_release);  // pairs with the acquire in stop_world: it sees our stack
    parkings.fetch_add(1, std::memory_order_release);      // pairs with the load in stop_world
    os::futex_wake(&parkings);
}

/// Waits until no collection runs, then does `what` with none able to begin.
template <class What>
void Collector::between_pauses(const What& what) noexcept {
    while (true) {
        {
            const os::LockGuard guard(lock);
            // Relaxed: written under the lock.
            if (stop_wanted.load(std::memory_order_relaxed) == 0) {
                what();
                return;
            }
        }
        os::futex_wait(&stop_wanted, 1);
    }
}

/// A pause walks the list without the lock, so that nobody is added during one.
void Collector::list(Mutator& mutator) noexcept {
    between_pauses([&]() HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS {
        mutator.state.store(kRunning, std::memory_order_relaxed);  // nobody sees it before the lock is released
        mutator.next = mutators;
        mutators = &mutator;
        ++mutator_count;
    });
}

/// Goes on as soon as no collection runs.
void Collector::unpark(Mutator& self) noexcept {
    // Relaxed: stop_world reads it after it held the lock.
    between_pauses([&] { self.state.store(kRunning, std::memory_order_relaxed); });
}

void Collector::stop_world(Mutator& self) noexcept {
    {
        const os::LockGuard guard(lock);
        stop_wanted.store(1, std::memory_order_release);  // pairs with the acquire in collect_if_due
    }
    while (true) {
        const std::uint32_t seen = parkings.load(std::memory_order_acquire);  // pairs with the increment in park
        bool all = true;
        {
            const os::LockGuard guard(lock);
            for (Mutator* mutator = mutators; mutator != nullptr; mutator = mutator->next) {
                // Acquire pairs with the release in park.
                all = all && (mutator == &self || mutator->state.load(std::memory_order_acquire) == kParked);
            }
        }
        if (all) {
            return;
        }
        os::futex_wait(&parkings, seen);
    }
}

void Collector::start_world() noexcept {
    {
        const os::LockGuard guard(lock);
        stop_wanted.store(0, std::memory_order_release);  // pairs with the acquire in collect_if_due
    }
    os::futex_wake(&stop_wanted);
}

}  // namespace detail

Heap::Heap(const GcConfig& config) noexcept {
    void* const pages = os::map_pages(sizeof(detail::Collector), "heapwright gc");
    HEAPWRIGHT_CHECK(pages != nullptr, "out of memory: no pages for a collected heap's state");
    collector_ = ::new (pages) detail::Collector(*this, config);
    detail::begin_collector(*collector_);
    detail::attach(*this);
}

Heap::~Heap() {
    detail::Collector& collector = *collector_;
    HEAPWRIGHT_CHECK(collector.mutator_count == 1, "a collected heap ends while other threads are attached; they have to detach first");
    HEAPWRIGHT_CHECK(collector.root_count == 0, "a collected heap ends before a gc::Root of it; declare the heap first");
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
