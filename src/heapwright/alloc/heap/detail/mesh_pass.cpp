// Locks of a pass: the visitor's for each span that is looked at, and while some files are made; a span's own for each piece.
#include <heapwright/alloc/heap/detail/mesh_pass.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <csignal>

#include <fcntl.h>
#include <sys/syscall.h>

#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>
#include <heapwright/alloc/heap/statistics_text.hpp>
#include <heapwright/base/text.hpp>
#include <heapwright/os/clock.hpp>
#include <heapwright/os/maps.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/report.hpp>
#include <heapwright/os/syscall.hpp>

namespace heapwright::heap {

namespace {

/// Of four mappings that the kernel allows, one is the program's.
constexpr std::uint32_t kPartsOfMappings = 4;
constexpr std::uint32_t kUsualMappings = 65530;
constexpr std::uint32_t kRecordsBetweenLooks = 64;
constexpr std::uint64_t kOpenNs = 500'000;                    // after so long no other file is begun while the window is open
constexpr std::uint32_t kMappingsOfFile = 2 * kPagesOfSlice;  // so many may one file need
/// Where fewer than this part of all mappings is left, what the kernel refuses is taken to be for want of them.
constexpr std::uint32_t kPartLeft = 64;

/// What the process has; under the lock of passes.
constinit std::array<char, os::kMapsBufferBytes> g_maps_buffer{};

std::uint32_t mappings_used() noexcept {
    const auto counted = os::for_each_mapping(g_maps_buffer, os::MapsDetail::addresses, [](const os::Mapping&) noexcept { return true; });
    return counted ? static_cast<std::uint32_t>(*counted) : 0;
}

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

/// A window that is open for some files: opening and closing it is a dozen system calls, and a fork waits meanwhile.
class OpenWindow {
public:
    explicit OpenWindow(MeshWindow& window) noexcept : window_(window), is_open_(window.open() == MeshWindow::Refusal::none) {}
    ~OpenWindow() {
        if (is_open_) {
            window_.close();
        }
    }
    OpenWindow(const OpenWindow&) = delete;
    OpenWindow& operator=(const OpenWindow&) = delete;
    [[nodiscard]] bool is_open() const noexcept { return is_open_; }

private:
    MeshWindow& window_;
    bool is_open_;
};

}  // namespace

bool MeshPass::begin(const MeshChoice& choice) noexcept {
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
    left_out_ = {};
    shortage_ = Shortage::unknown;
    level_ = 0;
    saved_pages_ = 0;
    looked_at_ = 0;
    sparse_ = 0;
    young_ = 0;
    is_done_ = false;
    is_under_way_.store(true, std::memory_order_relaxed);  // a hint
    return true;
}

void MeshPass::end() noexcept {
    packing_.end();
    window.shut();
    if (is_done_) {
        tell_unmet();
    }
    is_under_way_.store(false, std::memory_order_relaxed);  // a hint
}

/// Counts what is live of the groups of a slice's span, or describes it for the plan.
void MeshPass::look_at(std::uint32_t slice) noexcept {
    Span* const span = g_region.records() + slice;
    if (!is_likely_of_blocks(span)) {
        return;
    }
    const os::LockGuard visiting(visitor_lock());
    with_member(span, rest_, [&] {
        if (step_ == Step::tally) {
            tally_span(span, number_);
            if (is_sparse(span) && MeshChoice::may_include(*span)) {
                ++(choice_.includes(*span) ? sparse_ : young_);
            }
        } else if (choice_.includes(*span) && look_at_span(span, number_, packing_.blank())) {
            ++looked_at_;
            packing_.blank().slice = slice;
            packing_.blank().block_bytes = span->block_bytes;
            packing_.blank().placed = 0;
            packing_.keep();
        }
    });
}

void MeshPass::walk(std::uint64_t end) noexcept {
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
    if (step_ == Step::tally) {
        packing_.note_others(young_);
    }
    step_ = step_ == Step::tally ? Step::look : Step::pack;
}

/// For one file: makes sets of one level as planned, but for pieces that changed meanwhile. Requires: the window is open.
MeshMaking::Begun MeshPass::make(std::uint32_t level) noexcept {
    const std::uint32_t pages = MeshPacking::pages_of(level);
    std::array<const MeshSet*, kPagesOfSlice> sets{};
    std::uint32_t expected = 0;
    for (std::uint32_t at = 0; at < kPagesOfSlice; at += pages) {
        sets[at] = packing_.take_set(level, at == 0 ? nullptr : sets[at - pages]);
        expected |= sets[at] == nullptr ? 0U : sets[at]->used << at;
    }
    MeshMaking making(window);
    auto begun = making.begin(static_cast<MeshPages>(expected));
    for (std::uint32_t at = 0; at < kPagesOfSlice; at += pages) {
        const MeshSet* const set = sets[at];
        const MeshPiece* const first = set == nullptr || begun != MeshMaking::Begun::yes ? nullptr : set->pieces;
        const std::uint32_t saved_before = making.saved_pages();
        std::uint32_t made = 0;
        for (const MeshPiece* piece = first; piece != nullptr; piece = piece->next) {
            Span* const span = g_region.records() + packing_.snapshot_of(*piece).slice;
            with_member(span, rest_, [&] { made += choice_.includes(*span) && making.add(span, piece->page, pages, at) ? 1U : 0U; });
        }
        // Where it is not for want of mappings, that was this set's misfortune.
        if (begun == MeshMaking::Begun::yes && window.lacked_mappings() && shortage_ != Shortage::no) {
            begun = MeshMaking::Begun::without_mapping;
        }
        if (set != nullptr && begun == MeshMaking::Begun::without_mapping) {
            leave_out(*set, making.saved_pages() - saved_before, made);
        }
    }
    saved_pages_ += making.saved_pages();
    return begun;
}

/// A set is not made for want of mappings, but for some of its members, which saved some pages.
void MeshPass::leave_out(const MeshSet& set, std::uint32_t saved_pages, std::uint32_t made) noexcept {
    const std::uint32_t planned = set.held - static_cast<std::uint32_t>(std::popcount(set.used));
    left_out_.bytes += (planned - std::min(planned, saved_pages)) * os::kPageBytes;
    left_out_.mappings += set.members - std::min(set.members, made);
}

/// What is left of a level is not made. Where that is for want of mappings, it is counted.
void MeshPass::leave_out_level(MeshMaking::Begun why) noexcept {
    while (const MeshSet* const set = packing_.take_set(level_, nullptr)) {
        if (why == MeshMaking::Begun::without_mapping) {
            leave_out(*set, 0, 0);
        }
    }
}

/// Whether what the kernel refused with ENOMEM is for want of mappings: it says the same where it has no memory, or may not promise more.
/// Cost: once a pass, some ten milliseconds where the process has as many as it may. Requires: the window is closed.
bool MeshPass::lacks_mappings() noexcept {
    if (mesh_mappings() + kMappingsOfFile > mappings_allowed_) {
        return true;
    }
    if (shortage_ == Shortage::unknown) {
        const std::uint32_t allowed = mappings_allowed();
        shortage_ = mappings_used() >= allowed - allowed / kPartLeft ? Shortage::yes : Shortage::no;
    }
    return shortage_ == Shortage::yes;
}

/// Some files of a level, the groups that save most for a mapping first. Returns whether more can be made, or what seems to be missing.
MeshMaking::Begun MeshPass::make_files(std::uint64_t end) noexcept {
    const os::LockGuard visiting(visitor_lock());
    const NoSignals guard;
    const OpenWindow opened(window);
    auto begun = opened.is_open() ? MeshMaking::Begun::yes : MeshMaking::Begun::without_memory;
    const std::uint64_t last = std::min(end, os::monotonic_ns() + kOpenNs);
    while (begun == MeshMaking::Begun::yes && packing_.has_sets(level_)) {
        const bool may_map = mesh_mappings() + kMappingsOfFile <= mappings_allowed_;
        begun = may_map ? make(level_) : MeshMaking::Begun::without_mapping;
        if (os::monotonic_ns() >= last) {
            break;
        }
    }
    return begun;
}

/// Until the moment comes, or all is made that can be.
void MeshPass::make_some(std::uint64_t end) noexcept {
    for (; level_ < MeshPacking::kLevels; ++level_) {
        while (packing_.has_sets(level_)) {
            const LeftOut before = left_out_;
            auto begun = make_files(end);
            if (window.lacked_mappings() && lacks_mappings()) {  // it did not even open
                begun = MeshMaking::Begun::without_mapping;
            } else if (begun == MeshMaking::Begun::without_mapping && !lacks_mappings()) {
                left_out_ = before;
                begun = MeshMaking::Begun::yes;
            }
            if (begun != MeshMaking::Begun::yes) {
                leave_out_level(begun);
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
void MeshPass::tell_unmet() noexcept {
    constexpr std::size_t kWorthALine = std::size_t{1} << 20;
    constexpr std::uint32_t kRound = 8192;
    // Where the program itself used more than its part, what is missing comes on top of the limit.
    const std::uint32_t used = std::max(mesh_mappings(), mappings_allowed_);
    const std::uint32_t wanted = (used + left_out_.mappings + kMappingsOfFile) / (kPartsOfMappings - 1) * kPartsOfMappings;
    const std::uint32_t rounded = left_out_.bytes == 0 ? 0 : (wanted / kRound + 1) * kRound;
    told_bytes_.store(left_out_.bytes, std::memory_order_relaxed);  // a figure
    told_map_count_.store(rounded, std::memory_order_relaxed);      // as above
    if (left_out_.bytes < kWorthALine || has_told_) {
        return;
    }
    has_told_ = true;
    Text<128> line;
    line.append("heapwright: ");
    append_unmet(line, left_out_.bytes, rounded);
    os::write_stderr_line(line.view());
}

void MeshPass::go_on(std::uint64_t end, bool is_clock) noexcept {
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

}  // namespace heapwright::heap
