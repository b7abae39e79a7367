// The ends of objects: pre-finalisers, finalisers in order, destructors, and the memory after them.
#include <heapwright/base/check.hpp>
#include <heapwright/base/poison.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/marker.hpp>
#include <heapwright/own/gc/heap.hpp>

namespace heapwright::gc {

void Heap::add_finaliser(void* object, void* function, void* context, Call call, detail::FinaliserKind kind) noexcept {
    const os::LockGuard guard(collector_->lock);
    collector_->finalisers.push({.object = object, .call = call, .function = function, .context = context, .kind = kind});
}

void Heap::adjust_external_bytes(std::ptrdiff_t difference) noexcept {
    const os::LockGuard guard(collector_->lock);
    if (difference < 0 && static_cast<std::size_t>(-difference) > collector_->external_bytes) {
        collector_->external_bytes = 0;
    } else {
        collector_->external_bytes += static_cast<std::size_t>(difference);
        collector_->external_since.fetch_add(difference > 0 ? static_cast<std::size_t>(difference) : 0, std::memory_order_relaxed);
    }
}

namespace detail {

/// Everything between marking and sweeping. Marks more: what finalisers need.
void Collector::after_marking(Marker& marker, bool everything) noexcept {
    trace_ephemerons(marker);
    find_unreachable(marker, everything);
    clear_ephemerons();
    if (!keeps_young) {
        for (Mutator* mutator = mutators; mutator != nullptr; mutator = mutator->next) {
            doom(mutator->destructibles, destructibles_after);
        }
        doom(orphans, destructibles_after);
    }
    if (everything) {
        PageVector<void*> survivors;
        doom(destructibles, survivors);
        destructibles.take(survivors);
    }
    destructibles.take(destructibles_after);
    keep_doomed();
}

/// Finalisers of what is not reachable: the first in order are made ready, and all of it is kept until they have run.
void Collector::find_unreachable(Marker& marker, bool everything) noexcept {
    if (everything) {
        if (evacuates) {
            follow_moved();
        }
        for (void* const object : finalised) {
            counts.resurrected += is_live(object) ? 1U : 0U;
        }
        finalised.clear();
    }
    const std::size_t first = everything ? 0 : old_finalisers;
    PageVector<void*> unreachable;
    for (std::size_t index = first; index < finalisers.size(); ++index) {
        const Finaliser& entry = finalisers[index];
        if (entry.kind == FinaliserKind::before_sweep && !is_live(entry.object)) {
            entry.call(entry.object, entry.function, entry.context);
            finalisers[index].call = nullptr;
            ++counts.finalised;
        }
    }
    clear_weak();
    // What is only reachable from a finalisable object waits for it; so only its members are followed, not itself.
    for (std::size_t index = first; index < finalisers.size(); ++index) {
        if (finalisers[index].kind == FinaliserKind::after && !is_live(finalisers[index].object)) {
            unreachable.push(finalisers[index].object);
        }
    }
    for (void* const object : unreachable) {
        marker.trace(header_of(object));
        marker.drain();
    }
    bool any_first = false;
    for (void* const object : unreachable) {
        any_first = any_first || !is_live(object);
    }
    std::size_t kept = first;
    bool is_cycle = !unreachable.empty() && !any_first;  // they refer to each other: the oldest is first
    const std::size_t size = finalisers.size();
    PageVector<void*> started;
    for (std::size_t index = first; index < size; ++index) {
        const Finaliser entry = finalisers[index];
        const bool chosen_of_cycle = is_cycle && entry.kind == FinaliserKind::after && entry.object == unreachable[0];
        if (entry.kind == FinaliserKind::after && (!is_live(entry.object) || chosen_of_cycle)) {
            is_cycle = is_cycle && !chosen_of_cycle;
            ready.push(entry);
            started.push(entry.object);
        } else if (entry.call != nullptr) {
            finalisers[kept++] = entry;
        }
    }
    finalisers.shrink_to(kept);
    old_finalisers = keeps_young ? 0 : kept;  // 0: any of them may be young
    for (void* const object : started) {
        marker.push_unmarked(object);
    }
    marker.drain();
    trace_ephemerons(marker);
    clear_weak();
}

/// Nobody is given the memory of an object whose destructor waits.
void Collector::keep_doomed() noexcept {
    const auto keep = [](const std::byte* at) {
        std::uint8_t* const line = line_of(at);
        if (const std::uint8_t was = load_byte(line); (was & kLineOld) == 0) {
            store_byte(line, kLineDoomed);
        }
    };
    for (std::size_t index = 0; index < doomed.size(); ++index) {
        const Header* const header = header_of(doomed[index]);
        const auto* const begin = reinterpret_cast<const std::byte*>(header);
        const std::byte* const end = begin + size_of(header);
        for (const std::byte* at = begin; at < end && chunk_kind(at) == kChunk; at += kLineBytes) {
            keep(at);
        }
        if (chunk_kind(end - 1) == kChunk) {
            keep(end - 1);
        }
    }
}

/// Notes which objects have to be destroyed; the others survive.
void Collector::doom(PageVector<void*>& from, PageVector<void*>& survivors) noexcept {
    for (void* const object : from) {
        Header* const header = header_of(object);
        if (header->is_forwarded()) {
            survivors.push(header->forwarded());
        } else if (is_live(object)) {
            survivors.push(object);
        } else {
            doomed.push(object);
        }
    }
    from.clear();
}

void Collector::run_destructors(Mutator& self) noexcept {
    destroyer.store(&self, std::memory_order_relaxed);
    std::uint64_t count = 0;
    while (next_doomed < doomed.size()) {
        void* const object = doomed[next_doomed++];
        header_of(object)->type()->destroy(object);
        ++count;
    }
    destroyer.store(nullptr, std::memory_order_relaxed);
    destroyed.take(doomed);
    next_doomed = 0;
    const os::LockGuard guard(lock);
    counts.destroyed += count;
}

/// In a pause: the lines of destroyed objects are free.
void Collector::free_destroyed() noexcept {
    if (destroyed.empty()) {
        return;
    }
    for (void* const object : destroyed) {
        Header* const header = header_of(object);
        const std::size_t bytes = size_of(header);
        if (chunk_of(header)->is_huge) {
            store_byte(line_of(header), kLineReleased);  // the sweep of huge objects releases it
            continue;
        }
        std::byte* const end = reinterpret_cast<std::byte*>(header) + bytes;
        for (std::byte* at = reinterpret_cast<std::byte*>(number_of(header) & ~(kLineBytes - 1)); at < end; at += kLineBytes) {
            if (*line_of(at) == kLineDoomed) {
                *line_of(at) = kLineReleased;
            }
        }
        for (std::byte* at = reinterpret_cast<std::byte*>(number_of(header) & ~(kBlockBytes - 1)); at < end; at += kBlockBytes) {
            touched.push(at);  // so that this pause settles it, at the latest the next minor one
        }
        header->word = (header->word & ~Header::kTypeMask) | reinterpret_cast<std::uint64_t>(&kFillerType);
    }
    destroyed.clear();
}

void Collector::run_finalisers(Mutator&) noexcept {
    while (next_ready < ready.size()) {
        const Finaliser entry = ready[next_ready++];
        entry.call(entry.object, entry.function, entry.context);
        const os::LockGuard guard(lock);
        ++counts.finalised;
        finalised.push(entry.object);
    }
    ready.clear();
    next_ready = 0;
}

/// After a pause, outside of it: other threads run, and destructors and finalisers may take locks.
void Collector::run_waiting(Mutator& self) noexcept {
    if (!ending.try_lock()) {
        return;
    }
    ender.store(&self, std::memory_order_relaxed);
    run_destructors(self);
    run_finalisers(self);
    ender.store(nullptr, std::memory_order_relaxed);
    ending.unlock();
}

/// The end of the heap: every object that has a destructor is destroyed, in the order of making.
void Collector::destroy_everything(Mutator& self) noexcept {
    run_waiting(self);
    cancel_marking();
    for (const Finaliser& entry : finalisers) {
        entry.call(entry.object, entry.function, entry.context);
        ++counts.finalised;
    }
    doomed.take(destructibles);
    doomed.take(orphans);
    doomed.take(self.destructibles);
    run_destructors(self);
}

}  // namespace detail

}  // namespace heapwright::gc
