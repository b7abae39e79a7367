// fork: every heap is brought to a safepoint before, so that the child's copy is whole; what died with the other threads is
// buried there.
#include <pthread.h>

#include <heapwright/base/check.hpp>
#include <heapwright/os/thread.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/marker.hpp>
#include <heapwright/own/gc/detail/stack.hpp>

namespace heapwright::gc::detail {

constinit bool first_thread_is_another = false;

namespace {

constinit os::SpinLock heaps_lock;
constinit Collector* heaps = nullptr;
constinit bool handles_fork = false;
constinit bool forks_on_first_thread = false;

/// Objects whose constructor was running on a thread that the child of a fork does not have: nobody knows which of their
/// members are there.
const TypeInfo kUnfinishedType{.trace = nullptr,
                               .trace_part = nullptr,
                               .destroy = nullptr,
                               .move = nullptr,
                               .name = "an object whose constructor ended with its thread, at a fork",
                               .kind = ObjectKind::words};

/// The calling thread's share of a heap; nullptr when it is not attached.
Mutator* own_share(const Collector& collector) noexcept {
    for (Mutator* mutator = current_mutator; mutator != nullptr; mutator = mutator->next_of_thread) {
        if (mutator->collector == &collector) {
            return mutator;
        }
    }
    return nullptr;
}

/// Whoever holds the lock may wait for this thread to stop, because it forks: so this one lets itself be stopped meanwhile.
void lock_heaps() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS {  // held when it returns
    while (!heaps_lock.try_lock()) {
        park_others(nullptr);
        run_again();
        os::yield_thread();
    }
}

/// All heaps stand still before the first of their locks is taken: a thread that goes on in one heap asks for its lock.
void prepare() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS {  // held until after the fork
    lock_heaps();
    forks_on_first_thread = is_first_thread();
    for (Collector* heap = heaps; heap != nullptr; heap = heap->next_heap) {
        heap->before_fork();
    }
    for (Collector* heap = heaps; heap != nullptr; heap = heap->next_heap) {
        heap->lock.lock();
    }
}

void in_parent() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS {
    for (Collector* heap = heaps; heap != nullptr; heap = heap->next_heap) {
        heap->after_fork_in_parent();
    }
    heaps_lock.unlock();
}

void in_child() noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS {
    first_thread_is_another = !forks_on_first_thread;
    for (Collector* heap = heaps; heap != nullptr; heap = heap->next_heap) {
        heap->after_fork_in_child();
    }
    heaps_lock.reset_after_fork();
}

}  // namespace

void list_heap(Collector& collector) noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS {  // lock_heaps() takes it
    lock_heaps();
    if (!handles_fork) {
        handles_fork = pthread_atfork(prepare, in_parent, in_child) == 0;
        HEAPWRIGHT_CHECK(handles_fork, "out of memory: a collected heap cannot be told of fork()");
    }
    // In the order of addresses, in which fork() stops them: see try_stop_world.
    Collector* before = nullptr;
    for (Collector* heap = heaps; heap != nullptr && number_of(heap) < number_of(&collector); heap = heap->next_heap) {
        before = heap;
    }
    collector.previous_heap = before;
    collector.next_heap = before == nullptr ? heaps : before->next_heap;
    (before == nullptr ? heaps : before->next_heap) = &collector;
    if (collector.next_heap != nullptr) {
        collector.next_heap->previous_heap = &collector;
    }
    heaps_lock.unlock();
}

void unlist_heap(Collector& collector) noexcept HEAPWRIGHT_NO_THREAD_SAFETY_ANALYSIS {  // lock_heaps() takes it
    lock_heaps();
    (collector.previous_heap == nullptr ? heaps : collector.previous_heap->next_heap) = collector.next_heap;
    if (collector.next_heap != nullptr) {
        collector.next_heap->previous_heap = collector.previous_heap;
    }
    heaps_lock.unlock();
}

/// As for a collection: the other threads stop where their parts of the heap are whole.
void Collector::before_fork() noexcept {
    Mutator* const self = own_share(*this);
    // From a finaliser in the pause, or from on_event: the world stands still already. Plain: true on this thread only.
    forked_inside = self != nullptr && stop_wanted.load(std::memory_order_acquire) != 0 && stopper == self;
    if (!forked_inside) {
        hold_and_stop(self);
    }
}

void Collector::after_fork_in_parent() noexcept {
    lock.unlock();
    if (!forked_inside) {
        start_world();
        collecting.unlock();
    }
}

/// A thread that the child does not have: its objects stay, what only its stack and its handles held goes.
void Collector::bury(Mutator& gone) noexcept {
    for (const Construction* inner = gone.constructing; inner != nullptr; inner = inner->outer) {
        Header* const header = header_of(inner->object);
        header->word = (header->word & ~(Header::kTypeMask | Header::kConstructing)) | reinterpret_cast<std::uint64_t>(&kUnfinishedType);
    }
    retire(gone);
    orphans.take(gone.destructibles);
    remembered.take(gone.remembered);
    if (ender.load(std::memory_order_relaxed) == &gone) {
        // What it was destroying or finalising stays half done; the rest is done by the next pause's thread.
        ender.store(nullptr, std::memory_order_relaxed);
        ending.reset_after_fork();
    }
    if (destroyer.load(std::memory_order_relaxed) == &gone) {
        destroyer.store(nullptr, std::memory_order_relaxed);
    }
    release_mutator(&gone);
}

void Collector::after_fork_in_child() noexcept {
    lock.reset_after_fork();
    Mutator* const self = own_share(*this);
    for (Mutator* mutator = mutators; mutator != nullptr;) {
        Mutator* const next = mutator->next;
        if (mutator != self) {
            bury(*mutator);
        }
        mutator = next;
    }
    mutators = self;
    mutator_count = self != nullptr ? 1 : 0;
    if (self != nullptr) {
        self->next = nullptr;
    }
    team->forget_after_fork();
    if (!forked_inside) {
        stopper = nullptr;
        stop_wanted.store(0, std::memory_order_relaxed);  // the only thread
        collecting.reset_after_fork();
    }
}

}  // namespace heapwright::gc::detail
