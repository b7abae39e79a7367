// A pass: what died in groups is counted, candidates are looked at, each under its lock for a moment; then they are put together on
// paper; then each set is looked at again and made.
//
//   snapshot of a span ── whole, in parts, or page by page ──► sets of disjoint pieces ──► a file, mapped over each of them
//
// A free block of a meshed span is in no list, because its first word belongs to another span's block; a bit tells of it.
#include <heapwright/alloc/heap/detail/mesher.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>

#include <fcntl.h>
#include <sys/syscall.h>

#include <heapwright/alloc/heap/detail/mesh_member.hpp>
#include <heapwright/alloc/heap/detail/mesh_packing.hpp>
#include <heapwright/alloc/heap/detail/mesh_window.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>
#include <heapwright/alloc/heap/detail/work_share.hpp>
#include <heapwright/alloc/heap/statistics_text.hpp>
#include <heapwright/base/text.hpp>
#include <heapwright/os/clock.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/report.hpp>
#include <heapwright/os/syscall.hpp>

namespace heapwright::heap {

namespace {

/// Of four mappings that the kernel allows, one is the program's.
constexpr std::uint32_t kPartsOfMappings = 4;
constexpr std::uint32_t kUsualMappings = 65530;
constexpr std::uint32_t kRecordsBetweenLooks = 64;
constexpr std::uint32_t kMappingsOfFile = 2 * kPagesOfSlice;  // so many may one file need

constinit std::atomic<bool> g_is_on{false};
constinit bool g_is_refused = false;  // under the lock of passes
constinit std::atomic<bool> g_is_under_way{false};
constinit std::atomic<std::size_t> g_unmet_bytes{0};
constinit std::atomic<std::uint32_t> g_wanted_map_count{0};
constinit bool g_has_told = false;  // of what is unmet; under the lock of passes
constinit os::SpinLock g_pass_lock;
constinit os::SpinLock g_limbo_lock;
constinit Span* g_limbo = nullptr;  // dead, but still mapped to a file; by Span::next
constinit MeshWindow g_window;      // under the lock of passes

std::uint32_t mappings_allowed() noexcept {
    const long file = os::raw_syscall(SYS_openat, AT_FDCWD, "/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    char digits[16];
    const long read = os::is_failure(file) ? 0 : os::raw_syscall(SYS_read, file, digits, sizeof(digits));
    if (!os::is_failure(file)) {
        os::raw_syscall(SYS_close, file);
    }
    std::uint32_t number = 0;
    for (long at = 0; at < read && digits[at] >= '0' && digits[at] <= '9'; ++at) {
        number = number * 10 + static_cast<std::uint32_t>(digits[at] - '0');
    }
    return number == 0 ? kUsualMappings : number;
}

/// No signal handler runs on this thread meanwhile: it might touch what is away.
class NoSignals {
public:
    NoSignals() noexcept { os::raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &kAll, &before_, sizeof(kAll)); }
    ~NoSignals() { os::raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before_, nullptr, sizeof(kAll)); }
    NoSignals(const NoSignals&) = delete;
    NoSignals& operator=(const NoSignals&) = delete;

private:
    static constexpr std::uint64_t kAll = ~std::uint64_t{0};
    std::uint64_t before_ = 0;
};

/// A walk over the first region that makes plans, and the plans.
class Pass {
public:
    [[nodiscard]] bool is_under_way() const noexcept { return packing_.has_room(); }
    bool begin(const MeshChoice& choice) noexcept;
    /// Goes on until the moment `end`; afterwards the pass is over, or is not.
    void go_on(std::uint64_t end, bool is_clock) noexcept;
    void end() noexcept;

private:
    enum class Step : std::uint8_t { tally, look, pack, make };

    void walk(std::uint64_t end) noexcept;
    void look_at(std::uint32_t slice) noexcept;
    MeshMaking::Begun make(std::uint32_t level) noexcept;
    void make_some(std::uint64_t end) noexcept;
    void tell_unmet() noexcept;
    void count_unmet(const MeshSet& set, std::uint32_t level) noexcept;

