// A plan's threads, and what they allocate.
#include <heapwright/alloc/heap/detail/planned.hpp>

#include <algorithm>
#include <new>

#include <heapwright/alloc/heap/detail/large.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/thread_state.hpp>

namespace heapwright::heap {

constinit std::atomic<RouteTable*> g_routes{nullptr};
constinit std::array<Place*, placement::kMostPlaces + 1> g_places{};
constinit std::atomic<std::uint32_t> g_place_count{0};
constinit std::uint32_t g_site_count = 0;
constinit std::atomic<Context* const*> g_contexts{nullptr};
constinit os::SpinLock g_plan_lock;
constinit PlannedThread* g_planned_threads = nullptr;

namespace {

constinit PlannedThread* g_parked_threads = nullptr;

/// The class of each size up to kDirectBytes, by (bytes + 7) / 8.
struct ClassOfStep {
    std::array<SizeClass, kDirectSteps> of{};
    consteval ClassOfStep() {
        for (std::size_t step = 0; step < kDirectSteps; ++step) {
            of[step] = class_of(step * 8);
        }
    }
};
constexpr ClassOfStep kClassOfStep;

HEAPWRIGHT_ALWAYS_INLINE SizeClass class_for(std::size_t bytes) noexcept {
    return HEAPWRIGHT_LIKELY(bytes <= kDirectBytes) ? kClassOfStep.of[(bytes + 7) / 8] : class_of(bytes);
}

void reset_parts(PlannedThread& thread) noexcept {
    for (std::uint32_t place = 1; place <= g_place_count.load(std::memory_order_relaxed); ++place) {  // fixed since the plan began
        PlacePart& part = thread.part(place);
        part.bump.chunk = nullptr;
        part.bump.cursor = nullptr;
        part.bump.end = nullptr;
        part.cache = nullptr;
    }
    thread.cache = nullptr;
    thread.thread = 0;
}

PlannedThread* make_thread() noexcept {
    const std::uint32_t places = g_place_count.load(std::memory_order_relaxed);  // fixed since the plan began
    void* const room = allocate_metadata(sizeof(PlannedThread) + places * sizeof(PlacePart) + (g_site_count + 1) * sizeof(Given));
    if (room == nullptr) {
        return nullptr;
    }
    auto* const thread = new (room) PlannedThread;
    for (std::uint32_t place = 1; place <= places; ++place) {
        auto* const part = new (&thread->part(place)) PlacePart;
        part->kind = g_places[place]->kind;
        part->bump.place = &g_places[place]->bump;
    }
    thread->sites = reinterpret_cast<Given*>(&thread->part(places + 1));
    for (std::uint32_t site = 0; site <= g_site_count; ++site) {
        new (&thread->sites[site]) Given;
    }
    return thread;
}

/// A parked thread's parts, or new ones.
PlannedThread* obtain_thread() noexcept {
    {
        const os::LockGuard guard(g_plan_lock);
        if (PlannedThread* const thread = g_parked_threads; thread != nullptr) {
            g_parked_threads = thread->parked_next;
            thread->thread = thread_pointer();
            return thread;
        }
    }
    PlannedThread* const thread = make_thread();
    if (thread != nullptr) {
        const os::LockGuard guard(g_plan_lock);
        thread->thread = thread_pointer();
        thread->next = g_planned_threads;
        g_planned_threads = thread;
    }
    return thread;
}

void park_thread(PlannedThread& thread) noexcept {
    reset_parts(thread);
    thread.parked_next = g_parked_threads;
    g_parked_threads = &thread;
}

/// Of a pool or a heap.
HEAPWRIGHT_ALWAYS_INLINE void* take_small(PlacePart& part, std::uint32_t place, SizeClass size_class, bool may_borrow,
                                          bool& is_zero) noexcept {
    if (HEAPWRIGHT_UNLIKELY(part.cache == nullptr)) {
        part.cache = cache_of_thread(g_places[place]->core);
        if (part.cache == nullptr) {
            return nullptr;
        }
    }
    return part.cache->take(size_class, may_borrow, is_zero);
}

HEAPWRIGHT_ALWAYS_INLINE void* take_in(PlannedThread& self, std::uint32_t place, std::size_t bytes, std::uint32_t site,
                                       bool& is_zero) noexcept {
    PlacePart& part = self.part(place);
    if (part.kind == SitePlace::bump) {
        void* const block = part.bump.take(bytes, site);
        return HEAPWRIGHT_LIKELY(block != nullptr) ? block : part.bump.place->take_slow(part.bump, bytes, site);
    }
    return take_small(part, place, class_for(bytes), part.kind == SitePlace::heap, is_zero);
}

/// The first route for this call and size. `rbp`: what the caller has there, or 0 where that is not known. `unknown`: code of a
/// caller that may be one of those that are looked for, of a module that was not loaded yet; else it stays as it is.
const RouteTable::Slot* find_route(const RouteTable& routes, std::size_t bytes, const std::uintptr_t* frame, std::uintptr_t rbp,
                                   std::uintptr_t& unknown) noexcept {
    const std::uintptr_t code = frame[-1];
    const RouteTable::Slot* slot = routes.find(code, bytes);
    std::uintptr_t caller = 0;  // the same for all contexts of this code
    for (; slot != nullptr; slot = RouteTable::find_from(slot + 1, code, bytes)) {
        const std::uint32_t number = slot->context.load(std::memory_order_relaxed);  // valid by itself
        if (number == 0) {
            break;
        }
        const Context& context = *g_contexts.load(std::memory_order_acquire)[number - 1];  // pairs with begin()
        caller = caller != 0 ? caller : caller_by(context, frame, rbp);
        const std::uint32_t wanted = slot->caller.load(std::memory_order_relaxed);  // as above
        if (wanted != 0 && wanted != static_cast<std::uint32_t>(caller)) {
            continue;
        }
        const Arrival arrival = came_by(context, frame, rbp);
        if (arrival.is_by_these) {
            break;
        }
        unknown = arrival.unknown != 0 ? arrival.unknown : unknown;
    }
    return slot;
}

/// The same, and where the plan waits for modules, after a look at whose code this is.
const RouteTable::Slot* find_route_late(std::size_t bytes, const std::uintptr_t* frame, std::uintptr_t rbp) noexcept {
    std::uintptr_t unknown = 0;
    const RouteTable& routes = *g_routes.load(std::memory_order_acquire);  // pairs with publish()
    const RouteTable::Slot* const slot = find_route(routes, bytes, frame, rbp, unknown);
    if (!routes.watches() || (slot != nullptr && unknown == 0)) {
        return slot;
    }
    if (slot == nullptr) {
        look_at(frame[-1]);
    }
    if (unknown != 0) {
        look_at(unknown);
    }
    return find_route(*g_routes.load(std::memory_order_acquire), bytes, frame, rbp, unknown);  // as above
}

void* allocate_by_route(std::size_t bytes, const std::uintptr_t* frame, std::uintptr_t rbp, bool& is_zero) noexcept {
    PlannedThread& self = *t_state.planned;
    void* block = nullptr;
    if (const RouteTable::Slot* const slot = find_route_late(bytes, frame, rbp); slot != nullptr) {
        const std::uint32_t site = slot->site.load(std::memory_order_relaxed);    // valid by itself
        const std::uint32_t place = slot->place.load(std::memory_order_relaxed);  // as above
        self.sites[site].count(bytes);
        block = place == 0 ? nullptr : take_in(self, place, bytes, site, is_zero);
    }
    // Where memory is short, malloc's spans may have a block all the same.
    return block != nullptr ? block : self.cache->take(class_for(bytes), true, is_zero);
}

/// Without a refill; nullptr where one is needed.
HEAPWRIGHT_ALWAYS_INLINE void* take_at_hand(PlacePart& part, std::size_t bytes, std::uint32_t site) noexcept {
    if (part.kind == SitePlace::bump) {
        return part.bump.take(bytes, site);
    }
    return HEAPWRIGHT_LIKELY(part.cache != nullptr) ? part.cache->take_at_hand(class_for(bytes)) : nullptr;
}

HEAPWRIGHT_NOINLINE void* take_slowly(std::size_t bytes, const std::uintptr_t* frame) noexcept {
    bool is_zero = false;
    return allocate_by_route(bytes, frame, 0, is_zero);
}

}  // namespace

// By heapwright_allocate_in_context, which adds rbp.
extern "C" __attribute__((visibility("hidden"), used)) void* heapwright_allocate_by_frames(std::size_t bytes, const std::uintptr_t* frame,
                                                                                           std::uintptr_t /*unused*/,
                                                                                           std::uintptr_t rbp) noexcept {
    bool is_zero = false;
    return allocate_by_route(bytes, frame, rbp, is_zero);
}
extern "C" __attribute__((visibility("hidden"))) void* heapwright_allocate_in_context(std::size_t bytes,
                                                                                      const std::uintptr_t* frame) noexcept;

void* allocate_by_plan(std::size_t bytes, const std::uintptr_t* frame, bool& is_zero) noexcept {
    return allocate_by_route(bytes, frame, 0, is_zero);
}

// What the other form does in most cases, without a frame: all else is left to that.
void* allocate_by_plan(std::size_t bytes, const std::uintptr_t* frame) noexcept {
    PlannedThread& self = *t_state.planned;
    const RouteTable* const routes = g_routes.load(std::memory_order_acquire);  // pairs with publish()
    const RouteTable::Slot* const slot = routes->find(frame[-1], bytes);
    if (HEAPWRIGHT_LIKELY(slot == nullptr)) {
        if (HEAPWRIGHT_LIKELY(!routes->watches())) {
            if (FreeBlock* const block = self.cache->take_at_hand(class_for(bytes)); HEAPWRIGHT_LIKELY(block != nullptr)) {
                return block;
            }
        }
        return take_slowly(bytes, frame);
    }
    if (slot->context.load(std::memory_order_relaxed) != 0) {  // valid by itself
        return heapwright_allocate_in_context(bytes, frame);
    }
    const std::uint32_t place = slot->place.load(std::memory_order_relaxed);  // valid by itself
    if (HEAPWRIGHT_LIKELY(place != 0)) {
        const std::uint32_t site = slot->site.load(std::memory_order_relaxed);  // valid by itself
        if (void* const block = take_at_hand(self.part(place), bytes, site); HEAPWRIGHT_LIKELY(block != nullptr)) {
            self.sites[site].count(bytes);
            return block;
        }
    }
    return take_slowly(bytes, frame);
}

Destination destination_of(std::size_t bytes, const std::uintptr_t* frame) noexcept {
    const RouteTable::Slot* const slot = placement::is_in_force() ? find_route_late(bytes, frame, 0) : nullptr;
    if (slot == nullptr) {
        return {};
    }
    return {.place = slot->place.load(std::memory_order_relaxed), .site = slot->site.load(std::memory_order_relaxed)};  // valid each
}

void* allocate_in(Destination to, std::size_t bytes, std::size_t alignment, bool& is_zero) noexcept {
    if (to.place == 0) {
        return nullptr;
    }
    if (t_state.planned == nullptr) {
        static_cast<void>(cache_of_thread());  // joins the plan
    }
    PlannedThread* const self = t_state.planned;
    if (self == nullptr || to.place > g_place_count.load(std::memory_order_relaxed)) {  // fixed since the plan began
        return nullptr;
    }
    PlacePart& part = self->part(to.place);
    const bool is_bump = part.kind == SitePlace::bump;
    const AlignedPlace aligned = aligned_place(bytes, alignment);
    const bool is_plain = is_bump || alignment <= kSmallestBytes;
    if (bytes > (is_bump ? placement::kMostBumpBytes : kSmallBytes) || (is_bump && alignment > kBumpUnit) ||
        (!is_plain && !aligned.is_small)) {
        return nullptr;
    }
    (to.site != 0 ? self->sites[to.site] : part.given).count(bytes);
    return is_plain ? take_in(*self, to.place, bytes, to.site, is_zero) : take_small(part, to.place, aligned.size_class, false, is_zero);
}

ThreadCache* cache_under_plan() noexcept {
    ThreadState& state = t_state;
    if (state.planned != nullptr) {
        return state.planned->cache;
    }
    PlannedThread* const thread = obtain_thread();
    if (thread == nullptr) {
        return nullptr;
    }
    thread->cache = g_default_core.obtain(thread_pointer(), state.direct.data());
    if (thread->cache == nullptr) {
        const os::LockGuard guard(g_plan_lock);
        park_thread(*thread);
        return nullptr;
    }
    state.planned = thread;
    watch_thread_exit();
    return thread->cache;
}

void leave_plan() noexcept {
    PlannedThread* const thread = t_state.planned;
    if (thread == nullptr) {
        return;
    }
    t_state.planned = nullptr;
    for (std::uint32_t place = 1; place <= g_place_count.load(std::memory_order_relaxed); ++place) {  // fixed since the plan began
        if (thread->part(place).bump.chunk != nullptr) {
            g_places[place]->bump.leave(thread_pointer(), false);
        }
    }
    g_default_core.park(thread->cache);
    const os::LockGuard guard(g_plan_lock);
    park_thread(*thread);
}

bool resize_bump(Span* chunk, void* block, std::size_t bytes) noexcept {
    const std::size_t usable = BumpPlace::usable_bytes(block, "realloc");
    if (bytes <= usable && bytes * 2 >= usable) {
        return true;
    }
    PlannedThread* const self = t_state.planned;
    if (self == nullptr) {
        return false;
    }
    BumpHome& home = self->part(chunk->pages).bump;
    return home.chunk == chunk && BumpPlace::resize(home, block, bytes);
}

void shed_places() noexcept {
    if (PlannedThread* const self = t_state.planned; self != nullptr) {
        self->cache->shed();
        for (std::uint32_t place = 1; place <= g_place_count.load(std::memory_order_relaxed); ++place) {  // fixed since the plan began
            PlacePart& part = self->part(place);
            if (part.kind == SitePlace::bump) {
                part.bump.place->shed(part.bump);
            } else if (part.cache != nullptr) {
                part.cache->shed();
            }
        }
    }
    sweep_places();
}

void sweep_places() noexcept {
    for (std::uint32_t place = 1; place <= g_place_count.load(std::memory_order_acquire); ++place) {  // pairs with add_place()
        if (g_places[place]->kind != SitePlace::bump) {
            g_places[place]->core.sweep_abandoned();
        }
    }
}

void lock_plan() noexcept {
    g_plan_lock.lock();
    for (std::uint32_t place = 1; place <= g_place_count.load(std::memory_order_relaxed); ++place) {  // under the lock
        g_places[place]->bump.lock().lock();
    }
}

void unlock_plan() noexcept {
    for (std::uint32_t place = 1; place <= g_place_count.load(std::memory_order_relaxed); ++place) {  // under the lock
        g_places[place]->bump.lock().unlock();
    }
    g_plan_lock.unlock();
}

void reset_plan_locks_after_fork() noexcept {
    for (std::uint32_t place = 1; place <= g_place_count.load(std::memory_order_relaxed); ++place) {  // no other thread exists
        g_places[place]->bump.lock().reset_after_fork();
    }
    g_plan_lock.reset_after_fork();
}

void leave_plan_after_fork() noexcept {
    const std::uint32_t places = g_place_count.load(std::memory_order_relaxed);  // no other thread exists
    for (std::uint32_t place = 1; place <= places; ++place) {
        if (g_places[place]->kind == SitePlace::bump) {
            g_places[place]->bump.leave(thread_pointer(), true);
        }
    }
    const os::LockGuard guard(g_plan_lock);
    for (PlannedThread* thread = g_planned_threads; thread != nullptr; thread = thread->next) {
        if (thread->thread != 0 && thread->thread != thread_pointer()) {
            park_thread(*thread);
        }
    }
}

BumpPlace* bump_place(std::uint32_t number) noexcept { return &g_places[number]->bump; }

}  // namespace heapwright::heap
