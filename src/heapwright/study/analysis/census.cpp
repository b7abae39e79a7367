// The events' effects on the live blocks: the loop in which a pass spends its time.
#include <heapwright/study/analysis/census.hpp>

#include <algorithm>
#include <cmath>
#include <string>

#include <heapwright/study/analysis/bounds.hpp>
#include <heapwright/study/analysis/call_family.hpp>
#include <heapwright/study/timeline/wide.hpp>

namespace heapwright::study {
namespace {

using trace::Call;
using trace::Event;
using trace::EventKind;
using trace::Tick;

constexpr Tick kNever = ~Tick{0};

constexpr std::uint8_t call_index(Call call) {
    const auto index = static_cast<std::uint8_t>(call);
    return index < trace::kCallCount ? index : 0;
}

bool is_glibc(const Facts& facts) {
    const auto allocator = facts.info.find("allocator");
    return allocator != facts.info.end() && allocator->second.starts_with("glibc");
}

/// "12.345 s"
std::string seconds_text(std::uint64_t time_ns) {
    const std::uint64_t ms = time_ns / 1'000'000;
    const std::string fraction = std::to_string(ms % 1000);
    return std::to_string(ms / 1000) + "." + std::string(3 - fraction.size(), '0') + fraction + " s";
}

}  // namespace

Census::Census(const Facts& facts, const AnalysisOptions& options)
    : facts_(facts),
      scale_(facts.scale),
      usable_(facts.usable),
      options_(options),
      stamps_(facts.outline.first_tick),
      sites_(facts.stacks, facts.scale),
      sizes_(facts.scale, facts.usable),
      lifetimes_(facts.scale),
      moments_(facts.outline.first_tick, facts.outline.last_tick, facts.has_events()),
      map_history_(is_glibc(facts)),
      now_(facts.outline.first_tick) {
    threads_.describe(facts.threads);
    choose_bounds();
    set_next_stop();
}

/// The places that the event will look up.
void Census::fetch_far(const Event& event) const {
    live_.prefetch(event.address);
    pages_.prefetch(event.address);
    sites_.prefetch_stack(static_cast<std::uint32_t>(event.stack));
}

/// What stands behind those places.
Census::Fetching Census::fetch_near(const Event& event) const {
    if (event.kind == EventKind::allocate || event.kind == EventKind::resize_to) {
        return {.site = sites_.prefetch_birth(static_cast<std::uint32_t>(event.stack)), .is_birth = true, .lifetime_ns = 0};
    }
    const BlockRecord* block = live_.find(event.address);
    if (block == nullptr) {
        return {};
    }
    sites_.prefetch_death(block->site);
    const Tick born = facts_.outline.first_tick + StampClock::ticks(block->entered);
    return {.site = block->site, .is_birth = false, .lifetime_ns = facts_.clock.ns_of(event.tick > born ? event.tick - born : 0)};
}

void Census::fetch_last(const Event& event, const Fetching& fetching) const {
    if (fetching.site == SiteTable::kNoSite) {
        return;
    }
    if (fetching.is_birth) {
        sites_.prefetch_sizes(fetching.site, event.size);
    } else {
        sites_.prefetch_lifetimes(fetching.site, fetching.lifetime_ns);
    }
}

void Census::on_events(std::span<const Event> events) {
    constexpr std::size_t kRing = 32;
    static_assert(kFetchNear < kRing);
    std::array<Fetching, kRing> fetching;
    // `ahead` runs from kFetchFar events before the first; each step stays its distance behind it.
    for (std::size_t ahead = 0; ahead < events.size() + kFetchFar; ++ahead) {
        if (ahead < events.size()) {
            fetch_far(events[ahead]);
        }
        if (const std::size_t i = ahead - (kFetchFar - kFetchNear); i < events.size()) {
            fetching[i % kRing] = fetch_near(events[i]);
        }
        if (const std::size_t i = ahead - (kFetchFar - kFetchLast); i < events.size()) {
            fetch_last(events[i], fetching[i % kRing]);
        }
        if (const std::size_t i = ahead - kFetchFar; i < events.size()) {
            apply(events[i]);
        }
    }
    HEAPWRIGHT_AUDIT(*this);
}

void Census::apply(const Event& event) {
    if (HEAPWRIGHT_UNLIKELY(event.tick >= next_stop_)) {
        stop_slow(event.tick);
    }
    now_ = event.tick;
    static_cast<void>(stamps_.next(event.tick));
    ++counts_.events;
    ThreadState& thread = threads_.state_of(event.thread);
    switch (event.kind) {
        case EventKind::allocate: allocate(event, thread); return;
        case EventKind::release: release(event, thread); return;
        case EventKind::resize_from: resize_from(event, thread); return;
        case EventKind::resize_to: resize_to(event, thread); return;
    }
}

void Census::allocate(const Event& event, ThreadState& thread) {
    if (event.address == 0) {
        ++counts_.failed;
        return;
    }
    static_cast<void>(enter(event, thread));
}

/// The block of an allocate or resize_to event becomes live.
/// Usable sizes are what other blocks of the size had. Where that is a little too much, for this block or its neighbours, the
/// middle of what was asked for still fits, and nothing is wrong with the trace.
bool Census::has_room_slow(std::uint64_t address, std::uint64_t bytes) {
    constexpr std::uint64_t kSlack = 32;  // what glibc adds to a block rather than to leave it behind
    const bool is_long = bytes > 4 * kSlack;
    const std::uint64_t middle = is_long ? address + kSlack : address;
    const std::uint64_t middle_bytes = is_long ? bytes - 2 * kSlack : bytes;
    if (!pages_.add(middle, middle_bytes)) {
        return false;
    }
    pages_.remove(middle, middle_bytes);
    return true;
}

BlockRecord* Census::enter(const Event& event, ThreadState& thread) {
    const std::uint64_t stamp = stamps_.last();
    const std::uint64_t size = std::min(event.size, kLargestSize);
    const std::uint64_t usable = usable_.usable(size);
    const std::uint64_t covered = std::max<std::uint64_t>(usable, 1);
    const std::uint64_t weight = scale_.weight(size);
    const std::uint32_t stack = facts_.stacks.checked(event.stack);

    BlockRecord block;
    block.address = event.address;
    block.entered = stamp;
    block.size = size & kLargestSize;
    block.call = call_index(event.call) & 15U;
    block.site = sites_.site_of(stack);
    block.thread = static_cast<std::uint32_t>(event.thread);
    if (HEAPWRIGHT_UNLIKELY(!resizing_.empty())) {
        make_way_slow(event.address, covered);
    }
    if (HEAPWRIGHT_UNLIKELY(event.call == Call::map)) {
        cut_mappings(event.address, event.address + covered, nullptr, nullptr);  // mapped over
        note_mapping(event);
    }
    auto [place, is_new] = live_.insert(block);
    bool overlaps = !is_new;
    if (HEAPWRIGHT_UNLIKELY(!is_new)) {
        leave(*place);
        *place = block;
    }
    if (HEAPWRIGHT_UNLIKELY(!pages_.add(event.address, covered))) {
        place->off_pages = 1;
        overlaps = overlaps || !has_room_slow(event.address, std::max<std::uint64_t>(size, 1));
    }
    counts_.overlaps += overlaps ? 1 : 0;

    totals_.blocks += weight;
    totals_.requested += weight * size;
    totals_.usable += weight * usable;
    counts_.allocations += weight;
    counts_.allocated_bytes += weight * size;
    counts_.over_aligned += event.alignment_log2 > 4 ? weight : 0;
    sites_.allocated(*place, usable, event.alignment_log2, stamp);
    sizes_.allocated(size);
    moments_.allocated(weight);
    thread.row.allocations += weight;
    thread.row.allocated_bytes += weight * size;
    thread.newest_block = event.address;
    thread.frames.allocate(facts_.stacks, stack, stamp);
    moments_.consider(totals_, pages_);
    if (peak_.consider(totals_, stamp, event.tick)) {
        map_history_.mark_peak();
    }
    return place;
}

/// Blocks in the middle of a resize whose addresses are handed out again have been freed by the allocator.
void Census::make_way_slow(std::uint64_t address, std::uint64_t covered) {
    std::erase_if(resizing_, [&](ThreadState* thread) {
        const BlockRecord& block = thread->resize.block;
        const std::uint64_t block_covered = covered_bytes(usable_, block.size);
        const bool is_apart = address >= block.address ? address - block.address >= block_covered : block.address - address >= covered;
        if (is_apart) {
            return false;
        }
        thread->resize.has_block = false;
        leave(block);
        return true;
    });
}

/// A block stops being live; its record may still stand in the table.
void Census::leave(const BlockRecord& block, bool by_release) {
    const std::uint64_t size = block.size;
    const std::uint64_t usable = usable_.usable(size);
    const std::uint64_t weight = scale_.weight(size);
    totals_.blocks -= weight;
    totals_.requested -= weight * size;
    totals_.usable -= weight * usable;
    if (!block.off_pages) {
        pages_.remove(block.address, std::max<std::uint64_t>(usable, 1));
    }
    sites_.left(block, by_release);
    peak_.left(block);
    if (block.resized) {
        if (Chain* chain = chains_.find(block.address)) {
            chains_.erase(chain);
        }
    }
}

void Census::release(const Event& event, ThreadState& thread) {
    if (event.address == 0) {
        return;
    }
    if (HEAPWRIGHT_UNLIKELY(event.call == Call::unmap)) {
        unmap(event, thread);  // of anything, files included: what was not mapped anonymously is no stray
        return;
    }
    BlockRecord* block = live_.find(event.address);
    if (HEAPWRIGHT_UNLIKELY(block == nullptr)) {
        count_unknown(event);
        return;
    }
    std::uint64_t born = block->entered;
    if (block->resized) {
        const Chain* chain = chains_.find(event.address);
        born = chain != nullptr ? chain->born : born;
    }
    count_release(*block, born, event, thread);
    if (event.touched != trace::kTouchedUnknown) {
        sites_.touched(*block, event.touched);
    }
    leave(*block, true);
    live_.erase(block);
}

void Census::count_release(const BlockRecord& block, std::uint64_t born, const Event& event, ThreadState& thread) {
    const std::uint64_t weight = scale_.weight(block.size);
    const std::uint64_t stamp = stamps_.last();
    Departure how;
    how.lifetime_ns = facts_.clock.ns_of(StampClock::ticks(stamp) - StampClock::ticks(born));
    how.cross_thread = block.thread != static_cast<std::uint32_t>(event.thread);
    if (!how.cross_thread) {
        how.temporary = thread.newest_block == event.address;
        const SiteTable::Scope scope = sites_.scope_of(block.site);
        how.same_frame = how.temporary || scope.depth == 0 || thread.frames.has_stayed(scope.node, scope.depth, block.entered);
    }
    sites_.released(block, how, stamp);
    lifetimes_.released(block.size, how.lifetime_ns);
    moments_.released(weight);
    counts_.frees += weight;
    counts_.temporary += how.temporary ? weight : 0;
    counts_.cross_thread_frees += how.cross_thread ? weight : 0;
    counts_.mismatched += family_of(static_cast<Call>(block.call)) != family_of(event.call) ? weight : 0;
    thread.row.frees += weight;
    thread.row.cross_thread_frees += how.cross_thread ? weight : 0;
    if (thread.newest_block == event.address) {
        thread.newest_block = 0;
    }
}

void Census::count_unknown(const Event&) {
    if (facts_.is_forked) {
        ++counts_.inherited_frees;
    } else {
        ++counts_.unknown_frees;
    }
}

void Census::set_next_stop() {
    const std::size_t drawn = key_maps_.size();
    next_map_ = kNever;
    if (drawn < options_.key_moments && facts_.has_events()) {
        const Tick span = facts_.outline.last_tick - facts_.outline.first_tick;
        next_map_ = facts_.outline.first_tick + multiply_divide(span, drawn + 1, options_.key_moments + 1);
    }
    next_bounds_ = bounds_next_ < bounds_ticks_.size() ? bounds_ticks_[bounds_next_] : kNever;
    next_stop_ = std::min({next_map_, next_bounds_, moments_.next_tick()});
}

void Census::choose_bounds() {
    if (!options_.bounds || !facts_.has_events()) {
        return;
    }
    const Tick first = facts_.outline.first_tick;
    const Tick span = facts_.outline.last_tick - first;
    for (std::size_t i = 1; i <= options_.bounds->evenly; ++i) {
        bounds_ticks_.push_back(first + multiply_divide(span, i, options_.bounds->evenly + 1));
    }
    for (const std::uint64_t time_ns : options_.bounds->times_ns) {
        const double ticks = static_cast<double>(time_ns) / facts_.clock.ns_per_tick();
        if (ticks <= static_cast<double>(span)) {
            bounds_ticks_.push_back(first + static_cast<Tick>(std::llround(ticks)));
        }
    }
    std::ranges::sort(bounds_ticks_);
}

void Census::measure_bounds_of(const Snapshot& moment, Tick tick, const char* label) {
    bounds_.push_back(measure_bounds(moment, usable_));
    bounds_.back().label = label;
    bounds_.back().time_ns = facts_.clock.ns_at(tick);
}

/// Something is due before the event at `tick`: a point of the timeline, a picture of the heap, or its bounds.
void Census::stop_slow(Tick tick) {
    while (next_stop_ != kNever && tick >= next_stop_) {
        moments_.advance(std::min(tick, next_stop_), totals_, pages_);
        if (tick >= next_map_ && next_map_ <= next_stop_) {
            key_maps_.push_back(draw_map(pages_, kKeyMomentCells));
            key_maps_.back().time_ns = facts_.clock.ns_at(next_map_);
            key_maps_.back().label = seconds_text(key_maps_.back().time_ns);
        }
        if (tick >= next_bounds_ && next_bounds_ <= next_stop_) {
            measure_bounds_of(take_present(), next_bounds_, "");
            ++bounds_next_;
        }
        set_next_stop();
    }
}

}  // namespace heapwright::study
