// Records in the heap's metadata, used again by length; a table leads from a slice to its record.
#include <heapwright/alloc/heap/detail/mesh_record.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <new>

#include <heapwright/alloc/heap/detail/mesh_window.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/alloc/heap/detail/visitor.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::heap {

namespace {

/// The clock is told when one block in so many was freed.
constexpr std::uint32_t kToldShare = 8;

constinit os::SpinLock g_lock;  // of what is below
constexpr std::size_t kLengths = std::bit_width(kMostMeshWords);
constinit std::array<MeshRecord*, kLengths> g_spare_records{};  // by the logarithm of their words
constinit MeshGroup* g_spare_groups = nullptr;

constinit std::size_t g_table_bytes = 0;

constinit std::atomic<std::uint32_t> g_spans{0};
constinit std::atomic<std::uint32_t> g_mappings{0};
constinit std::atomic<std::ptrdiff_t> g_pages{0};  // of spans when they joined, less those of groups

std::size_t length_of(std::uint32_t words) noexcept { return static_cast<std::size_t>(std::countr_zero(std::bit_ceil(words))); }

void count_pages(std::ptrdiff_t pages) noexcept { g_pages.fetch_add(pages, std::memory_order_relaxed); }  // a figure

void leave_group(MeshGroup* group, std::uint32_t members) noexcept {
    const os::LockGuard guard(g_lock);
    group->members -= members;
    if (group->members == 0) {
        count_pages(group->pages);
        group->next = g_spare_groups;
        g_spare_groups = group;
    } else if (group->members == group->pages / 2) {
        note_stirred();  // what is left of it may join others
    }
}

void drop_mesh_record(MeshRecord* record) noexcept {
    const os::LockGuard guard(g_lock);
    MeshRecord*& spare = g_spare_records[length_of(record->words)];
    record->next = spare;
    spare = record;
}

/// The span is as any other. Requires: nothing of it is shared, and no bit of its record counts.
void forget(Span* span, MeshRecord* record) noexcept {
    span->set_absent(0);
    std::atomic_signal_fence(std::memory_order_acq_rel);  // as in set_mesh_record()
    g_mesh_table[span - g_region.records()] = nullptr;
    drop_mesh_record(record);
}

/// Counts what it needs and shares now; before and after it changes.
void uncount(const MeshRecord* record) noexcept {
    g_spans.fetch_sub(record->shared != 0 ? 1 : 0, std::memory_order_relaxed);  // a figure
    g_mappings.fetch_sub(record->mappings(), std::memory_order_relaxed);        // a figure
    count_pages(-std::popcount(record->held));
}
void count(const MeshRecord* record) noexcept {
    g_spans.fetch_add(record->shared != 0 ? 1 : 0, std::memory_order_relaxed);  // a figure
    g_mappings.fetch_add(record->mappings(), std::memory_order_relaxed);        // a figure
    count_pages(std::popcount(record->held));
}

/// A mapping begins at that page, unless it goes on from the one before: the kernel joins them, too.
void note_mapping(MeshRecord* record, std::uint32_t page) noexcept {
    if (page == 0 || page >= kPagesOfSlice) {
        return;
    }
    const bool goes_on = record->groups[page] == record->groups[page - 1] &&
                         (record->groups[page] == nullptr || record->places[page] == record->places[page - 1] + 1);
    record->begins = static_cast<MeshPages>((record->begins & ~mesh_pages(page, 1)) | (goes_on ? 0 : mesh_pages(page, 1)));
}

/// The pages are the span's own. Requires: they are.
void leave_groups(MeshRecord* record, MeshPages pages) noexcept {
    for (std::uint32_t page = 0; page < kPagesOfSlice; ++page) {
        MeshGroup*& group = record->groups[page];
        if ((pages >> page & 1) != 0 && group != nullptr) {
            leave_group(group, 1);
            group = nullptr;
        }
    }
    record->shared &= static_cast<MeshPages>(~pages);
    record->held &= static_cast<MeshPages>(~pages);
    record->written &= static_cast<MeshPages>(~pages);
    for (std::uint32_t page = 1; page < kPagesOfSlice; ++page) {
        note_mapping(record, page);
    }
}

/// The pages that a block reaches into.
MeshPages pages_of_block(const Span* span, std::size_t index) noexcept {
    const std::size_t offset = index * span->block_bytes;
    const auto first = static_cast<std::uint32_t>(offset / os::kPageBytes);
    const auto last = static_cast<std::uint32_t>((offset + span->block_bytes - 1) / os::kPageBytes);
    return mesh_pages(first, last - first + 1);
}

/// The blocks of a span that begin in a page.
struct BlockRange {
    std::size_t first = 0;
    std::size_t end = 0;
};
BlockRange blocks_of_page(const Span* span, std::uint32_t page) noexcept {
    const std::size_t before = (page * os::kPageBytes + span->block_bytes - 1) / span->block_bytes;
    const std::size_t behind = ((page + 1) * os::kPageBytes + span->block_bytes - 1) / span->block_bytes;
    return {.first = before, .end = std::min<std::size_t>(behind, span->carved)};
}

bool is_free(const MeshRecord* record, std::size_t index) noexcept { return (record->bits()[index / 64] >> (index % 64) & 1) != 0; }

/// How many of the blocks [first, end) are free by their bits.
std::uint32_t count_free(const MeshRecord* record, std::size_t first, std::size_t end) noexcept {
    std::uint32_t count = 0;
    while (first < end) {
        const std::size_t bits = std::min(end - first, 64 - first % 64);
        const std::uint64_t word = record->bits()[first / 64] >> (first % 64);
        count += static_cast<std::uint32_t>(std::popcount(word << (64 - bits)));
        first += bits;
    }
    return count;
}

/// Whether all blocks of the span that reach into these pages are free by their bits, or never were any.
bool are_free(const Span* span, const MeshRecord* record, std::uint32_t first, std::uint32_t end) noexcept {
    std::size_t index = first * os::kPageBytes / span->block_bytes;
    const std::size_t last = std::min<std::size_t>((end * os::kPageBytes + span->block_bytes - 1) / span->block_bytes, span->carved);
    for (; index < last; ++index) {
        if (!is_free(record, index)) {
            return false;
        }
    }
    return true;
}

/// Brings the free blocks that begin in a page to local_free, but for those that reach into pages of `spared`.
bool take_page_back(Span* span, MeshRecord* record, std::uint32_t page, MeshPages spared) noexcept {
    bool is_any = false;
    const BlockRange range = blocks_of_page(span, page);
    for (std::size_t index = range.first; index < range.end; ++index) {
        const MeshPages pages = pages_of_block(span, index);
        if (!is_free(record, index) || (pages & spared) != 0) {
            continue;
        }
        record->bits()[index / 64] &= ~(std::uint64_t{1} << (index % 64));
        std::atomic_signal_fence(std::memory_order_acq_rel);  // a child of fork loses the block rather than have it twice
        const std::size_t offset = index * span->block_bytes;
        span->set_absent(span->absent() & ~std::uint32_t{pages});
        auto* const block = reinterpret_cast<FreeBlock*>(span->start + offset);
        block->next = span->local_free;
        span->local_free = block;
        is_any = true;
    }
    return is_any;
}

}  // namespace

