// What became of a plan: the figures of its places and of its entries.
#include <algorithm>
#include <memory>
#include <span>

#include <heapwright/alloc/heap/detail/plan.hpp>
#include <heapwright/alloc/heap/detail/planned.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/placement.hpp>

namespace heapwright::heap {

namespace {

constinit std::span<SiteFigures> g_figures;  // by the entries' numbers; under g_plan_lock

/// What an entry gave, by all threads. They count meanwhile: the sum lags, nothing else depends on it. Under g_plan_lock.
#if HEAPWRIGHT_UNDER_TSAN
__attribute__((no_sanitize("thread")))
#endif
Given given_by(std::uint32_t site) noexcept {
    Given sum;
    for (const PlannedThread* thread = g_planned_threads; thread != nullptr; thread = thread->next) {
        sum.blocks += thread->sites[site].blocks;
        sum.bytes += thread->sites[site].bytes;
    }
    return sum;
}

void look_at_blocks() noexcept {
    std::fill(g_figures.begin(), g_figures.end(), SiteFigures());
    for (std::uint32_t place = 1; place <= g_place_count.load(std::memory_order_relaxed); ++place) {  // under the lock
        if (g_places[place]->kind == SitePlace::bump) {
            g_places[place]->bump.add_sites(g_figures);
        }
    }
}

/// Under g_plan_lock.
placement::SiteStatistics statistics_of_entry(const PlanEntry& entry) noexcept {
    const SiteFigures& figures = g_figures[entry.number];
    const Given given = given_by(entry.number);
    const PlanFrame& first = entry.frames.front();
    placement::SiteStatistics site;
    site.file = first.module->file;
    site.offset = first.offset;
    site.is_found = entry.is_found();
    if (entry.frames.size() > 1) {
        site.caller_file = entry.frames.back().module->file;
        site.caller_offset = entry.frames.back().offset;
    }
    site.blocks = given.blocks;
    site.bytes = given.bytes;
    if (entry.place == 0) {
        return site;
    }
    site.place = g_places[entry.place]->name;
    site.kind = g_places[entry.place]->kind;
    site.knows_blocks = site.kind == SitePlace::bump && entry.number <= UINT16_MAX;
    if (site.knows_blocks) {
        site.live_blocks = figures.live_blocks;
        site.live_bytes = figures.live_bytes;
        site.chunks_held_back = figures.held_back;
        site.bets_won = given.blocks - std::min(given.blocks, figures.live_blocks);
        site.bets_lost = figures.lost;
    }
    return site;
}

}  // namespace

bool make_site_figures(std::uint32_t sites) noexcept {
    auto* const figures = static_cast<SiteFigures*>(allocate_metadata((sites + 1) * sizeof(SiteFigures)));
    if (figures == nullptr) {
        return false;
    }
    std::uninitialized_default_construct_n(figures, sites + 1);
    g_figures = {figures, sites + 1};
    return true;
}

void add_places(HeapStatistics& sum) noexcept {
    const std::uint64_t threads = sum.threads;
    for (std::uint32_t number = 1; number <= g_place_count.load(std::memory_order_acquire); ++number) {  // pairs with add_place()
        Place& place = *g_places[number];
        if (place.kind != SitePlace::bump) {
            add_heap(sum, place.core);
            continue;
        }
        BumpFigures figures;
        place.bump.add_figures(figures);
        sum.spans += figures.chunks;
        sum.active_bytes += figures.chunks * kSliceBytes;
        sum.small_blocks += figures.live_blocks;
        sum.allocated_bytes += figures.live_bytes;
    }
    sum.threads = threads;  // each was counted by its cache of the default heap
}

/// Looks at parts that their threads change meanwhile: the sums lag, nothing else depends on them.
#if HEAPWRIGHT_UNDER_TSAN
__attribute__((no_sanitize("thread")))
#endif
void add_place(placement::PlaceStatistics& statistics, std::uint32_t number) noexcept {
    Place& place = *g_places[number];
    statistics = {.name = place.name, .kind = place.kind};
    {
        const os::LockGuard guard(g_plan_lock);
        statistics.sites = place.sites;
        statistics.sites_found = place.sites_found;
        for (std::uint32_t site = 1; site < g_entries.size(); ++site) {
            if (g_entries[site]->place == number) {
                const Given given = given_by(site);
                statistics.blocks += given.blocks;
                statistics.bytes += given.bytes;
            }
        }
        for (PlannedThread* thread = g_planned_threads; thread != nullptr; thread = thread->next) {
            statistics.blocks += thread->part(number).given.blocks;
            statistics.bytes += thread->part(number).given.bytes;
        }
    }
    if (place.kind == SitePlace::bump) {
        BumpFigures figures;
        place.bump.add_figures(figures);
        statistics.live_blocks = figures.live_blocks;
        statistics.live_bytes = figures.live_bytes;
        statistics.chunks = figures.chunks;
        statistics.chunk_bytes = figures.chunks * kSliceBytes;
        statistics.chunks_held_back = figures.held_back;
        statistics.bets_won = figures.won;
        statistics.bets_lost = figures.lost;
        return;
    }
    HeapStatistics sum;
    add_heap(sum, place.core);
    statistics.live_blocks = sum.small_blocks;
    statistics.live_bytes = sum.allocated_bytes;
    statistics.chunks = sum.spans;
    statistics.chunk_bytes = sum.active_bytes;
}

}  // namespace heapwright::heap

namespace heapwright::placement {

using heap::g_place_count;
using heap::g_plan_lock;

bool statistics_of(std::uint32_t index, PlaceStatistics& statistics) noexcept {
    if (index >= g_place_count.load(std::memory_order_acquire)) {  // pairs with make_place()
        return false;
    }
    heap::add_place(statistics, index + 1);
    return true;
}

void look_at_sites() noexcept {
    if (is_in_force()) {
        const os::LockGuard guard(g_plan_lock);
        heap::look_at_blocks();
    }
}

bool statistics_of_site(std::uint32_t index, SiteStatistics& statistics) noexcept {
    std::uint32_t place = 0;
    {
        const os::LockGuard guard(g_plan_lock);
        if (!is_in_force() || index >= heap::g_site_count) {
            return false;
        }
        const heap::PlanEntry& entry = *heap::g_entries[index + 1];
        statistics = heap::statistics_of_entry(entry);
        place = entry.place;
    }
    if (place == 0 || statistics.knows_blocks) {
        return true;
    }
    PlaceStatistics whole;
    heap::add_place(whole, place);
    if (whole.sites == 1) {
        statistics.knows_blocks = true;
        statistics.live_blocks = whole.live_blocks;
        statistics.live_bytes = whole.live_bytes;
    }
    return true;
}

}  // namespace heapwright::placement
