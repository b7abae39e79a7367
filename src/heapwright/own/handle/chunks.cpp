// Chunks are taken from below, keep their memory for a while, and give it back.
#include <heapwright/own/handle/detail/chunks.hpp>

#include <algorithm>
#include <span>

#include <heapwright/base/check.hpp>
#include <heapwright/base/poison.hpp>
#include <heapwright/os/clock.hpp>

namespace heapwright::movable {

namespace {

constexpr std::size_t kChunksAtOnce = 16;  // committed together
constexpr std::uint32_t kRecordsPerPage = os::kPageBytes / sizeof(Chunk);

constexpr bool is_free(ChunkState state) noexcept { return state == ChunkState::clean || state == ChunkState::dirty; }

}  // namespace

Chunks::Chunks(std::byte* addresses, std::size_t chunks, std::size_t limit_bytes) noexcept
    : base_(addresses),
      records_(reinterpret_cast<Chunk*>(addresses + chunks * kChunkBytes)),
      most_(chunks),
      limit_pages_(limit_bytes / os::kPageBytes) {}

bool Chunks::commit_to(std::size_t end) noexcept {
    if (end <= committed_) {
        return true;
    }
    const std::size_t wanted = std::min(align_up(end, kChunksAtOnce), most_);
    const std::size_t records_begin = committed_ / kRecordsPerPage * os::kPageBytes;
    const std::size_t records_end = os::round_to_pages(wanted * sizeof(Chunk));
    if (wanted < end || !os::commit(reinterpret_cast<std::byte*>(records_) + records_begin, records_end - records_begin) ||
        !os::commit(base_ + committed_ * kChunkBytes, (wanted - committed_) * kChunkBytes)) {
        return false;
    }
    committed_ = wanted;
    return true;
}

std::uint32_t Chunks::find(std::size_t run) noexcept {
    const std::uint32_t end = used_end_.load(std::memory_order_relaxed);  // grows under the lock
    while (first_free_ < end && !is_free(records_[first_free_].state())) {
        ++first_free_;
    }
    std::size_t found = 0;
    for (std::uint32_t index = first_free_; index < end; ++index) {
        found = is_free(records_[index].state()) ? found + 1 : 0;
        if (found == run) {
            return index + 1 - static_cast<std::uint32_t>(run);
        }
    }
    return end - static_cast<std::uint32_t>(found);  // with what was never used
}

std::uint32_t Chunks::take(std::size_t run) noexcept {
    const os::LockGuard guard(lock_);
    const std::uint32_t index = find(run);
    if (run > most_ - index || !commit_to(index + run)) {
        return kNoChunk;
    }
    const std::uint32_t end = used_end_.load(std::memory_order_relaxed);  // as in find()
    for (std::size_t part = index; part < index + run; ++part) {
        Chunk& chunk = records_[part];
        if (part < end && chunk.state() == ChunkState::dirty) {
            dirty_pages_ -= chunk.granted_pages;
            if (run > 1) {
                static_cast<void>(os::discard(base_ + part * kChunkBytes, kChunkBytes));  // kept: it is about to be written anyway
                revoke(chunk.granted_pages);
                chunk.granted_pages = 0;
            }
        }
        chunk.set_state(ChunkState::body);
        chunk.list = Chunk::kUnlisted;
    }
    if (index + run > end) {
        // Release pairs with the acquire in used_end(): the records are seen.
        used_end_.store(static_cast<std::uint32_t>(index + run), std::memory_order_release);
    }
    unpoison(base_ + index * kChunkBytes, run * kChunkBytes);
    return index;
}

void Chunks::give(std::uint32_t index, std::size_t run) noexcept {
    const os::LockGuard guard(lock_);
    for (std::size_t part = index; part < index + run; ++part) {
        records_[part].set_state(part == index && records_[part].granted_pages != 0 ? ChunkState::dirty : ChunkState::clean);
        records_[part].run = 0;
    }
    if (records_[index].state() == ChunkState::dirty) {
        dirty_pages_ += records_[index].granted_pages;
        dirty_end_ = std::max(dirty_end_, index + 1);
    }
    first_free_ = std::min(first_free_, index);
}

bool Chunks::grant(std::size_t pages) noexcept {
    // Relaxed: the sum is all that threads share.
    if (granted_pages_.fetch_add(pages, std::memory_order_relaxed) + pages > limit_pages_) {
        revoke(pages);
        return false;
    }
    return true;
}

void Chunks::revoke(std::size_t pages) noexcept {
    granted_pages_.fetch_sub(pages, std::memory_order_relaxed);  // as above
}

/// One that the caller may empty. It is nobody's meanwhile.
std::uint32_t Chunks::take_dirty() noexcept {
    const os::LockGuard guard(lock_);
    while (dirty_end_ > first_free_) {
        const std::uint32_t index = --dirty_end_;
        if (records_[index].state() == ChunkState::dirty) {
            records_[index].set_state(ChunkState::body);
            dirty_pages_ -= records_[index].granted_pages;
            return index;
        }
    }
    return kNoChunk;
}

std::size_t Chunks::trim(std::size_t keep_bytes, std::uint64_t deadline_ns) noexcept {
    std::size_t returned = 0;
    while (dirty_bytes() > keep_bytes && (deadline_ns == UINT64_MAX || os::monotonic_ns() < deadline_ns)) {
        const std::uint32_t index = take_dirty();
        if (index == kNoChunk) {
            break;
        }
        Chunk& chunk = records_[index];
        // Outside of every lock: it is a system call that takes as long as 64 pages take.
        if (os::discard(start_of(chunk), kChunkBytes)) {
            revoke(chunk.granted_pages);
            returned += chunk.granted_pages * os::kPageBytes;
            chunk.granted_pages = 0;
        }
        const bool is_refused = chunk.granted_pages != 0;  // by the kernel
        give(index, 1);
        if (is_refused) {
            break;
        }
    }
    return returned;
}

std::size_t Chunks::trim_records(std::uint32_t& next, std::uint64_t deadline_ns) noexcept {
    if (std::size_t{next} + kRecordsPerPage > used_end()) {
        next = kNoChunk;
        return 0;
    }
    std::size_t returned = 0;
    do {
        const os::LockGuard guard(lock_);
        const std::span records(records_ + next, kRecordsPerPage);
        const bool is_clean = std::ranges::all_of(records, [](const Chunk& chunk) { return chunk.state() == ChunkState::clean; });
        // A record that was ever used is in no list when its chunk is free, and a zeroed one seems to be in the first.
        const bool is_written = std::ranges::any_of(records, [](const Chunk& chunk) { return chunk.list != 0; });
        if (is_clean && is_written && os::discard(records.data(), os::kPageBytes)) {
            returned += os::kPageBytes;
        }
        next += kRecordsPerPage;
        if (next + kRecordsPerPage > used_end()) {
            next = kNoChunk;
        }
    } while (next != kNoChunk && (deadline_ns == UINT64_MAX || os::monotonic_ns() < deadline_ns));
    return returned;
}

std::size_t Chunks::granted_bytes() const noexcept {
    return granted_pages_.load(std::memory_order_relaxed) * os::kPageBytes;  // a figure of a moment
}

std::size_t Chunks::dirty_bytes() const noexcept {
    const os::LockGuard guard(lock_);
    return dirty_pages_ * os::kPageBytes;
}

std::size_t Chunks::largest_free_run() const noexcept {
    const os::LockGuard guard(lock_);
    std::size_t largest = 0;
    std::size_t run = 0;
    const std::uint32_t end = used_end_.load(std::memory_order_relaxed);  // as in find()
    for (std::uint32_t index = first_free_; index < end; ++index) {
        run = is_free(records_[index].state()) ? run + 1 : 0;
        largest = std::max(largest, run);
    }
    return largest * kChunkBytes;
}

}  // namespace heapwright::movable
