// From a span's list to bits, and from its blocks to a file.
//
// From its snapshot on, the span's owner word makes its thread ask before it frees into it (ThreadCache::take_home). Until the thread
// was seen elsewhere, it may be in the middle of a free for which it read the word before: then the block that local_free leads to
// keeps its place, and what the thread writes meanwhile is its own copy of the page, as any other write.
//
// The blocks of its list become bits when the first of its pages joins a group. From then on a pass need not walk through its memory.
#include <heapwright/alloc/heap/detail/mesh_member.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>

#include <sys/mman.h>
#include <sys/syscall.h>

#include <heapwright/alloc/heap/detail/page_return.hpp>
#include <heapwright/alloc/heap/detail/thread_state.hpp>
#include <heapwright/base/platform.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/syscall.hpp>

#if HEAPWRIGHT_UNDER_TSAN
// Of ThreadSanitizer's runtime, which has no header for them.
extern "C" void AnnotateIgnoreReadsBegin(const char* file, int line) noexcept;
extern "C" void AnnotateIgnoreReadsEnd(const char* file, int line) noexcept;
#endif

namespace heapwright::heap {

namespace {

using Taken = std::array<std::uint64_t, kMostMeshWords>;

/// A span with more live blocks is left to malloc, which takes from the fullest first.
constexpr std::uint32_t kMostLivePercent = 50;
constexpr int kPopulateForWriting = 23;  // MADV_POPULATE_WRITE

void clear_bit(const Span* span, Taken& taken, const FreeBlock* block) noexcept {
    const auto index = static_cast<std::size_t>(reinterpret_cast<const char*>(block) - span->start) / span->block_bytes;
    taken[index / 64] &= ~(std::uint64_t{1} << (index % 64));
}

/// Calls `visit(offset)` with where each of the blocks begins.
template <class Visit>
void for_each_taken(const Span* span, const Taken& taken, Visit visit) noexcept {
    for (std::uint32_t word = 0; word < mesh_words(span->capacity); ++word) {
        for (std::uint64_t rest = taken[word]; rest != 0; rest &= rest - 1) {
            visit((std::size_t{word} * 64 + static_cast<unsigned>(std::countr_zero(rest))) * span->block_bytes);
        }
    }
}

/// Whether its thread puts nothing into the span's list meanwhile.
bool is_alone_with(const Span* span) noexcept {
    const ThreadCache* const cache = span->cache.load(std::memory_order_relaxed);  // under its lock
    return cache == nullptr || cache->thread() == thread_pointer() ||
           (span->owner.load(std::memory_order_relaxed) == (cache->thread() | owner::kAskBit) && cache->has_passed());  // as above
}

void make_ask(Span* span) noexcept {
    if (ThreadCache* const cache = span->cache.load(std::memory_order_relaxed); cache != nullptr) {  // under its lock
        cache->make_ask(span);
    }
}

/// What the walk will read, so that it waits for memory once and not at each block.
void prefetch_blocks(const Span* span) noexcept {
    for (std::uint32_t index = 0; index < span->carved; ++index) {
        __builtin_prefetch(span->start + std::size_t{index} * span->block_bytes);
    }
}

/// A bit for each block that is not known to be free; also for the first of the list, `kept`, unless the caller is alone.
/// Returns their number; 0: the list is not to be believed.
std::uint32_t blocks_taken(Span* span, Taken& taken, FreeBlock*& kept) noexcept {
    const std::uint32_t words = mesh_words(span->capacity);
    const std::uint64_t* const free = span->is_meshed() ? mesh_record_of(span)->bits() : nullptr;
    for (std::uint32_t word = 0; word < words; ++word) {
        taken[word] = blocks_made(span, word) & ~(free == nullptr ? 0 : free[word]);
    }
    if (free == nullptr) {
        clear_absent_blocks(span, taken.data());
        prefetch_blocks(span);
    }
    // Pairs with the release in push().
    FreeBlock* const head = std::atomic_ref(span->local_free).load(std::memory_order_acquire);
    kept = is_alone_with(span) ? nullptr : head;
    std::uint32_t steps = 0;
    for (const FreeBlock* block = head; block != nullptr; block = block->next) {
        const auto offset = static_cast<std::size_t>(reinterpret_cast<const char*>(block) - span->start);
        if (offset >= std::size_t{span->carved} * span->block_bytes || ++steps > span->carved) {
            return 0;
        }
        if (block != kept) {
            clear_bit(span, taken, block);
        }
    }
    std::uint32_t count = 0;
    for (std::uint32_t word = 0; word < words; ++word) {
        count += static_cast<std::uint32_t>(std::popcount(taken[word]));
    }
    return count;
}

MeshBytes bytes_of_blocks(const Span* span, const Taken& taken) noexcept {
    MeshBytes bytes;
    for_each_taken(span, taken, [&](std::size_t offset) { bytes.add(offset, offset + span->block_bytes); });
    return bytes;
}

/// Those pages in which a block lives.
MeshPages pages_of(const MeshBytes& bytes) noexcept {
    std::uint32_t pages = 0;
    for (std::uint32_t page = 0; page < kPagesOfSlice; ++page) {
        pages |= bytes.granules(page, 1) != 0 ? 1U << page : 0U;
    }
    return static_cast<MeshPages>(pages);
}

/// Who wrote to a page before it was held, or taken out, comes before who reads it then: the kernel sees to it, and ThreadSanitizer does not see.
class ReadsAfterTheKernel {
public:
#if HEAPWRIGHT_UNDER_TSAN
    ReadsAfterTheKernel() noexcept { AnnotateIgnoreReadsBegin(__FILE__, __LINE__); }
    ~ReadsAfterTheKernel() { AnnotateIgnoreReadsEnd(__FILE__, __LINE__); }
#else
    ReadsAfterTheKernel() noexcept {}
    ~ReadsAfterTheKernel() {}
#endif
    ReadsAfterTheKernel(const ReadsAfterTheKernel&) = delete;
    ReadsAfterTheKernel& operator=(const ReadsAfterTheKernel&) = delete;
};

/// Copies what lies of the blocks in the bytes [from, end) of the span, but for the one that was kept in the list, which is only a link
/// to nothing.
void copy_blocks(char* to, const char* content, const Span* span, const Taken& taken, const FreeBlock* kept, std::size_t from,
                 std::size_t end) noexcept {
    const ReadsAfterTheKernel reads;
    for_each_taken(span, taken, [&](std::size_t offset) {
        const std::size_t first = std::max(offset, from);
        const std::size_t last = std::min(offset + span->block_bytes, end);
        if (first < last && span->start + offset != reinterpret_cast<const char*>(kept)) {
            __builtin_memcpy(to + (first - from), content + (first - from), last - first);
        }
    });
}

/// The free blocks are bits from now on; the list has at most `kept`.  Returns: nullptr when memory is exhausted.
MeshRecord* keep_bits(Span* span, const Taken& taken, FreeBlock* kept) noexcept {
    MeshRecord* record = span->is_meshed() ? mesh_record_of(span) : make_mesh_record(span->capacity);
    if (record == nullptr) {
        return nullptr;
    }
    if (kept == nullptr) {
        std::atomic_ref(span->local_free).store(nullptr, std::memory_order_relaxed);  // nobody else looks
    } else {
        kept->next = nullptr;  // behind the first block nobody else looks
    }
    std::atomic_signal_fence(std::memory_order_acq_rel);  // a child of fork loses blocks rather than have them twice
    for (std::uint32_t word = 0; word < record->words; ++word) {
        record->bits()[word] = word < mesh_words(span->capacity) ? blocks_made(span, word) & ~taken[word] : 0;
    }
    set_mesh_record(span, record);
    make_ask(span);
    return record;
}

/// Whether this thread's stack or its control block lies there, because the program made them of a block: it would wait for itself.
bool is_stood_on(const Span* span) noexcept {
    const auto lies_there = [&](const void* address) {
        return static_cast<std::size_t>(static_cast<const char*>(address) - span->start) < kSliceBytes;
    };
    return lies_there(__builtin_frame_address(0)) || lies_there(__builtin_thread_pointer());
}

}  // namespace

void tally_span(Span* span, std::uint32_t pass) noexcept {
    MeshRecord* const record = span->is_meshed() ? mesh_record_of(span) : nullptr;
    if (record == nullptr || record->shared == 0) {
        return;
    }
    // Of an active span all counts as live: its thread takes from its list meanwhile.
    const bool is_active = span->state == SpanState::active;
    MeshBytes bytes;
    if (!is_active) {
        Taken taken;
        FreeBlock* kept = nullptr;
        static_cast<void>(blocks_taken(span, taken, kept));
        bytes = bytes_of_blocks(span, taken);
    }
    for (std::uint32_t page = 0; page < kPagesOfSlice; ++page) {
        if (MeshGroup* const group = record->groups[page]; group != nullptr) {
            const std::uint32_t live = is_active ? MeshBytes::kGranulesOfPage : bytes.granules(page, 1);
            group->tally = (group->tallied == pass ? group->tally : 0) + live;
            group->tallied = pass;
        }
    }
}

bool is_sparse(const Span* span) noexcept {
    static_assert(kMostLivePercent == 50, "an airy span is half free");
    const bool is_abandoned = span->cache.load(std::memory_order_relaxed) == nullptr;  // under its lock, which orders the count, too
    return is_abandoned ? span->live() * 100 <= span->capacity * kMostLivePercent : span->state == SpanState::airy;
}

namespace {

/// Whether more of it lives than may: then its list need not be walked. Of a meshed span, and of one with slots to carve, only the walk tells.
bool is_well_filled(const Span* span) noexcept {
    const bool is_counted = span->cache.load(std::memory_order_relaxed) == nullptr ||  // under its lock
                            span->state == SpanState::full || span->state == SpanState::dense;
    return is_counted && !span->is_meshed() && !is_sparse(span);
}

/// The pages of a meshed span that may leave their groups, because half of those died.
MeshPages shrunk_pages(const MeshRecord& record, std::uint32_t pass) noexcept {
    MeshPages shrunk = 0;
    for (std::uint32_t page = 0; page < kPagesOfSlice; ++page) {
        const MeshGroup* const group = record.groups[page];
        shrunk |= group != nullptr && group->has_shrunk(pass) ? mesh_pages(page, 1) : MeshPages{0};
    }
    return static_cast<MeshPages>(shrunk & ~record.written);
}

}  // namespace

bool look_at_span(Span* span, std::uint32_t pass, MeshSnapshot& snapshot) noexcept {
    if (is_well_filled(span)) {
        return false;
    }
    const MeshRecord* const record = span->is_meshed() ? mesh_record_of(span) : nullptr;
    const MeshPages own = record == nullptr ? mesh_pages(0, kPagesOfSlice) : static_cast<MeshPages>(~record->shared);
    snapshot.shrunk = record == nullptr ? MeshPages{0} : shrunk_pages(*record, pass);
    if ((own | snapshot.shrunk) == 0) {
        return false;
    }
    Taken taken;
    FreeBlock* kept = nullptr;
    const std::uint32_t blocks = blocks_taken(span, taken, kept);
    if (blocks == 0) {
        return false;
    }
    if (kept != nullptr) {  // until the group is made its thread may have come by
        clear_bit(span, taken, kept);
        make_ask(span);
    }
    snapshot.own = blocks * 100 <= span->capacity * kMostLivePercent ? own : MeshPages{0};
    snapshot.bytes = bytes_of_blocks(span, taken);
    const MeshPages live = pages_of(snapshot.bytes);
    return ((snapshot.own | snapshot.shrunk) & live) != 0;
}

namespace {

/// Pages of a file at once, and not by a fault each.
void populate(char* view, MeshPages pages) noexcept {
    for_each_run(pages, [view](std::uint32_t first, std::uint32_t last) {
        os::raw_syscall(SYS_madvise, view + first * os::kPageBytes, (last - first) * os::kPageBytes, kPopulateForWriting);
    });
}

}  // namespace

MeshMaking::Begun MeshMaking::begin(MeshPages expected) noexcept {
    group_ = make_mesh_group();
    file_ = os::raw_syscall(SYS_memfd_create, "heapwright-mesh", MFD_CLOEXEC);
    if (group_ == nullptr || os::is_failure(file_) || os::is_failure(os::raw_syscall(SYS_ftruncate, file_, kSliceBytes))) {
        return Begun::without_memory;
    }
    const long view = os::raw_syscall(SYS_mmap, nullptr, kSliceBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    if (os::is_failure(view)) {
        return os::errno_of(view) == ENOMEM ? Begun::without_mapping : Begun::without_memory;
    }
    view_ = reinterpret_cast<char*>(view);
    populate(view_, expected);
    return Begun::yes;
}

MeshMaking::~MeshMaking() {
    if (view_ != nullptr) {
        os::release(view_, kSliceBytes);
    }
    if (!os::is_failure(file_)) {
        os::raw_syscall(SYS_close, file_);
    }
    if (group_ != nullptr) {
        finish_mesh_group(group_, bytes_);
    }
}

bool MeshMaking::add(Span* span, std::uint32_t from, std::uint32_t pages, std::uint32_t at) noexcept {
    if (is_stood_on(span)) {
        return false;
    }
    Taken taken;
    FreeBlock* kept = nullptr;
    if (blocks_taken(span, taken, kept) == 0) {
        return false;
    }
    const MeshBytes bytes = bytes_of_blocks(span, taken);
    MeshBytes joined = bytes_;
    MeshRecord* const record = joined.join(at, bytes, from, pages) ? keep_bits(span, taken, kept) : nullptr;
    if (record == nullptr) {
        return false;
    }
    const MeshPages mask = mesh_pages(from, pages);
    const bool is_shared = (record->shared & mask) != 0;
    if (is_shared && (record->shared & mask) != mask) {
        return false;
    }
    char* const start = span->start + from * os::kPageBytes;
    const std::size_t length = pages * os::kPageBytes;
    const char* const content = !is_shared ? window_.take_out(start, length) : window_.hold(start, length) ? start : nullptr;
    if (content == nullptr) {
        // Pages that could not be held for want of memory may be later; others were written, and are their span's own.
        record->written |= is_shared && !window_.lacks_mappings() ? mask : MeshPages{0};
        return false;
    }
    copy_blocks(view_ + at * os::kPageBytes, content, span, taken, kept, from * os::kPageBytes, from * os::kPageBytes + length);
    if (!window_.map_over(start, length, static_cast<int>(file_), at * os::kPageBytes)) {
        return false;
    }
    bytes_ = joined;
    const auto held = static_cast<MeshPages>(pages_of(bytes) & mask);
    held_ += static_cast<std::uint32_t>(std::popcount(held));
    span->set_absent((span->absent() & ~std::uint32_t{mask}) | static_cast<MeshPages>(mask & ~held));  // nothing of it lies there
    join_mesh_group(record, group_, {.first = from, .count = pages, .at = at}, held);
    return true;
}

}  // namespace heapwright::heap