constinit MeshRecord** g_mesh_table = nullptr;

MeshRecord* make_mesh_record(std::uint32_t capacity) noexcept {
    const std::uint32_t words = std::bit_ceil(mesh_words(capacity));
    MeshRecord* record = nullptr;
    {
        const os::LockGuard guard(g_lock);
        MeshRecord*& spare = g_spare_records[length_of(words)];
        record = spare;
        spare = record == nullptr ? nullptr : record->next;
    }
    void* const room = record != nullptr ? record : allocate_metadata(sizeof(MeshRecord) + words * sizeof(std::uint64_t));
    if (room == nullptr) {
        return nullptr;
    }
    record = new (room) MeshRecord;
    record->words = static_cast<std::uint16_t>(words);
    return record;
}

MeshGroup* make_mesh_group() noexcept {
    {
        const os::LockGuard guard(g_lock);
        if (MeshGroup* const group = g_spare_groups; group != nullptr) {
            g_spare_groups = group->next;
            return new (group) MeshGroup{.members = 1};
        }
    }
    void* const room = allocate_metadata(sizeof(MeshGroup));
    return room == nullptr ? nullptr : new (room) MeshGroup{.members = 1};
}

void finish_mesh_group(MeshGroup* group, const MeshBytes& bytes) noexcept {
    {
        const os::LockGuard guard(g_lock);  // members may leave it already
        group->pages = bytes.pages();
        group->granules = bytes.granules(0, kPagesOfSlice);
        count_pages(-static_cast<std::ptrdiff_t>(group->pages));
    }
    leave_group(group, 1);
}

