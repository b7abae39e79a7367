// From a span's list to bits, and from its blocks to a file.
//
// From its snapshot on, the span's owner word makes its thread ask before it frees into it (ThreadCache::take_home). Until the thread
// was seen elsewhere, it may be in the middle of a free for which it read the word before: then the block that local_free leads to
// keeps its place, and what the thread writes meanwhile is its own copy of the page, as any other write.
#include <heapwright/alloc/heap/detail/mesh_member.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>

#include <sys/mman.h>
#include <sys/syscall.h>

#include <heapwright/alloc/heap/detail/page_return.hpp>
#include <heapwright/alloc/heap/detail/thread_state.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/os/syscall.hpp>

namespace heapwright::heap {

namespace {

using Taken = std::array<std::uint64_t, kMostMeshWords>;

/// A bit for each block that was ever made of the span, of the 64 blocks of a word.
std::uint64_t blocks_made(const Span* span, std::uint32_t word) noexcept {
    const std::uint32_t first = word * 64;
    const std::uint32_t count = span->carved <= first ? 0 : std::min(span->carved - first, 64U);
    return count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

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
           (span->owner.load(std::memory_order_relaxed) == (cache->thread() | owner::kFullBit) && cache->has_passed());  // as above
}

void make_ask(Span* span) noexcept {
    if (ThreadCache* const cache = span->cache.load(std::memory_order_relaxed); cache != nullptr) {  // under its lock
        cache->make_ask(span);
    }
}

/// A bit for each block that is not known to be free; also for the first of the list, `kept`, unless the caller is alone.
/// Returns their number; 0: the list is not to be believed.
std::uint32_t blocks_taken(Span* span, Taken& taken, const FreeBlock*& kept) noexcept {
    const std::uint32_t words = mesh_words(span->capacity);
    for (std::uint32_t word = 0; word < words; ++word) {
        taken[word] = blocks_made(span, word);
    }
    clear_absent_blocks(span, taken.data());
    // Pairs with the release in push_home().
    const FreeBlock* const head = std::atomic_ref(span->local_free).load(std::memory_order_acquire);
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

/// Copies the blocks but the one that was kept in the list, which is only a link to nothing.
void copy_blocks(char* to, const char* from, const Span* span, const Taken& taken, const FreeBlock* kept, MeshPlaces places) noexcept {
    for_each_taken(span, taken, [&](std::size_t offset) {
        if (span->start + offset == reinterpret_cast<const char*>(kept)) {
            return;
        }
        const std::size_t end = offset + span->block_bytes;
        while (offset < end) {
            const std::size_t page = offset / os::kPageBytes;
            const std::size_t piece = std::min(end, (page + 1) * os::kPageBytes) - offset;
            char* const place = to + std::size_t{mesh_place(places, static_cast<std::uint32_t>(page))} * os::kPageBytes;
            __builtin_memcpy(place + offset % os::kPageBytes, from + offset, piece);
            offset += piece;
        }
    });
}

}  // namespace

bool look_at_span(Span* span, MeshBytes& bytes) noexcept {
    Taken taken;
    const FreeBlock* kept = nullptr;
    const std::uint32_t blocks = blocks_taken(span, taken, kept);
    if (blocks == 0 || blocks * 2 > span->capacity) {
        return false;
    }
    if (kept != nullptr) {  // until the group is made its thread may have come by
        clear_bit(span, taken, kept);
        make_ask(span);
    }
    bytes = bytes_of_blocks(span, taken);
    return true;
}

bool MeshMaking::begin() noexcept {
    group_ = make_mesh_group();
    file_ = os::raw_syscall(SYS_memfd_create, "heapwright-mesh", MFD_CLOEXEC);
    if (group_ == nullptr || os::is_failure(file_) || os::is_failure(os::raw_syscall(SYS_ftruncate, file_, kSliceBytes))) {
        return false;
    }
    const long view = os::raw_syscall(SYS_mmap, nullptr, kSliceBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, 0);
    view_ = os::is_failure(view) ? nullptr : reinterpret_cast<char*>(view);
    is_window_open_ = view_ != nullptr && window_.open() == MeshWindow::Refusal::none;
    return is_window_open_;
}

MeshMaking::~MeshMaking() {
    if (is_window_open_) {
        window_.close();
    }
    if (view_ != nullptr) {
        os::release(view_, kSliceBytes);
    }
    if (!os::is_failure(file_)) {
        os::raw_syscall(SYS_close, file_);
    }
    if (group_ != nullptr) {
        finish_mesh_group(group_, bytes_.pages());
    }
}

bool MeshMaking::add(Span* span, MeshPlaces places) noexcept {
    Taken taken;
    const FreeBlock* kept = nullptr;
    if (blocks_taken(span, taken, kept) == 0) {
        return false;
    }
    const MeshBytes bytes = bytes_of_blocks(span, taken);
    MeshRecord* const record = bytes_.join(bytes, places) ? make_mesh_record(span->capacity) : nullptr;
    if (record == nullptr) {
        return false;
    }
    if (!window_.take_out(span->start)) {
        drop_mesh_record(record);
        return false;
    }
    copy_blocks(view_, window_.content(), span, taken, kept, places);
    if (!window_.map_over(span->start, static_cast<int>(file_), places)) {
        drop_mesh_record(record);
        return false;
    }
    for (std::uint32_t word = 0; word < record->words; ++word) {
        record->bits()[word] = word < mesh_words(span->capacity) ? blocks_made(span, word) & ~taken[word] : 0;
    }
    join_mesh_group(record, group_, bytes.pages(), mesh_runs(places) + 1);
    set_mesh_record(span, record);
    span->set_meshed();
    span->is_fresh = false;
    if (kept == nullptr) {
        std::atomic_ref(span->local_free).store(nullptr, std::memory_order_relaxed);  // nobody else looks
    }
    make_ask(span);
    return true;
}

}  // namespace heapwright::heap
