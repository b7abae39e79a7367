// A plan is gathered, put in force, and told where the program's modules are.
#include <heapwright/alloc/heap/placement.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

#include <heapwright/alloc/heap/default_heap.hpp>
#include <heapwright/alloc/heap/detail/large.hpp>
#include <heapwright/alloc/heap/detail/plan.hpp>
#include <heapwright/alloc/heap/detail/planned.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/thread_state.hpp>
#include <heapwright/os/modules.hpp>
#include <heapwright/os/process.hpp>

namespace heapwright::heap {

constinit Plan g_plan;  // under g_plan_lock
constinit std::span<const PlanEntry*> g_entries;

namespace {

constinit std::array<RouteTable*, 2> g_tables{};  // one is in force, the other is written next
constinit os::ModuleFinder g_finder;
constinit bool g_was_late = false;  // a module came after the plan was put in force

/// Pages whose code was looked at: each number stands at its remainder. A page that displaced another is looked at again.
constexpr std::size_t kSeenPages = 1024;
constexpr unsigned kPageLog2 = 12;
constinit std::array<std::atomic<std::uint64_t>, kSeenPages> g_seen{};

/// Tells an entry's context where its callers are. Returns whether the entry can have an effect.
bool learn_frames(const PlanEntry& entry) noexcept {
    if (entry.context == nullptr) {
        return true;
    }
    std::array<std::uintptr_t, OffsetList::kMost> codes{};
    std::transform(entry.frames.begin(), entry.frames.end(), codes.begin(), [](const PlanFrame& frame) { return frame.code(); });
    return learn(*entry.context, std::span(codes).first(entry.frames.size()));
}

/// Writes the routes of all entries whose code is there, and lets everybody read them. Under g_plan_lock.
void publish() noexcept {
    RouteTable* const table = g_tables[g_routes.load(std::memory_order_relaxed) == g_tables[0] ? 1 : 0];  // the only writer
    table->clear(g_plan.size());
    for (std::uint32_t place = 1; place <= g_place_count.load(std::memory_order_relaxed); ++place) {  // under the lock
        g_places[place]->sites_found = 0;
    }
    std::uint32_t contexts = 0;
    g_plan.for_each([&](const PlanEntry& entry) {
        contexts += entry.context != nullptr ? 1U : 0U;
        const std::uintptr_t code = entry.frames.front().code();
        if (code == 0 || entry.least > entry.most || !learn_frames(entry)) {
            return;
        }
        table->add({.code = code,
                    .least = entry.least,
                    .most = entry.most,
                    .place = entry.place,
                    .context = entry.context != nullptr ? contexts : 0,
                    .site = entry.number,
                    .caller = entry.context != nullptr ? entry.frames[1].code() : 0});
        if (entry.place != 0 && entry.is_found()) {
            ++g_places[entry.place]->sites_found;
        }
    });
    table->set_watches(g_was_late || g_plan.waits());
    g_routes.store(table, std::memory_order_release);  // pairs with the acquires of who searches
}

/// The name of a destination whose entry has none.
void append_code(TextBuffer& text, const PlannedSite& site) noexcept {
    constexpr std::size_t kShownBytes = 4;
    if (site.file.empty()) {
        for (std::size_t i = 0; i < std::min<std::size_t>(kShownBytes, site.module.size); ++i) {
            constexpr std::string_view kDigits = "0123456789abcdef";
            text.append_char(kDigits[site.module.bytes[i] >> 4U]).append_char(kDigits[site.module.bytes[i] & 15U]);
        }
    } else {
        text.append(site.file.view());
    }
    text.append_char('+').append_hex(site.returns.values[0]);
}

/// Under g_plan_lock. 0: there is no room.
std::uint32_t make_place(SitePlace kind, std::string_view name) noexcept {
    const std::uint32_t count = g_place_count.load(std::memory_order_relaxed);  // under the lock
    if (count == placement::kMostPlaces) {
        return 0;
    }
    void* const room = allocate_metadata(sizeof(Place) + name.size());
    if (room == nullptr) {
        return 0;
    }
    char* const letters = static_cast<char*>(room) + sizeof(Place);
    std::memcpy(letters, name.data(), name.size());
    auto* const place = new (room) Place(kind, {letters, name.size()}, count + 1);
    if (kind != SitePlace::bump) {
        enlist_heap(place->core);
    }
    g_places[count + 1] = place;
    g_place_count.store(count + 1, std::memory_order_release);  // pairs with the acquires of who walks over the places
    return count + 1;
}

std::uint32_t find_place(SitePlace kind, std::string_view name) noexcept {
    for (std::uint32_t place = 1; place <= g_place_count.load(std::memory_order_relaxed); ++place) {  // under the lock
        if (g_places[place]->kind == kind && g_places[place]->name == name) {
            return place;
        }
    }
    return 0;
}

/// Room for the routes, twice, and the contexts by their numbers. Under g_plan_lock.
bool make_tables() noexcept {
    for (RouteTable*& table : g_tables) {
        void* const room = allocate_metadata(RouteTable::bytes_for(g_plan.size()));
        if (room == nullptr) {
            return false;
        }
        table = new (room) RouteTable;
    }
    auto* const contexts = static_cast<Context**>(allocate_metadata((g_plan.size() + 1) * sizeof(Context*)));
    if (contexts == nullptr) {
        return false;
    }
    std::uint32_t number = 0;
    g_plan.for_each([&](const PlanEntry& entry) {
        if (entry.context != nullptr) {
            contexts[number++] = entry.context;
        }
    });
    auto* const entries = static_cast<const PlanEntry**>(allocate_metadata((g_plan.size() + 1) * sizeof(PlanEntry*)));
    if (entries == nullptr || !make_site_figures(g_plan.size())) {
        return false;
    }
    g_plan.for_each([&](const PlanEntry& entry) { entries[entry.number] = &entry; });
    g_entries = {entries, g_plan.size() + 1};
    g_site_count = g_plan.size();
    g_contexts.store(contexts, std::memory_order_release);  // pairs with find_route()
    return true;
}

void mark_planned_steps() noexcept {
    g_plan.for_each([](const PlanEntry& entry) {
        for (std::size_t step = 0; step < kDirectSteps; ++step) {
            const bool is_named = step * 8 >= entry.least && (step == 0 ? 0 : step * 8 - 7) <= entry.most;
            g_planned_steps[step] = g_planned_steps[step] || is_named;
        }
    });
}

/// This thread asks the plan from now on. What it has so far it keeps; only malloc must not find it before it has asked.
void follow_from_here() noexcept {
    ThreadState& state = t_state;
    ThreadCache* cache = state.cache;
    if (cache == nullptr) {
        return;  // at its first block
    }
    const auto direct = state.direct;
    state.cache = nullptr;
    if (cache_under_plan() == nullptr) {
        state.cache = cache;
        return;
    }
    std::swap(cache, state.planned->cache);
    g_default_core.park(cache);
    for (std::size_t step = 0; step < kDirectSteps; ++step) {
        state.direct[step] = g_planned_steps[step] ? &g_nothing : direct[step];
    }
}

bool meet_module(const os::LoadedModule& module) noexcept {
    if (!module.file.empty()) {
        return g_plan.meet(module, os::file_name_of(module.file));
    }
    Text<512> path;
    static_cast<void>(os::append_program_path(path));  // without it the file's name is not known, only its build
    return g_plan.meet(module, os::file_name_of(path.view()));
}

}  // namespace

void look_at(std::uintptr_t code) noexcept {
    std::atomic<std::uint64_t>& seen = g_seen[(code >> kPageLog2) % kSeenPages];
    const std::uint64_t page = code >> kPageLog2;
    if (seen.load(std::memory_order_relaxed) == page || !g_plan_lock.try_lock()) {  // a hint
        return;
    }
    seen.store(page, std::memory_order_relaxed);  // as above
    if (os::LoadedModule module; g_finder.find(code, module) && g_plan.meet(module, os::file_name_of(module.file))) {
        g_was_late = true;
        publish();
    }
    g_plan_lock.unlock();
}

}  // namespace heapwright::heap

