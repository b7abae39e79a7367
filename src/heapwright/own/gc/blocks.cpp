// Chunks from the system, their blocks, and the runs of free lines that threads allocate from.
#include <algorithm>
#include <cstring>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/check.hpp>
#include <heapwright/base/fill.hpp>
#include <heapwright/base/poison.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/own/gc/detail/collector.hpp>

namespace heapwright::gc::detail {

constinit std::uint8_t* chunk_kinds = nullptr;
constinit std::uint32_t marking_heaps = 0;

const TypeInfo kFillerType{
    .trace = nullptr, .trace_part = nullptr, .destroy = nullptr, .move = nullptr, .name = "(nothing)", .kind = ObjectKind::filler};

namespace {

constexpr std::size_t kKindsBytes = std::size_t{1} << (47 - kChunkShift);

constinit os::SpinLock kinds_lock;

void set_kind(const void* base, std::size_t bytes, ChunkKind first, ChunkKind rest) noexcept {
    const std::uintptr_t index = number_of(base) >> kChunkShift;
    for (std::size_t offset = 0; offset * kChunkBytes < bytes; ++offset) {
        store_byte(chunk_kinds + index + offset, offset == 0 ? first : rest);
    }
}

/// Clears line bytes' marks for a run that is handed out: whoever begins there must not inherit a mark.
void begin_run(std::byte* begin, std::byte* end) noexcept {
    fill_bytes(mark_of(begin), 0, static_cast<std::size_t>(end - begin) >> kGranuleShift);
    fill_bytes(line_of(begin), kLineYoung, static_cast<std::size_t>(end - begin) >> kLineShift);
}

}  // namespace

/// One table for all heaps of the process, there before the first heap is and never given back: a barrier may read it at any
/// time.
void have_kinds() noexcept {
    const os::LockGuard guard(kinds_lock);
    if (chunk_kinds == nullptr) {
        chunk_kinds = static_cast<std::uint8_t*>(os::map_pages(kKindsBytes, "heapwright gc chunk table"));
        HEAPWRIGHT_CHECK(chunk_kinds != nullptr, "out of memory: no addresses for the table of collected heaps");
    }
}

bool Collector::may_commit(std::size_t bytes) const noexcept {
    return committed_bytes <= config.limit_bytes && bytes <= config.limit_bytes - committed_bytes;
}

Chunk* Collector::add_chunk(std::size_t bytes) noexcept {
    const std::size_t mapped = align_up(bytes, kChunkBytes);
    void* const base = os::reserve(mapped, kChunkBytes, "heapwright gc heap");
    if (base == nullptr) {
        return nullptr;
    }
    if (!os::commit(base, mapped)) {
        os::release(base, mapped);
        return nullptr;
    }
    auto* const chunk = ::new (base) Chunk{};
    chunk->owner = this;
    chunk->mapped_bytes = mapped;
    chunk->is_huge = mapped > kChunkBytes || bytes > kChunkBytes;
    chunk->next = chunks;
    if (chunks != nullptr) {
        chunks->previous = chunk;
    }
    chunks = chunk;
    set_kind(base, mapped, kChunk, kContinuation);
    return chunk;
}

void Collector::release_chunk(Chunk* chunk) noexcept {
    (chunk->previous == nullptr ? chunks : chunk->previous->next) = chunk->next;
    if (chunk->next != nullptr) {
        chunk->next->previous = chunk->previous;
    }
    const std::size_t mapped = chunk->mapped_bytes;
    set_kind(chunk, mapped, kNoChunk, kNoChunk);
    unpoison(chunk, mapped);
    os::release(chunk, mapped);
}

namespace {

/// What the tables of a chunk may cost when a block of it is used: its share of marks and lines.
constexpr std::size_t kTablesPerBlock = kFirstByte / kUsableBlocks;

}  // namespace

std::byte* Collector::take_block() noexcept {
    while (!free_blocks.empty()) {
        std::byte* const block = free_blocks.pop();
        if (chunk_kind(block) != kChunk || chunk_of(block)->owner != this) {
            continue;  // its chunk was given back
        }
        BlockInfo& info = block_of(block);
        if (info.state == BlockState::free) {
            --resident_empty;
        } else if (info.state != BlockState::fresh) {
            continue;
        } else if (!may_commit(kBlockBytes + kTablesPerBlock)) {
            free_blocks.push(block);
            return nullptr;
        } else {
            committed_bytes += kBlockBytes + kTablesPerBlock;
            peak_bytes = std::max(peak_bytes, committed_bytes);
        }
        info = BlockInfo{};
        info.state = BlockState::used;
        --chunk_of(block)->empty_blocks;
        --empty_blocks;
        return block;
    }
    return may_commit(kBlockBytes + kTablesPerBlock) && add_blocks() ? take_block() : nullptr;
}

bool Collector::add_blocks() noexcept {
    Chunk* const chunk = add_chunk(kChunkBytes);
    if (chunk == nullptr) {
        return false;
    }
    chunk->empty_blocks = kUsableBlocks;
    empty_blocks += kUsableBlocks;
    for (std::size_t index = kBlocksPerChunk; index-- > kFirstBlock;) {
        free_blocks.push(reinterpret_cast<std::byte*>(chunk) + index * kBlockBytes);
    }
    return true;
}

Collector::BlockRun Collector::find_blocks(std::size_t count) const noexcept {
    for (Chunk* chunk = chunks; chunk != nullptr; chunk = chunk->next) {
        if (chunk->is_huge || chunk->empty_blocks < count) {
            continue;
        }
        std::size_t found = 0;
        for (std::size_t index = kFirstBlock; index < kBlocksPerChunk; ++index) {
            const BlockState state = chunk->blocks[index].state;
            found = state == BlockState::fresh || state == BlockState::free ? found + 1 : 0;
            if (found == count) {
                return {.chunk = chunk, .first = index + 1 - count};
            }
        }
    }
    return {};
}

std::byte* Collector::take_blocks(std::size_t count) noexcept {
    BlockRun run = find_blocks(count);
    if (run.chunk == nullptr && may_commit(count * kBlockBytes) && add_blocks()) {
        run = find_blocks(count);
    }
    if (run.chunk == nullptr) {
        return nullptr;
    }
    BlockInfo* const blocks = run.chunk->blocks + run.first;
    std::size_t fresh = 0;
    for (std::size_t taken = 0; taken < count; ++taken) {
        fresh += blocks[taken].state == BlockState::fresh ? 1U : 0U;
    }
    if (!may_commit(fresh * (kBlockBytes + kTablesPerBlock))) {
        return nullptr;
    }
    committed_bytes += fresh * (kBlockBytes + kTablesPerBlock);
    peak_bytes = std::max(peak_bytes, committed_bytes);
    resident_empty -= count - fresh;
    for (std::size_t taken = 0; taken < count; ++taken) {
        blocks[taken] = BlockInfo{};
        blocks[taken].state = taken == 0 ? BlockState::used : BlockState::inside;
        blocks[taken].back_blocks = static_cast<std::uint32_t>(taken);
    }
    run.chunk->empty_blocks -= static_cast<std::uint32_t>(count);
    empty_blocks -= count;
    return reinterpret_cast<std::byte*>(run.chunk) + run.first * kBlockBytes;
}

std::byte* Collector::map_huge(std::size_t bytes) noexcept {
    const std::size_t body = os::round_to_pages(kFirstByte + bytes);
    const std::size_t whole = body + os::round_to_pages(body >> kLineShift);
    if (whole < bytes || !may_commit(whole)) {
        return nullptr;
    }
    Chunk* const chunk = add_chunk(whole > kChunkBytes ? whole : kChunkBytes + 1);
    if (chunk == nullptr) {
        return nullptr;
    }
    chunk->cards = reinterpret_cast<std::uint8_t*>(chunk) + body;
    chunk->committed_bytes = whole;
    committed_bytes += whole;
    peak_bytes = std::max(peak_bytes, committed_bytes);
    BlockInfo& info = chunk->blocks[kFirstBlock];
    info.state = BlockState::used;
    info.large_bytes = bytes;
    return reinterpret_cast<std::byte*>(chunk) + kFirstByte;
}

namespace {

struct Run {
    std::size_t begin;
    std::size_t end;
};

/// The next free lines of a block from `line` on; empty at its end.
Run find_run(const std::uint8_t* lines, std::size_t line) noexcept {
    // Other threads write to old lines of the block meanwhile.
    while (line < kLinesPerBlock && load_byte(lines + line) != kLineFree) {
        ++line;
    }
    const std::size_t begin = line;
    while (line < kLinesPerBlock && load_byte(lines + line) == kLineFree) {
        ++line;
    }
    return {.begin = begin, .end = line};
}

}  // namespace

/// Gives the thread the next hole of its block, of another block with holes, or a whole block.
bool Collector::next_run(Mutator& mutator, std::size_t least_lines) noexcept {
    while (true) {
        while (mutator.block != nullptr) {
            const Run run = find_run(line_of(mutator.block), mutator.next_line);
            if (run.begin == kLinesPerBlock) {
                mutator.block = nullptr;
                break;
            }
            mutator.next_line = run.end;
            if (run.end - run.begin < least_lines) {
                continue;
            }
            mutator.cursor = mutator.block + run.begin * kLineBytes;
            mutator.limit = mutator.block + run.end * kLineBytes;
            begin_run(mutator.cursor, mutator.limit);
            block_of(mutator.block).is_indexed = false;
            if (run.begin == 0) {
                block_of(mutator.block).back_blocks = 0;  // a large object that ended here is no more
            }
            const std::size_t bytes = (run.end - run.begin) * kLineBytes;
            const os::LockGuard guard(lock);
            block_of(mutator.block).free_lines = static_cast<std::uint16_t>(block_of(mutator.block).free_lines - (run.end - run.begin));
            used_lines += run.end - run.begin;
            count_given(bytes);
            return true;
        }
        const os::LockGuard guard(lock);
        while (next_holed < holed.size() && mutator.block == nullptr) {
            std::byte* const block = holed[next_holed++];
            if (block_of(block).is_queued) {
                block_of(block).is_queued = false;
                mutator.block = block;
            }
        }
        if (mutator.block == nullptr) {
            mutator.block = take_block();
            if (mutator.block == nullptr) {
                return false;
            }
            block_of(mutator.block).free_lines = kLinesPerBlock;
        }
        mutator.next_line = 0;
        touched.push(mutator.block);
    }
}

namespace {

void retire_run(Collector& collector, std::byte* cursor, std::byte* limit) noexcept {
    if (cursor == limit) {
        return;
    }
    unpoison(cursor, static_cast<std::size_t>(limit - cursor));
    // Whole lines that were not begun are free again.
    std::byte* const whole = align_up(cursor, kLineBytes);
    if (whole < limit) {
        const std::size_t lines = static_cast<std::size_t>(limit - whole) / kLineBytes;
        fill_bytes(line_of(whole), kLineFree, lines);
        BlockInfo& info = block_of(whole);
        info.free_lines = static_cast<std::uint16_t>(info.free_lines + lines);
        collector.used_lines -= lines;
        poison(whole, static_cast<std::size_t>(limit - whole));
    }
    std::byte* const end = whole < limit ? whole : limit;
    if (cursor < end) {
        static_cast<void>(begin_object(cursor, &kFillerType, static_cast<std::size_t>(end - cursor)));
    }
}

}  // namespace

/// Closes a thread's runs, so that the block can be read from end to end.
void Collector::retire(Mutator& mutator) noexcept {
    if (mutator.real_limit != nullptr) {
        mutator.limit = mutator.real_limit;
        mutator.real_limit = nullptr;
    }
    retire_run(*this, mutator.cursor, mutator.limit);
    retire_run(*this, mutator.overflow_cursor, mutator.overflow_limit);
    mutator.cursor = mutator.limit = nullptr;
    mutator.overflow_cursor = mutator.overflow_limit = nullptr;
    mutator.block = nullptr;
}

/// Gives the memory of neighbouring empty blocks back in one call.
void Collector::discard_run(Chunk* chunk, std::size_t first, std::size_t end) noexcept {
    if (first >= end) {
        return;
    }
    std::byte* const begin = reinterpret_cast<std::byte*>(chunk) + first * kBlockBytes;
    const std::size_t bytes = (end - first) * kBlockBytes;
    unpoison(begin, bytes);
    if (!os::discard(begin, bytes)) {
        return;
    }
    for (std::size_t index = first; index < end; ++index) {
        chunk->blocks[index].state = BlockState::fresh;
    }
    resident_empty -= end - first;
    committed_bytes -= (end - first) * (kBlockBytes + kTablesPerBlock);
    returned_now += bytes;
}

/// What a pause has time for of what the last cycle found to be too much: a page costs the kernel about 150 ns.
void Collector::give_back_some() noexcept {
    if (resident_empty * kBlockBytes > spare_bytes) {
        give_back(spare_bytes, std::max(kBlockBytes, static_cast<std::size_t>(config.pause_budget_ns) * 2));
    }
}

/// Returns memory of empty blocks until at most about `keep_bytes` of them are left or about `most_bytes` are returned, and
/// chunks without any object whole.
void Collector::give_back(std::size_t keep_bytes, std::size_t most_bytes) noexcept {
    Chunk* next = nullptr;
    const std::size_t before = returned_now;
    for (Chunk* chunk = chunks; chunk != nullptr && returned_now - before < most_bytes; chunk = next) {
        next = chunk->next;
        if (chunk->is_huge) {
            continue;
        }
        std::size_t first = kFirstBlock;
        for (std::size_t index = kFirstBlock; index <= kBlocksPerChunk; ++index) {
            const bool is_free = index < kBlocksPerChunk && chunk->blocks[index].state == BlockState::free &&
                                 (resident_empty - (index - first)) * kBlockBytes > keep_bytes &&
                                 returned_now - before + (index - first) * kBlockBytes < most_bytes;
            if (!is_free) {
                discard_run(chunk, first, index);
                first = index + 1;
            }
        }
        bool all_fresh = chunk->empty_blocks == kUsableBlocks;
        for (std::size_t index = kFirstBlock; index < kBlocksPerChunk && all_fresh; ++index) {
            all_fresh = chunk->blocks[index].state == BlockState::fresh;
        }
        if (all_fresh) {
            empty_blocks -= kUsableBlocks;
            release_chunk(chunk);
        }
    }
}

}  // namespace heapwright::gc::detail
