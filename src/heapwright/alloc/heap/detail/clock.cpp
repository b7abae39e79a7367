// A thread that sleeps until there is something to give back, and then looks four times in each delay.
#include <heapwright/alloc/heap/detail/clock.hpp>

#include <atomic>

#include <heapwright/alloc/heap/detail/heap_core.hpp>
#include <heapwright/alloc/heap/detail/mesher.hpp>
#include <heapwright/alloc/heap/detail/planned.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>
#include <heapwright/base/never_destroyed.hpp>
#include <heapwright/os/clock.hpp>
#include <heapwright/os/process.hpp>
#include <heapwright/os/thread.hpp>

namespace heapwright::heap {

namespace {

/// A thread is started only for so much; small programs stay single-threaded.
constexpr std::size_t kStartBytes = std::size_t{8} << 20;
/// Less than this is not worth waking for.
constexpr std::size_t kWorthwhileBytes = std::size_t{1} << 20;
constexpr std::uint32_t kTurnsOfDelay = 4;
/// A fiftieth of a processor for looking into spans; less where it is a thread of the program that does it.
constexpr std::uint64_t kShareOfTime = 50;
constexpr std::uint64_t kShareOfProgramsTime = 250;
/// Meshing may take five per cent of a processor where visits take two.
constexpr std::uint64_t kPercentOfVisits = 2;
constexpr std::uint64_t kPercentOfMeshing = 5;
/// What a program has beside its heap, as a share of its control group's limit.
constexpr std::uint64_t kShareBelowLimit = 8;

enum State : std::uint32_t { none, asleep, awake, without_thread };

constinit ClockSettings g_settings;
constinit std::atomic<std::uint32_t> g_state{none};
/// Runs until the process ends: nobody joins it.
constinit NeverDestroyed<os::RawThread> g_clock;
constinit std::atomic<std::uint64_t> g_next_turn_ns{0};  // without a thread
constinit os::SpinLock g_turn_lock;

bool has_work() noexcept {
    return dirty_bytes() >= kWorthwhileBytes || stirred_bytes() >= kWorthwhileBytes || is_round_under_way() || is_mesh_under_way();
}

std::uint64_t turn_ns() noexcept { return g_settings.delay_ns / kTurnsOfDelay; }

/// Nothing where somebody is at it, or trims.
void take_turn(std::uint64_t budget_ns, std::uint64_t missed_ns) noexcept {
    if (!g_turn_lock.try_lock()) {
        return;
    }
    const std::uint32_t turn = g_turn.fetch_add(1, std::memory_order_relaxed) + 1;  // a stamp, read through nothing
    g_default_core.forward_mail(true);
    g_default_core.sweep_abandoned();
    sweep_places();
    visit_by_clock(turn, kTurnsOfDelay, budget_ns);
    mesh_by_clock(rounds_begun(), turn - kTurnsOfDelay, budget_ns / kPercentOfVisits * kPercentOfMeshing, missed_ns);
    purge_regions(turn - kTurnsOfDelay, is_above_ceiling(0));
    g_turn_lock.unlock();
}

/// In a control group, what is free in this heap may be what keeps the group from its limit. The limit may change at any time.
void learn_ceiling() noexcept {
    const std::uint64_t limit = os::group_limits().memory_bytes;
    set_ceiling(limit == os::GroupLimits::kNone ? 0 : limit - limit / kShareBelowLimit);
}

void body(void* /*unused*/) noexcept {
    std::uint64_t last = os::monotonic_ns();
    while (true) {
        learn_ceiling();
        while (has_work()) {
            os::sleep_ns(turn_ns());
            const std::uint64_t now = os::monotonic_ns();
            const std::uint64_t missed = now - last > turn_ns() ? now - last - turn_ns() : 0;
            last = now;
            take_turn(turn_ns() / kShareOfTime, missed * kPercentOfMeshing / 100);
        }
        g_state.store(asleep, std::memory_order_seq_cst);  // against note_freed(): one of the two sees the other's word
        if (has_work()) {
            g_state.store(awake, std::memory_order_relaxed);  // only this thread acts on it
            continue;
        }
        while (g_state.load(std::memory_order_acquire) == asleep) {  // pairs with the exchange in wake()
            os::futex_wait(&g_state, asleep);
        }
    }
}

HEAPWRIGHT_COLD void wake(std::uint32_t state) noexcept {
    if (state == asleep) {
        if (g_state.compare_exchange_strong(state, awake, std::memory_order_acq_rel)) {  // pairs with the acquire in body()
            os::futex_wake(&g_state);
        }
    } else if (state == none) {
        const std::uint32_t next = g_settings.may_start_thread ? awake : without_thread;
        // Acquire and release: whoever changes it from `none` is alone with g_clock.
        if (g_state.compare_exchange_strong(state, next, std::memory_order_acq_rel) && next == awake &&
            !g_clock.make().start(body, nullptr, "heapwright")) {
            g_state.store(without_thread, std::memory_order_release);  // as above
        }
    } else if (state == without_thread) {
        const std::uint64_t now = os::monotonic_ns();
        std::uint64_t due = g_next_turn_ns.load(std::memory_order_relaxed);  // a time, read through nothing
        if (now >= due && g_next_turn_ns.compare_exchange_strong(due, now + turn_ns(), std::memory_order_relaxed)) {
            take_turn(turn_ns() / kShareOfProgramsTime, kSavesNothing);
        }
    }
}

}  // namespace

void set_clock(const ClockSettings& settings) noexcept { g_settings = settings; }

namespace {

/// So many bytes may be worth giving back.
HEAPWRIGHT_ALWAYS_INLINE void consider(std::size_t idle) noexcept {
    if (idle < kWorthwhileBytes) {
        return;
    }
    const std::uint32_t state = g_state.load(std::memory_order_relaxed);  // wake() looks again
    if (state == awake || !g_settings.is_on || (state == none && idle < kStartBytes)) {
        return;
    }
    wake(state);
}

}  // namespace

void note_freed() noexcept { consider(dirty_bytes()); }

void note_freed_in_spans() noexcept { consider(dirty_bytes() + stirred_bytes()); }

os::SpinLock& turn_lock() noexcept { return g_turn_lock; }

void restart_clock_after_fork() noexcept {
    g_turn_lock.reset_after_fork();
    if (os::RawThread* const thread = g_clock.get(); thread != nullptr) {
        thread->forget_after_fork();
    }
    const std::uint32_t state = g_state.load(std::memory_order_relaxed);  // no other thread exists
    g_state.store(state == without_thread ? state : std::uint32_t{none}, std::memory_order_relaxed);
}

}  // namespace heapwright::heap
