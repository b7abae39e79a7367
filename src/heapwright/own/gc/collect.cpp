// The cycles: minor, everything in steps, everything at once.
#include <algorithm>
#include <new>

#include <heapwright/base/check.hpp>
#include <heapwright/os/clock.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/thread.hpp>
#include <heapwright/own/gc/detail/bytes.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/marker.hpp>
#include <heapwright/own/gc/heap.hpp>

namespace heapwright::gc {

namespace detail {

void begin_collector(Collector& collector) noexcept {
    collector.roots.next = collector.roots.previous = &collector.roots;
    collector.weak_roots.next = collector.weak_roots.previous = &collector.weak_roots;
    collector.full_threshold = collector.config.threshold_bytes;
    collector.nursery_most = collector.nursery_bytes = collector.config.nursery_bytes;
    collector.last_collection_ns = os::monotonic_ns();
    void* const pages = os::map_pages(sizeof(MarkTeam), "heapwright gc markers");
    HEAPWRIGHT_CHECK(pages != nullptr, "out of memory: no pages for a collected heap's markers");
    collector.team = ::new (pages) MarkTeam(collector);
}

void end_collector(Collector& collector) noexcept {
    collector.team->~MarkTeam();
    os::release(collector.team, os::round_to_pages(sizeof(MarkTeam)));
    collector.cancel_marking();
    while (collector.chunks != nullptr) {
        collector.release_chunk(collector.chunks);
    }
}

bool Collector::is_live(const void* object) const noexcept {
    const Header* const header = header_of(object);
    return (load_byte(mark_of(header)) & kMarkEpochs) == epoch || (keeps_young && load_byte(line_of(header)) == kLineYoung);
}

/// One pause. Another thread may have collected meanwhile; then it is not done again.
void Collector::collect(Mutator& self, Cycle cycle, Reason reason) noexcept {
    const std::uint64_t begin_ns = os::monotonic_ns();
    const std::uint64_t pauses_before = counts.pauses;
    const bool asked_for = reason != Reason::nursery_full && reason != Reason::threshold;
    for (bool is_stopped = false; !is_stopped;) {
        hold_pauses(&self);
        if ((counts.pauses != pauses_before && !asked_for) || (cycle == Cycle::step) != is_marking) {
            if (cycle == Cycle::step || !asked_for) {
                collecting.unlock();
                return;
            }
        }
        is_stopped = try_stop_world(&self);
        if (!is_stopped) {
            give_way(&self);
        }
    }
    is_collecting = true;
    for (Mutator* mutator = mutators; mutator != nullptr; mutator = mutator->next) {
        retire(*mutator);
        remembered.take(mutator->remembered);
    }
    GcEvent event{};
    event.cycle = cycle;
    event.reason = reason;
    event.used_before_bytes = used_bytes();
    returned_now = 0;
    moved_now = 0;
    mark_ns_now = 0;
    if (cycle != Cycle::step) {
        peak_since_full = std::max(peak_since_full, event.used_before_bytes);
    }
    note_constructions();
    free_destroyed();
    switch (cycle) {
        case Cycle::minor:
            if (is_marking) {
                event.cycle = Cycle::full;
                full(self);
                break;
            }
            if (config.generational || reason != Reason::nursery_full) {
                minor(self, minor_deadline(reason, begin_ns));
            }
            begin_if_due(self, event, begin_ns);
            break;
        case Cycle::begin:
            if (is_marking) {
                event.cycle = Cycle::full;
                full(self);
            } else {
                minor(self, kNoDeadline);
                begin_marking(self);
            }
            break;
        case Cycle::step:
        case Cycle::end: step(self, event, begin_ns); break;
        case Cycle::full: full(self); break;
    }
    finish_pause(self, event, begin_ns);
    run_waiting(self);
}

void Collector::finish_pause(Mutator&, GcEvent& event, std::uint64_t begin_ns) noexcept {
    remember_constructions();
    if (event.cycle != Cycle::step && event.cycle != Cycle::end) {
        since_collection.store(0, std::memory_order_relaxed);  // no young object is left
        external_since.store(0, std::memory_order_relaxed);
    }
    since_step.store(0, std::memory_order_relaxed);
    __atomic_store_n(&last_collection_ns, os::monotonic_ns(), __ATOMIC_RELAXED);  // read by tick, which only compares
    ++counts.pauses;
    counts.minor_collections += event.cycle == Cycle::minor || event.cycle == Cycle::begin ? 1U : 0U;
    counts.full_collections += event.cycle == Cycle::full || event.cycle == Cycle::end ? 1U : 0U;
    counts.steps += event.cycle == Cycle::step || event.cycle == Cycle::end ? 1U : 0U;
    event.number = counts.pauses;
    event.used_after_bytes = used_bytes();
    event.moved_bytes = moved_now;
    event.mark_ns = mark_ns_now;
    if (config.verify_always) {
        if (const char* const broken = broken_invariant()) {
            fail_check(broken, nullptr, __FILE__, __LINE__);
        }
    }
    give_back_some();
    event.returned_bytes = returned_now;
    event.pause_ns = os::monotonic_ns() - begin_ns;
    size_nursery(event.cycle, event.pause_ns);
    counts.pause_total_ns += event.pause_ns;
    counts.pause_longest_ns = std::max(counts.pause_longest_ns, event.pause_ns);
    {
        const os::LockGuard guard(lock);
        published = figures();
    }
    if (config.on_event != nullptr) {
        config.on_event(event, config.context);
    }
    is_collecting = false;
    start_world();
    collecting.unlock();
}

/// Everything that is marked stays; what was allocated since the last collection is marked if it can be reached. Where most of it
/// can, it is cheaper to keep all of it than to find that out, and where the time is over too.
void Collector::minor(Mutator& self, std::uint64_t deadline_ns) noexcept {
    const std::uint64_t begin_ns = os::monotonic_ns();
    Marker& marker = team->first;
    marker.set(TraceMode::mark, epoch);
    for (void* const buffer : young_buffers) {
        marker.pin(header_of(buffer));  // they end when their container does; what they hold is found word by word
    }
    adopt_buffers();
    const std::size_t used_before = used_bytes();
    const bool may_give_up = deadline_ns != kNoDeadline;
    const bool looks = !may_give_up || promotions_due == 0;
    bool is_done = false;
    if (!looks) {
        --promotions_due;
    } else {
        mark_roots(marker, self);
        is_done = mark_remembered(marker, deadline_ns) && team->drain_until(deadline_ns, may_give_up ? most_survivors() : SIZE_MAX);
    }
    if (!is_done) {
        marker.drop();
        promote_young();
    }
    after_marking(marker, false);
    mark_ns_now += os::monotonic_ns() - begin_ns;
    sweep_touched();
    clean_marks(clean_at_once);
    if (may_give_up && looks) {
        expect_survivors(is_done, used_before - used_bytes());
    }
}

/// Turns the marks' meaning: what is marked now has to be reached again.
void Collector::begin_epoch() noexcept {
    clean_marks(SIZE_MAX);
    epoch = static_cast<std::uint8_t>(3 - epoch);
    both_epochs = true;
    forget_remembered();
    for (Chunk* chunk = chunks; chunk != nullptr; chunk = chunk->next) {
        for (std::size_t index = kFirstBlock; index < kBlocksPerChunk; ++index) {
            const BlockState state = chunk->blocks[index].state;
            if (state != BlockState::used && state != BlockState::inside && !chunk->is_huge) {
                continue;
            }
            age_lines(line_of(reinterpret_cast<std::byte*>(chunk) + index * kBlockBytes));
        }
    }
}

/// Snapshot: what can be reached now will be marked, whatever the program does meanwhile; new objects count as reached.
///
/// Requires: a minor collection has just ended: no young object exists.
void Collector::begin_marking(Mutator& self) noexcept {
    begin_epoch();
    begins_soon = false;
    promoted_bytes = 0;
    all_marked = false;
    step_bytes = next_step();
    is_marking = true;
    __atomic_add_fetch(&marking_heaps, 1, __ATOMIC_RELAXED);  // the world is stopped: mutators see it when they go on
    Marker& marker = team->first;
    marker.set(TraceMode::keep_young, epoch);
    mark_roots(marker, self);
    next_buffer = 0;
    containers_moved.store(false, std::memory_order_relaxed);  // the world is stopped
}

bool Collector::mark_step(std::uint64_t budget_ns) noexcept {
    const std::uint64_t begin_ns = os::monotonic_ns();
    const std::uint64_t deadline_ns = begin_ns + budget_ns;
    Marker& marker = team->first;
    marker.set(TraceMode::keep_young, epoch);
    bool done = false;
    do {
        // Buffers of containers live until the container ends, and there may be fewer than in the last step; what they hold is
        // found through their owner.
        for (std::size_t count = 0; next_buffer < buffers.size() && count < 1024; ++count, ++next_buffer) {
            marker.keep(header_of(buffers[next_buffer]));
        }
        while (!overwritten.empty()) {
            marker.push_unmarked(overwritten.pop());
        }
        done = marker.drain_until(deadline_ns) && next_buffer >= buffers.size() && overwritten.empty();
    } while (!done && os::monotonic_ns() < deadline_ns);
    mark_ns_now += os::monotonic_ns() - begin_ns;
    return done;
}

void Collector::end_marking(Mutator&) noexcept {
    const std::uint64_t begin_ns = os::monotonic_ns();
    Marker& marker = team->first;
    keeps_young = true;
    if (containers_moved.load(std::memory_order_relaxed)) {  // see there
        mark_buffers(marker);
    }
    after_marking(marker, true);
    mark_ns_now += os::monotonic_ns() - begin_ns;
    is_marking = false;
    __atomic_sub_fetch(&marking_heaps, 1, __ATOMIC_RELAXED);  // as in begin_marking
    both_epochs = false;
    sweep_all(true);
    keeps_young = false;
}

void Collector::cancel_marking() noexcept {
    if (is_marking) {
        is_marking = false;
        __atomic_sub_fetch(&marking_heaps, 1, __ATOMIC_RELAXED);  // as in begin_marking
        team->first.drop();
        team->first.weak_slots.clear();
        team->first.ephemerons.clear();
        weak_slots.clear();
        ephemerons.clear();
        overwritten.clear();
    }
}

/// Gives back all memory that holds no object.
void Collector::shrink(Mutator& self) noexcept {
    begin_look(self);
    give_back(0, SIZE_MAX);
    end_look();
}

/// Marks and frees everything in one pause.
void Collector::full(Mutator& self) noexcept {
    const bool was_marking = is_marking;
    cancel_marking();
    if (was_marking) {
        // Half of the objects have this epoch's marks, the others the last one's: all get the last one's.
        for_each_block([&](std::byte* block, BlockInfo& info) {
            if (info.state == BlockState::used || info.state == BlockState::inside) {
                unmark(block, info);
            }
        });
        for (Chunk* chunk = chunks; chunk != nullptr; chunk = chunk->next) {
            if (chunk->is_huge) {
                unmark(reinterpret_cast<std::byte*>(chunk) + kFirstByte, chunk->blocks[kFirstBlock]);
            }
        }
        epoch = static_cast<std::uint8_t>(3 - epoch);
    }
    const std::uint64_t begin_ns = os::monotonic_ns();
    begin_epoch();
    begins_soon = false;
    choose_sparse_blocks();
    Marker& marker = team->first;
    marker.set(evacuates ? TraceMode::evacuate : TraceMode::mark, epoch);
    adopt_buffers();
    for (void* const buffer : buffers) {
        marker.keep(header_of(buffer));
    }
    mark_roots(marker, self);
    team->drain();
    after_marking(marker, true);
    mark_ns_now += os::monotonic_ns() - begin_ns;
    end_evacuation();
    both_epochs = false;
    sweep_all(false);
}

}  // namespace detail

void Heap::collect() noexcept { collector_->collect(detail::mutator_of(*this), Cycle::full, Reason::requested); }

void Heap::collect_minor() noexcept { collector_->collect(detail::mutator_of(*this), Cycle::minor, Reason::requested); }

void Heap::request_collection() noexcept { collector_->wants_collection.store(true, std::memory_order_relaxed); }  // heard later

void Heap::tick() noexcept {
    const std::uint64_t interval_ns = collector_->config.interval_ns;
    if (interval_ns != 0 && os::monotonic_ns() - __atomic_load_n(&collector_->last_collection_ns, __ATOMIC_RELAXED) >= interval_ns) {
        request_collection();  // relaxed above: one number, and a collection too early or too late does no harm
    }
}

void Heap::collect_and_shrink() noexcept {
    detail::Mutator& mutator = detail::mutator_of(*this);
    for (int round = 0; round < 3; ++round) {
        collector_->collect(mutator, Cycle::full, Reason::requested);
        collector_->run_waiting(mutator);
    }
    collector_->shrink(mutator);
}

std::string_view name_of(Reason reason) noexcept {
    switch (reason) {
        case Reason::nursery_full: return "nursery full";
        case Reason::threshold: return "threshold";
        case Reason::exhaustion: return "exhaustion";
        case Reason::requested: return "requested";
        case Reason::interval: return "interval";
        case Reason::stress: return "stress";
    }
    return "unknown";
}

std::string_view name_of(Cycle cycle) noexcept {
    switch (cycle) {
        case Cycle::minor: return "minor";
        case Cycle::begin: return "begin";
        case Cycle::step: return "step";
        case Cycle::end: return "end";
        case Cycle::full: return "full";
    }
    return "unknown";
}

}  // namespace heapwright::gc
