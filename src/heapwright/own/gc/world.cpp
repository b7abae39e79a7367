// Stopping the world: where threads park, how a pause begins and ends, and threads that use several heaps.
#include <heapwright/base/check.hpp>
#include <heapwright/os/thread.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/stack.hpp>

#if HEAPWRIGHT_UNDER_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace heapwright::gc::detail {

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

/// False while the world is stopped by somebody else.
bool Collector::try_run(Mutator& self) noexcept {
    const os::LockGuard guard(lock);
    // Relaxed: written under the lock, and the state is read by stop_world after it held the lock.
    if (stop_wanted.load(std::memory_order_relaxed) != 0 && stopper != &self) {
        return false;
    }
    self.state.store(kRunning, std::memory_order_relaxed);
    return true;
}

/// Goes on as soon as no collection runs.
void Collector::unpark(Mutator& self) noexcept {
    if (try_run(self)) {
        return;
    }
    self.waits = true;
    park_others(&self);
    run_again();
}

/// A thread that waits for one heap is parked in its other heaps too: whoever stops those must not wait for it. Otherwise two
/// threads that use two heaps, of which each collects one, would wait for each other.
void park_others(const Mutator* self) noexcept {
    for (Mutator* other = current_mutator; other != &no_mutator; other = other->next_of_thread) {
        // Relaxed: only this thread writes its states.
        if (other != self && !other->waits && other->state.load(std::memory_order_relaxed) == kRunning) {
            other->waits = true;
            other->collector->park(*other);
        }
    }
}

/// Until all of this thread's shares that wait run again: all of them or none, so that it waits for one heap only where
/// nobody else waits for it.
void run_again() noexcept {
    while (true) {
        Collector* busy = nullptr;
        for (Mutator* each = current_mutator; each != &no_mutator && busy == nullptr; each = each->next_of_thread) {
            // Relaxed: as in park_others.
            if (each->waits && each->state.load(std::memory_order_relaxed) == kParked && !each->collector->try_run(*each)) {
                busy = each->collector;
            }
        }
        if (busy == nullptr) {
            break;
        }
        for (Mutator* each = current_mutator; each != &no_mutator; each = each->next_of_thread) {
            if (each->waits && each->state.load(std::memory_order_relaxed) == kRunning) {  // relaxed: as in park_others
                each->collector->park(*each);
            }
        }
        os::futex_wait(&busy->stop_wanted, 1);
    }
    for (Mutator* each = current_mutator; each != &no_mutator; each = each->next_of_thread) {
        each->waits = false;
    }
}

/// Takes the lock `collecting`. Meanwhile others may collect. `self` is nullptr where the thread is not attached.
void Collector::hold_pauses(Mutator* self) noexcept {
    while (!collecting.try_lock()) {
        if (self != nullptr) {
            park(*self);
            unpark(*self);
        }
        os::yield_thread();
    }
}

void Collector::stop_world(Mutator* self) noexcept {
    {
        const os::LockGuard guard(lock);
        published = figures();
        stopper = self;
        stop_wanted.store(1, std::memory_order_release);  // pairs with the acquire in collect_if_due
    }
    bool waited = false;
    while (true) {
        const std::uint32_t seen = parkings.load(std::memory_order_acquire);  // pairs with the increment in park
        bool all = true;
        {
            const os::LockGuard guard(lock);
            for (Mutator* mutator = mutators; mutator != nullptr; mutator = mutator->next) {
                // Acquire pairs with the release in park.
                all = all && (mutator == self || mutator->state.load(std::memory_order_acquire) == kParked);
            }
        }
        if (all) {
            break;
        }
        if (!waited) {
            park_others(self);
        }
        waited = true;
        os::futex_wait(&parkings, seen);
    }
    if (waited) {
        run_again();
    }
}

void Collector::start_world() noexcept {
    {
        const os::LockGuard guard(lock);
        stopper = nullptr;
        stop_wanted.store(0, std::memory_order_release);  // pairs with the acquire in collect_if_due
    }
    os::futex_wake(&stop_wanted);
}

/// A pause that collects nothing: for looking at everything.
void Collector::begin_look(Mutator& self) noexcept {
    hold_pauses(&self);
    stop_world(&self);
    is_collecting = true;
    for (Mutator* mutator = mutators; mutator != nullptr; mutator = mutator->next) {
        retire(*mutator);
    }
    note_constructions();
}

void Collector::end_look() noexcept {
    remember_constructions();
    is_collecting = false;
    start_world();
    collecting.unlock();
}

}  // namespace heapwright::gc::detail
