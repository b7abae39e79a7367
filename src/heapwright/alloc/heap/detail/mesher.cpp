// Who meshes, and when: the clock, who asks for it; and what becomes of meshed spans that die.
//
// A free block of a meshed span is in no list, because its first word belongs to another span's block; a bit tells of it.
#include <heapwright/alloc/heap/detail/mesher.hpp>

#include <atomic>

#include <heapwright/alloc/heap/detail/mesh_pass.hpp>
#include <heapwright/alloc/heap/detail/mesh_patience.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>
#include <heapwright/alloc/heap/detail/work_share.hpp>
#include <heapwright/base/text.hpp>
#include <heapwright/os/clock.hpp>
#include <heapwright/os/report.hpp>

namespace heapwright::heap {

namespace {

constinit std::atomic<bool> g_is_on{false};
constinit bool g_is_refused = false;  // under the lock of passes
constinit os::SpinLock g_pass_lock;
constinit os::SpinLock g_limbo_lock;
constinit Span* g_limbo = nullptr;  // dead, but still mapped to a file; by Span::next

constinit MeshPass g_pass;    // under the lock of passes
constinit WorkShare g_share;  // of the clock's turns
constinit MeshPatience g_patience;
constinit std::uint64_t g_worked_ns = 0;  // in the turns of the pass
constinit std::uint32_t g_last_round = 0;
constinit std::atomic<bool> g_is_owed{false};  // a round began, and the clock's turn had no time left for a pass

/// Dead spans that the kernel let nobody map anew.
void empty_limbo() noexcept {
    Span* span = nullptr;
    {
        const os::LockGuard guard(g_limbo_lock);
        span = g_limbo;
        g_limbo = nullptr;
    }
    while (span != nullptr) {
        Span* const following = span->next;
        if (part_with_mesh(span)) {
            give_slices(span);
        }
        span = following;
    }
}

}  // namespace

namespace {

void tell_refusal(MeshWindow::Refusal refusal) noexcept {
    Text<256> line;
    line.append("heapwright: compaction:mesh stays off: ");
    switch (refusal) {
        case MeshWindow::Refusal::forbidden:
            line.append("it needs userfaultfd with CAP_SYS_PTRACE; run as root, or grant the capability");
            break;
        case MeshWindow::Refusal::old_kernel: line.append("it needs Linux 6.8 or newer"); break;
        case MeshWindow::Refusal::locked_memory: line.append("the program's memory is locked (mlockall)"); break;
        case MeshWindow::Refusal::none:
        case MeshWindow::Refusal::exhausted: line.append("the kernel has no memory or no file descriptors left"); break;
    }
    os::write_stderr_line(line.view());
}

}  // namespace

bool allow_meshing() noexcept {
    if (may_mesh()) {  // once, and for ever: it need not wait until a pass ends
        return true;
    }
    const os::LockGuard guard(g_pass_lock);
    if (may_mesh()) {
        return true;
    }
    const MeshWindow::Refusal refusal = g_pass.window.open();
    if (refusal != MeshWindow::Refusal::none) {
        if (!g_is_refused) {
            g_is_refused = true;
            tell_refusal(refusal);
        }
        return false;
    }
    g_pass.window.close();
    g_pass.window.shut();
    g_is_on.store(true, std::memory_order_relaxed);  // a hint for who lays blocks out; passes look under their lock
    return true;
}

bool may_mesh() noexcept { return g_is_on.load(std::memory_order_relaxed); }  // as above

bool begin_meshing() noexcept {
    if (!allow_meshing()) {
        return false;
    }
    g_default_core.set_compaction(Compaction::mesh);
    return true;
}

bool is_to_mesh(const Span* span) noexcept {
    return may_mesh() && span->cache.load(std::memory_order_relaxed)->heap()->wants_meshing();  // the caller's own
}

namespace {

/// Begins a pass with the first turn of a round that has time for one, if enough changed since the last.
bool is_to_mesh_now(std::uint32_t round, std::uint32_t before, std::uint64_t allowed) noexcept {
    const std::uint32_t stirred = stirred_before_round();
    const bool is_wanted = g_pass.is_under_way() || (round != g_last_round && g_patience.is_due(stirred));
    g_is_owed.store(allowed == 0 && is_wanted, std::memory_order_relaxed);  // a hint
    if (allowed == 0 || !is_wanted) {
        return false;
    }
    if (!g_pass.is_under_way()) {
        g_worked_ns = 0;
        g_last_round = round;
        g_patience.begin(stirred);
        return g_pass.begin({.before = before});
    }
    return true;
}

}  // namespace

void mesh_by_clock(std::uint32_t round, std::uint32_t before, std::uint64_t budget_ns, std::uint64_t missed_ns) noexcept {
    if (!may_mesh() || !g_pass_lock.try_lock()) {
        return;
    }
    empty_limbo();
    const std::uint64_t begin = os::monotonic_ns();
    const std::uint64_t allowed = missed_ns == kSavesNothing ? g_share.begin(budget_ns) : g_share.begin_saving(budget_ns, missed_ns);
    const bool is_to_mesh = is_to_mesh_now(round, before, allowed);
    if (is_to_mesh) {
        g_pass.go_on(begin + allowed, true);
    }
    const std::uint64_t worked = os::monotonic_ns() - begin;
    g_worked_ns += worked;
    if (is_to_mesh && !g_pass.is_under_way()) {
        g_patience.end(g_worked_ns, g_pass.saved_pages(), g_pass.looked_at());
    }
    g_share.end(worked);
    g_pass_lock.unlock();
}

bool is_mesh_under_way() noexcept { return g_pass.seems_under_way() || g_is_owed.load(std::memory_order_relaxed); }  // a hint

std::size_t mesh_all() noexcept {
    if (!may_mesh()) {
        return 0;
    }
    const os::LockGuard guard(g_pass_lock);
    const std::size_t before = mesh_saved_bytes();
    constexpr std::uint64_t kForever = ~std::uint64_t{0};
    empty_limbo();
    if (g_pass.is_looked() && !g_pass.is_of_part()) {
        g_pass.go_on(kForever, false);  // what the clock planned is not thrown away
    }
    g_pass.end();
    if (g_pass.begin({.all = true})) {
        g_pass.go_on(kForever, false);
    }
    const std::size_t after = mesh_saved_bytes();
    return after > before ? after - before : 0;
}

MeshUnmet mesh_unmet() noexcept { return g_pass.unmet(); }

bool part_with_mesh(Span* span) noexcept {
    if (unmesh(span)) {
        return true;
    }
    const os::LockGuard guard(g_limbo_lock);
    span->owner.store(owner::kMetadata, std::memory_order_relaxed);  // no block of it lives
    span->next = g_limbo;
    g_limbo = span;
    return false;
}

void reset_mesher_after_fork() noexcept {
    g_pass_lock.reset_after_fork();
    g_is_owed.store(false, std::memory_order_relaxed);  // no other thread exists
    g_limbo_lock.reset_after_fork();
    reset_mesh_records_after_fork();
    g_pass.window.reset_after_fork();
    g_pass.end();
}

}  // namespace heapwright::heap