void join_mesh_group(MeshRecord* record, MeshGroup* group, const MeshRun& run, MeshPages held) noexcept {
    const MeshPages pages = mesh_pages(run.first, run.count);
    uncount(record);
    {
        const os::LockGuard guard(g_lock);
        group->members += run.count;
    }
    for (std::uint32_t page = run.first; page < run.first + run.count; ++page) {
        if (MeshGroup* const before = record->groups[page]; before != nullptr) {
            leave_group(before, 1);
        }
        record->groups[page] = group;
        record->places[page] = static_cast<std::uint8_t>(run.at + page - run.first);
    }
    record->shared |= pages;
    record->held = static_cast<MeshPages>((record->held & ~pages) | held);
    record->written &= static_cast<MeshPages>(~pages);
    note_mapping(record, run.first);
    for (std::uint32_t page = run.first + 1; page < run.first + run.count; ++page) {
        note_mapping(record, page);
    }
    note_mapping(record, run.first + run.count);
    count(record);
}

bool extend_mesh_table(std::uint32_t slices) noexcept {
    if (g_mesh_table == nullptr) {
        const std::size_t bytes = os::round_to_pages((g_region.reserved_bytes() >> kSliceLog2) * sizeof(MeshRecord*));
        g_mesh_table = static_cast<MeshRecord**>(os::reserve(bytes, os::kPageBytes, "heapwright mesh"));
    }
    const std::size_t wanted = os::round_to_pages(slices * sizeof(MeshRecord*));
    if (g_mesh_table == nullptr || wanted <= g_table_bytes) {
        return g_mesh_table != nullptr;
    }
    if (!os::commit(reinterpret_cast<char*>(g_mesh_table) + g_table_bytes, wanted - g_table_bytes)) {
        return false;
    }
    g_table_bytes = wanted;
    return true;
}

void set_mesh_record(Span* span, MeshRecord* record) noexcept {
    g_mesh_table[span - g_region.records()] = record;
    std::atomic_signal_fence(std::memory_order_acq_rel);  // a child of fork finds a record where it looks for one
    span->set_meshed();
    span->is_fresh = false;
}

MeshRecord* mesh_record_of(const Span* span) noexcept { return g_mesh_table[span - g_region.records()]; }

std::uint32_t MeshRecord::mappings() const noexcept { return shared == 0 ? 0 : static_cast<std::uint32_t>(std::popcount(begins)) + 1; }

std::uint32_t meshed_spans() noexcept { return g_spans.load(std::memory_order_relaxed); }  // a figure

std::uint32_t mesh_mappings() noexcept { return g_mappings.load(std::memory_order_relaxed); }  // a figure

std::size_t mesh_saved_bytes() noexcept {
    const std::ptrdiff_t pages = g_pages.load(std::memory_order_relaxed);  // a figure
    return pages <= 0 ? 0 : static_cast<std::size_t>(pages) * os::kPageBytes;
}

std::uint32_t meshed_free_blocks(const Span* span) noexcept {
    MeshRecord* const record = mesh_record_of(span);
    std::uint32_t blocks = 0;
    for (std::uint32_t number = 0; number < record->words; ++number) {
        blocks += static_cast<std::uint32_t>(std::popcount(record->bits()[number]));
    }
    return blocks;
}