    Step step_ = Step::tally;
    std::uint32_t number_ = 0;  // of the pass
    std::uint32_t slice_ = 0;
    std::uint32_t slices_ = 0;
    MeshChoice choice_;
    std::uint32_t mappings_allowed_ = 0;
    std::size_t unmet_bytes_ = 0;
    std::uint32_t unmet_mappings_ = 0;
    std::uint32_t level_ = 0;
    bool is_done_ = false;
    Rest rest_;
    MeshPacking packing_;
};

bool Pass::begin(const MeshChoice& choice) noexcept {
    {
        const os::LockGuard guard(g_region.lock());
        slices_ = g_region.used_slices();
    }
    const std::uint32_t allowed = mappings_allowed();
    mappings_allowed_ = allowed - allowed / kPartsOfMappings;
    const std::uint32_t used = mesh_mappings();
    if (!extend_mesh_table(slices_) || !packing_.begin(slices_, mappings_allowed_ - std::min(used, mappings_allowed_))) {
        return false;
    }
    step_ = Step::tally;
    ++number_;
    slice_ = g_region.first_slice();
    choice_ = choice;
    unmet_bytes_ = 0;
    unmet_mappings_ = 0;
    level_ = 0;
    is_done_ = false;
    g_is_under_way.store(true, std::memory_order_relaxed);  // a hint
    return true;
}

void Pass::end() noexcept {
    packing_.end();
    g_window.shut();
    if (is_done_) {
        tell_unmet();
    }
    g_is_under_way.store(false, std::memory_order_relaxed);  // a hint
}

/// Counts what is live of the groups of a slice's span, or describes it for the plan.
void Pass::look_at(std::uint32_t slice) noexcept {
    Span* const span = g_region.records() + slice;
    if (!is_likely_of_blocks(span)) {
        return;
    }
    const os::LockGuard visiting(visitor_lock());
    with_member(span, rest_, [&] {
        if (step_ == Step::tally) {
            tally_span(span, number_);
        } else if (choice_.includes(*span) && look_at_span(span, number_, packing_.blank())) {
            packing_.blank().slice = slice;
            packing_.blank().block_bytes = span->block_bytes;
            packing_.blank().placed = 0;
            packing_.keep();
        }
    });
}

void Pass::walk(std::uint64_t end) noexcept {
    std::uint32_t until_look = kRecordsBetweenLooks;
    for (; slice_ < slices_; ++slice_) {
        if (--until_look == 0) {
            until_look = kRecordsBetweenLooks;
            if (os::monotonic_ns() >= end) {
                return;
            }
        }
        look_at(slice_);
    }
    slice_ = g_region.first_slice();
    step_ = step_ == Step::tally ? Step::look : Step::pack;
}

/// For one file: makes sets of one level as planned, but for pieces that changed meanwhile.
MeshMaking::Begun Pass::make(std::uint32_t level) noexcept {
    const os::LockGuard visiting(visitor_lock());
    const NoSignals guard;
    MeshMaking making(g_window);
    const std::uint32_t pages = MeshPacking::pages_of(level);
    const auto begun = making.begin(pages == 1 && packing_.has_sets(level, kPagesOfSlice) ? kPagesOfSlice : 0);
    if (begun != MeshMaking::Begun::yes) {
        return begun;
    }
    const MeshSet* set = nullptr;
    for (std::uint32_t at = 0; at < kPagesOfSlice; at += pages) {
        set = packing_.take_set(level, set);
        for (const MeshPiece* piece = set == nullptr ? nullptr : set->pieces; piece != nullptr; piece = piece->next) {
            Span* const span = g_region.records() + packing_.snapshot_of(*piece).slice;
            with_member(span, rest_, [&] {
                if (choice_.includes(*span)) {
                    static_cast<void>(making.add(span, piece->page, pages, at));
                }
            });
        }
    }
    return MeshMaking::Begun::yes;
}

void Pass::count_unmet(const MeshSet& set, std::uint32_t level) noexcept {
    unmet_bytes_ += (set.members - 1) * MeshPacking::pages_of(level) * os::kPageBytes;
    unmet_mappings_ += set.members;
}

/// The groups that save most for a mapping first, until the moment comes.
void Pass::make_some(std::uint64_t end) noexcept {
    for (; level_ < MeshPacking::kLevels; ++level_) {
        while (packing_.has_sets(level_)) {
            const bool may_map = mesh_mappings() + kMappingsOfFile <= mappings_allowed_;
            const auto begun = may_map ? make(level_) : MeshMaking::Begun::without_mapping;
            while (begun != MeshMaking::Begun::yes) {
                const MeshSet* const set = packing_.take_set(level_, nullptr);
                if (set == nullptr) {
                    break;
                }
                if (begun == MeshMaking::Begun::without_mapping) {
                    count_unmet(*set, level_);
                }
            }
            if (os::monotonic_ns() >= end) {
                return;
            }
        }
    }
    is_done_ = true;
    this->end();
}

/// Of four mappings one is the program's, also of those that are wanted. The limit is told in round numbers.
void Pass::tell_unmet() noexcept {
    constexpr std::size_t kWorthALine = std::size_t{1} << 20;
    constexpr std::uint32_t kRound = 8192;
    // Where the program itself used more than its part, what is missing comes on top of the limit.
    const std::uint32_t used = std::max(mesh_mappings(), mappings_allowed_);
    const std::uint32_t wanted = (used + unmet_mappings_ + kMappingsOfFile) / (kPartsOfMappings - 1) * kPartsOfMappings;
    const std::uint32_t rounded = unmet_bytes_ == 0 ? 0 : (wanted / kRound + 1) * kRound;
    g_unmet_bytes.store(unmet_bytes_, std::memory_order_relaxed);  // a figure
    g_wanted_map_count.store(rounded, std::memory_order_relaxed);  // as above
    if (unmet_bytes_ < kWorthALine || g_has_told) {
        return;
    }
    g_has_told = true;
    Text<128> line;
    line.append("heapwright: ");
    append_unmet(line, unmet_bytes_, rounded);
    os::write_stderr_line(line.view());
}

void Pass::go_on(std::uint64_t end, bool is_clock) noexcept {
    rest_.begin(is_clock);
    if (step_ == Step::tally) {
        walk(end);
    }
    if (step_ == Step::look) {
        walk(end);
    }
    if (step_ == Step::pack && packing_.go_on(end)) {
        step_ = Step::make;
    }
    if (step_ == Step::make) {
        make_some(end);
    }
}

constinit Pass g_pass;
constinit WorkShare g_share;  // of the clock's turns
constinit std::uint32_t g_last_round = 0;

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
    const os::LockGuard guard(g_pass_lock);
    if (may_mesh()) {
        return true;
    }
    const MeshWindow::Refusal refusal = g_window.open();
    if (refusal != MeshWindow::Refusal::none) {
        if (!g_is_refused) {
            g_is_refused = true;
            tell_refusal(refusal);
        }
        return false;
    }
    g_window.close();
    g_window.shut();
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

void mesh_by_clock(std::uint32_t round, std::uint32_t before, std::uint64_t budget_ns) noexcept {
    if (!may_mesh() || !g_pass_lock.try_lock()) {
        return;
    }
    empty_limbo();
    const std::uint64_t begin = os::monotonic_ns();
    const std::uint64_t allowed = g_share.begin(budget_ns);
    if (allowed != 0 && (g_pass.is_under_way() || (round != g_last_round && g_pass.begin({.before = before})))) {
        g_last_round = round;
        g_pass.go_on(begin + allowed, true);
    }
    g_share.end(os::monotonic_ns() - begin);
    g_pass_lock.unlock();
}

bool is_mesh_under_way() noexcept { return g_is_under_way.load(std::memory_order_relaxed); }  // a hint

std::size_t mesh_all() noexcept {
    if (!may_mesh()) {
        return 0;
    }
    const os::LockGuard guard(g_pass_lock);
    const std::size_t before = mesh_saved_bytes();
    empty_limbo();
    g_pass.end();
    if (g_pass.begin({.all = true})) {
        g_pass.go_on(~std::uint64_t{0}, false);
    }
    const std::size_t after = mesh_saved_bytes();
    return after > before ? after - before : 0;
}

MeshUnmet mesh_unmet() noexcept {
    return {.bytes = g_unmet_bytes.load(std::memory_order_relaxed),            // a figure
            .map_count = g_wanted_map_count.load(std::memory_order_relaxed)};  // as above
}

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
    g_limbo_lock.reset_after_fork();
    reset_mesh_records_after_fork();
    g_window.reset_after_fork();
    g_pass.end();
}

}  // namespace heapwright::heap