namespace heapwright::placement {

using heap::g_place_count;
using heap::g_plan;
using heap::g_plan_lock;
using heap::g_routes;

PlaceId add_place(SitePlace kind, std::string_view name) noexcept {
    if (kind == SitePlace::by_default) {
        return PlaceId::by_default;
    }
    const os::LockGuard guard(g_plan_lock);
    const std::uint32_t there = name.empty() ? 0 : heap::find_place(kind, name);
    // NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange): any number is a PlaceId
    return static_cast<PlaceId>(there != 0 ? there : heap::make_place(kind, name));
}

bool add_site(const PlannedSite& site) noexcept {
    Text<640> name;
    name.append(site.name.view());
    const os::LockGuard guard(g_plan_lock);
    std::uint32_t place = 0;
    if (site.place != SitePlace::by_default) {
        place = site.name.empty() ? 0 : heap::find_place(site.place, name.view());
        if (site.name.empty()) {
            heap::append_code(name, site);
        }
        place = place != 0 ? place : heap::make_place(site.place, name.view());
        if (place == 0) {
            return false;
        }
        ++heap::g_places[place]->sites;
    }
    return g_plan.add(site, place);
}

bool begin() noexcept {
    {
        const os::LockGuard guard(g_plan_lock);
        if (g_place_count.load(std::memory_order_relaxed) == 0 || is_in_force() || !heap::make_tables()) {  // under the lock
            return false;
        }
        heap::mark_planned_steps();
        heap::publish();
    }
    heap::follow_from_here();
    return true;
}

bool is_in_force() noexcept { return g_routes.load(std::memory_order_relaxed) != nullptr; }  // what it leads to is not read

bool resolve() noexcept {
    bool is_news = false;
    auto meet = [&is_news](const os::LoadedModule& module) {
        const os::LockGuard guard(g_plan_lock);
        is_news = heap::meet_module(module) || is_news;
    };
    heap::g_finder.open();
    os::for_each_module(meet);
    const os::LockGuard guard(g_plan_lock);
    if (is_in_force()) {
        heap::publish();
    }
    return is_news;
}

void append_absent(TextBuffer& text) noexcept {
    const os::LockGuard guard(g_plan_lock);
    std::uint32_t found = 0;
    std::uint32_t of_other_builds = 0;
    std::uint32_t without_file = 0;
    std::string_view file;
    g_plan.for_each([&](const heap::PlanEntry& entry) {
        found += entry.is_found() ? 1U : 0U;
        without_file += entry.frames.front().module->file.empty() ? 1U : 0U;
        if (const heap::PlanModule* const module = entry.other_build(); module != nullptr) {
            ++of_other_builds;
            file = module->file;
        }
    });
    if (of_other_builds != 0) {
        text.append("heapwright: the placement plan was made for another build of '").append(file).append("': ");
        text.append_decimal(of_other_builds).append(" of its entries have no effect; record this build and let heapwright advise again");
    } else if (found == 0 && without_file != 0) {
        text.append("heapwright: the placement plan was made for another build: none of its ").append_decimal(g_plan.size());
        text.append(" entries is of a module that is loaded; record this build and let heapwright advise again");
    }
}

void* allocate_at(PlaceId place, std::size_t bytes) noexcept {
    bool is_zero = false;
    void* const block = heap::allocate_in({.place = static_cast<std::uint32_t>(place)}, bytes, 1, is_zero);
    return block != nullptr ? block : default_heap::allocate(bytes);
}

void* allocate_zeroed_at(PlaceId place, std::size_t bytes) noexcept {
    bool is_zero = false;
    void* const block = heap::allocate_in({.place = static_cast<std::uint32_t>(place)}, bytes, 1, is_zero);
    if (block == nullptr) {
        return default_heap::allocate_zeroed(bytes);
    }
    std::memset(block, 0, is_zero ? sizeof(heap::FreeBlock) : bytes);
    return block;
}

void* allocate_aligned_at(PlaceId place, std::size_t bytes, std::size_t alignment) noexcept {
    bool is_zero = false;
    void* const block = heap::allocate_in({.place = static_cast<std::uint32_t>(place)}, bytes, alignment, is_zero);
    return block != nullptr ? block : default_heap::allocate_aligned(bytes, alignment);
}

void* reallocate_at(PlaceId place, void* block, std::size_t bytes) noexcept {
    if (default_heap::resize_in_place(block, bytes)) {
        return block;
    }
    if (void* const moved = heap::move_large(heap::find_span(block), bytes); moved != nullptr) {
        return moved;
    }
    const std::size_t before = default_heap::usable_bytes(block);
    void* const moved = allocate_at(place, bytes);
    if (moved == nullptr) {
        return bytes <= before ? block : nullptr;
    }
    std::memcpy(moved, block, std::min(before, bytes));
    default_heap::release(block);
    return moved;
}

}  // namespace heapwright::placement