std::uint32_t meshed_resting_blocks(const Span* span) noexcept {
    const MeshRecord* const record = mesh_record_of(span);
    std::uint32_t blocks = 0;
    for (std::uint32_t page = 0; page < kPagesOfSlice; ++page) {
        const BlockRange range = blocks_of_page(span, page);
        // Only the last may reach into the next page.
        if ((record->shared >> page & 1) != 0) {
            blocks += count_free(record, range.first, range.end);
        } else if (range.first < range.end && is_free(record, range.end - 1)) {
            blocks += (pages_of_block(span, range.end - 1) & record->shared) != 0 ? 1U : 0U;
        }
    }
    return blocks;
}

std::uint32_t put_home_meshed(Span* span, FreeBlock* first, std::uint32_t count) noexcept {
    MeshRecord* const record = mesh_record_of(span);
    std::uint32_t freed = 0;
    std::uint32_t own = 0;
    for (FreeBlock* block = first; count != 0; --count, block = count != 0 ? block->next : nullptr) {
        const auto index = static_cast<std::size_t>(reinterpret_cast<char*>(block) - span->start) / span->block_bytes;
        std::uint64_t& word = record->bits()[index / 64];
        const std::uint64_t bit = std::uint64_t{1} << (index % 64);
        freed += (word & bit) == 0 ? 1U : 0U;  // a block that is freed twice stays free
        own += (pages_of_block(span, index) & record->shared) == 0 ? 1U : 0U;
        word |= bit;
    }
    std::atomic_signal_fence(std::memory_order_acq_rel);  // a child of fork has a span that seems fuller than it is
    span->set_live(span->live() - freed, 0);
    record->freed += freed;
    if (record->freed * kToldShare >= span->capacity) {
        record->freed = 0;
        note_stirred();
    }
    return own;
}

bool take_meshed_back(Span* span) noexcept {
    MeshRecord* const record = mesh_record_of(span);
    for (std::uint32_t page = 0; page < kPagesOfSlice; ++page) {
        if (take_page_back(span, record, page, record->shared)) {
            return true;
        }
    }
    if (record->shared == 0) {  // nothing is left of it but the record
        forget(span, record);
    } else if (span->has_uncarved()) {
        // It is about to be carved: what is absent there never was a block.
        const auto first = static_cast<std::uint32_t>(std::size_t{span->carved} * span->block_bytes / os::kPageBytes);
        span->set_absent(span->absent() & ~std::uint32_t{mesh_pages(first, kPagesOfSlice - first)});
    }
    return false;
}

void take_all_meshed_back(Span* span) noexcept {
    for (std::uint32_t page = 0; page < kPagesOfSlice; ++page) {
        static_cast<void>(take_page_back(span, mesh_record_of(span), page, 0));
    }
}

std::size_t return_meshed_pages(Span* span) noexcept {
    MeshRecord* const record = mesh_record_of(span);
    std::size_t given = 0;
    uncount(record);
    for (std::uint32_t page = 0; page < kPagesOfSlice;) {
        const bool is_shared = (record->shared >> page & 1) != 0;
        std::uint32_t end = page + 1;  // a page of the span's own is given alone, of shared ones what is one mapping
        while (is_shared && end < kPagesOfSlice && (record->begins >> end & 1) == 0) {
            ++end;
        }
        const MeshPages pages = mesh_pages(page, end - page);
        char* const start = span->start + page * os::kPageBytes;
        const std::size_t bytes = (end - page) * os::kPageBytes;
        if ((is_shared || (span->absent() & pages) == 0) && are_free(span, record, page, end)) {
            if (is_shared && map_anonymous_over(start, bytes)) {
                leave_groups(record, pages);
                span->set_absent(span->absent() | pages);
            } else if (!is_shared && os::discard(start, bytes)) {
                span->set_absent(span->absent() | pages);
                given += bytes;
            }
        }
        page = end;
    }
    count(record);
    return given;
}

bool unmesh(Span* span) noexcept {
    MeshRecord* const record = mesh_record_of(span);
    if (record->shared != 0 && !map_anonymous_over(span->start, kSliceBytes)) {
        return false;
    }
    uncount(record);
    leave_groups(record, mesh_pages(0, kPagesOfSlice));
    forget(span, record);
    return true;
}

void reset_mesh_records_after_fork() noexcept { g_lock.reset_after_fork(); }

}  // namespace heapwright::heap
