// Records in the heap's metadata, used again by length; a table leads from a slice to its record.
#include <heapwright/alloc/heap/detail/mesh_record.hpp>

#include <array>
#include <atomic>
#include <bit>
#include <new>

#include <heapwright/alloc/heap/detail/mesh_window.hpp>
#include <heapwright/alloc/heap/detail/regions.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/spin_lock.hpp>

namespace heapwright::heap {

namespace {

constinit os::SpinLock g_lock;  // of what is below
constexpr std::size_t kLengths = std::bit_width(kMostMeshWords);
constinit std::array<MeshRecord*, kLengths> g_spare_records{};  // by the logarithm of their words
constinit MeshGroup* g_spare_groups = nullptr;

constinit MeshRecord** g_table = nullptr;  // by slice of the first region; written before the first span is meshed
constinit std::size_t g_table_bytes = 0;

constinit std::atomic<std::uint32_t> g_spans{0};
constinit std::atomic<std::uint32_t> g_mappings{0};
constinit std::atomic<std::ptrdiff_t> g_pages{0};  // of spans when they joined, less those of groups

std::size_t length_of(std::uint32_t words) noexcept { return static_cast<std::size_t>(std::countr_zero(std::bit_ceil(words))); }

void count_pages(std::ptrdiff_t pages) noexcept { g_pages.fetch_add(pages, std::memory_order_relaxed); }  // a figure

void leave_group(MeshGroup* group) noexcept {
    const os::LockGuard guard(g_lock);
    if (--group->members == 0) {
        count_pages(group->pages);
        group->next = g_spare_groups;
        g_spare_groups = group;
    }
}

}  // namespace

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

void drop_mesh_record(MeshRecord* record) noexcept {
    const os::LockGuard guard(g_lock);
    MeshRecord*& spare = g_spare_records[length_of(record->words)];
    record->next = spare;
    spare = record;
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

void finish_mesh_group(MeshGroup* group, std::uint32_t pages) noexcept {
    group->pages = pages;
    count_pages(-static_cast<std::ptrdiff_t>(pages));
    leave_group(group);
}

void join_mesh_group(MeshRecord* record, MeshGroup* group, std::uint32_t pages, std::uint32_t mappings) noexcept {
    g_spans.fetch_add(1, std::memory_order_relaxed);            // a figure
    g_mappings.fetch_add(mappings, std::memory_order_relaxed);  // a figure
    record->mappings = mappings;
    const os::LockGuard guard(g_lock);
    ++group->members;
    record->group = group;
    record->pages = static_cast<std::uint16_t>(pages);
    count_pages(static_cast<std::ptrdiff_t>(pages));
}

bool extend_mesh_table(std::uint32_t slices) noexcept {
    if (g_table == nullptr) {
        const std::size_t bytes = os::round_to_pages((g_region.reserved_bytes() >> kSliceLog2) * sizeof(MeshRecord*));
        g_table = static_cast<MeshRecord**>(os::reserve(bytes, os::kPageBytes, "heapwright mesh"));
    }
    const std::size_t wanted = os::round_to_pages(slices * sizeof(MeshRecord*));
    if (g_table == nullptr || wanted <= g_table_bytes) {
        return g_table != nullptr;
    }
    if (!os::commit(reinterpret_cast<char*>(g_table) + g_table_bytes, wanted - g_table_bytes)) {
        return false;
    }
    g_table_bytes = wanted;
    return true;
}

void set_mesh_record(const Span* span, MeshRecord* record) noexcept { g_table[span - g_region.records()] = record; }

MeshRecord* mesh_record_of(const Span* span) noexcept { return g_table[span - g_region.records()]; }

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

void put_home_meshed(Span* span, FreeBlock* first, std::uint32_t count) noexcept {
    MeshRecord* const record = mesh_record_of(span);
    std::uint32_t freed = 0;
    for (FreeBlock* block = first; count != 0; --count, block = count != 0 ? block->next : nullptr) {
        const auto index = static_cast<std::size_t>(reinterpret_cast<char*>(block) - span->start) / span->block_bytes;
        std::uint64_t& word = record->bits()[index / 64];
        const std::uint64_t bit = std::uint64_t{1} << (index % 64);
        freed += (word & bit) == 0 ? 1U : 0U;  // a block that is freed twice stays free
        word |= bit;
    }
    std::atomic_signal_fence(std::memory_order_acq_rel);  // a child of fork has a span that seems fuller than it is
    span->set_live(span->live() - freed, 0);
}

bool take_meshed_back(Span* span) noexcept {
    MeshRecord* const record = mesh_record_of(span);
    std::size_t page = SIZE_MAX;
    for (std::uint32_t number = 0; number < record->words; ++number) {
        std::uint64_t& word = record->bits()[number];
        while (word != 0) {
            const std::size_t offset = (std::size_t{number} * 64 + static_cast<unsigned>(std::countr_zero(word))) * span->block_bytes;
            if (page != SIZE_MAX && offset / os::kPageBytes != page) {
                return true;
            }
            page = offset / os::kPageBytes;
            word &= word - 1;
            std::atomic_signal_fence(std::memory_order_acq_rel);  // a child of fork loses the block rather than have it twice
            auto* const block = reinterpret_cast<FreeBlock*>(span->start + offset);
            block->next = span->local_free;
            span->local_free = block;
        }
    }
    return page != SIZE_MAX;
}

bool unmesh(Span* span) noexcept {
    if (!map_anonymous_over(span->start)) {
        return false;
    }
    MeshRecord* const record = mesh_record_of(span);
    set_mesh_record(span, nullptr);
    span->set_absent(0);
    g_spans.fetch_sub(1, std::memory_order_relaxed);                    // a figure
    g_mappings.fetch_sub(record->mappings, std::memory_order_relaxed);  // a figure
    count_pages(-static_cast<std::ptrdiff_t>(record->pages));
    leave_group(record->group);
    drop_mesh_record(record);
    return true;
}

void reset_mesh_records_after_fork() noexcept { g_lock.reset_after_fork(); }

}  // namespace heapwright::heap
