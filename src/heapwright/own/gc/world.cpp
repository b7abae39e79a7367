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
    self.state.store(kParked, std::memory_order_release);  // pairs with the acquire in try_stop_world: it sees our stack
    parkings.fetch_add(1, std::memory_order_release);      // pairs with the load in try_stop_world
    os::futex_wake(&parkings);
}

/// False while the world is stopped by somebody else.
bool Collector::try_run(Mutator& self) noexcept {
    const os::LockGuard guard(lock);
    // Relaxed: written under the lock, and the state is read by try_stop_world after it held the lock.
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

namespace {

/// All of this thread's shares that wait run again, or none. Returns a heap that somebody else stopped, or nullptr.
Collector* try_run_again() noexcept {
    Collector* busy = nullptr;
    for (Mutator* each = current_mutator; each != &no_mutator && busy == nullptr; each = each->next_of_thread) {
        // Relaxed: as in park_others.
        if (each->waits && each->state.load(std::memory_order_relaxed) == kParked && !each->collector->try_run(*each)) {
            busy = each->collector;
        }
    }
    for (Mutator* each = current_mutator; each != &no_mutator; each = each->next_of_thread) {
        if (busy == nullptr) {
            each->waits = false;
        } else if (each->waits && each->state.load(std::memory_order_relaxed) == kRunning) {  // relaxed: as in park_others
            each->collector->park(*each);
        }
    }
    return busy;
}

}  // namespace

/// Until all of this thread's shares that wait run again: all of them or none, so that it waits for one heap only where
/// nobody else waits for it.
void run_again() noexcept {
    while (Collector* const busy = try_run_again()) {
        os::futex_wait(&busy->stop_wanted, 1);
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

/// Stops all threads but `self`. While that lasted, `self` was parked in its other heaps, which may have been stopped meanwhile, by
/// somebody who waits for this one. Of two such heaps the one at the higher address gives way.
///
/// Returns:  false where that is this one: then it runs again, and `self` has to let go of `collecting` and to try again.
bool Collector::try_stop_world(Mutator* self) noexcept {
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
    Collector* busy = waited ? try_run_again() : nullptr;
    while (busy != nullptr && number_of(this) < number_of(busy)) {
        os::futex_wait(&busy->stop_wanted, 1);
        busy = try_run_again();
    }
    if (busy != nullptr) {
        start_world();
    }
    return busy == nullptr;
}

/// Takes the lock `collecting` and stops the world.
void Collector::hold_and_stop(Mutator* self) noexcept {
    hold_pauses(self);
    while (!try_stop_world(self)) {
        give_way(self);
        hold_pauses(self);
    }
}

/// Lets go of `collecting`, and waits until all of this thread's heaps run.
void Collector::give_way(Mutator* self) noexcept {
    collecting.unlock();
    if (self != nullptr) {
        self->waits = true;
        park(*self);
    }
    run_again();
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
    hold_and_stop(&self);
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
