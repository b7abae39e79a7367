#include <heapwright/study/doctor/chunk_walk.hpp>

#include <algorithm>
#include <cstring>

namespace heapwright::study::doctor::glibc {

namespace {

constexpr std::size_t kLeastWindow = std::size_t{64} << 10;
constexpr std::size_t kMostWindow = std::size_t{1} << 20;
/// So many chunks that follow one another are no accident.
constexpr int kConvincing = 12;

}  // namespace

void ChunkFigures::add(const ChunkFigures& other) {
    live_bytes += other.live_bytes;
    header_bytes += other.header_bytes;
    trimmable_bytes += other.trimmable_bytes;
    kept_bytes += other.kept_bytes;
    pinned_bytes += other.pinned_bytes;
    uncertain_bytes += other.uncertain_bytes;
    used_chunks += other.used_chunks;
    free_chunks += other.free_chunks;
    fast_chunks += other.fast_chunks;
    largest_free_bytes = std::max(largest_free_bytes, other.largest_free_bytes);
    lost += other.lost;
}

ChunkWalk::ChunkWalk(MemorySource& memory, const PageRun& pages, const Segment& segment, const ChunkSet& fast)
    : memory_(memory), pages_(pages), segment_(segment), fast_(fast), window_(kMostWindow) {}

std::uint64_t ChunkWalk::window_word(std::uint64_t offset) const {
    std::uint64_t value = 0;
    std::memcpy(&value, window_.data() + offset, sizeof(value));
    return value;
}

/// Where chunks are small the windows grow; where one large chunk follows another, little is read of each.
void ChunkWalk::load(std::uint64_t address) {
    const bool goes_on = window_bytes_ != 0 && address - (window_start_ + window_bytes_) < kPageBytes;
    const std::uint64_t wanted = goes_on ? std::min(kMostWindow, window_bytes_ * 2) : kLeastWindow;
    window_start_ = page_down(address);
    window_bytes_ = std::min(wanted, page_up(segment_.end) - window_start_);
    memory_.read(window_start_, std::span{window_.data(), window_bytes_});
}

std::uint64_t ChunkWalk::word_slow(std::uint64_t address) {
    if (address >= segment_.end) {
        return 0;
    }
    load(address);
    return window_word(address - window_start_);
}

/// A word far away, without moving the window.
std::uint64_t ChunkWalk::peek(std::uint64_t address) {
    const std::uint64_t offset = address - window_start_;
    if (offset + sizeof(std::uint64_t) <= window_bytes_) {
        return window_word(offset);
    }
    return memory_.object<std::uint64_t>(address).value_or(0);
}

bool ChunkWalk::has_plain_flags(std::uint64_t head) const {
    const std::uint64_t wrong = kMapped | (segment_.is_main ? kOtherArena : 0) | (kAlignment / 2);
    return (head & wrong) == 0 && (head & ~kFlags) >= kFencePost;
}

bool ChunkWalk::is_chunk(std::uint64_t at, std::uint64_t head) const {
    return has_plain_flags(head) && (head & ~kFlags) <= segment_.end - at;
}

/// The last chunk of a segment that has a top; also where the process has moved it since the arena was read.
bool ChunkWalk::is_top(std::uint64_t at, std::uint64_t next) {
    return segment_.top != 0 && (next == segment_.end || (at == segment_.top && !leads_on(next)));
}

/// Whether chunks follow one another from here, and free ones end as they begin.
bool ChunkWalk::leads_on(std::uint64_t at) {
    for (int step = 0; step < kConvincing; ++step) {
        if (at == segment_.top) {
            return true;
        }
        const std::uint64_t head = peek(at + 8);
        if (!is_chunk(at, head) || (head & ~kFlags) < kSmallestChunk) {
            return false;
        }
        const std::uint64_t next = at + (head & ~kFlags);
        if (next + 16 > segment_.end) {
            return step > 0;
        }
        if ((peek(next + 8) & kPreviousInUse) == 0 && peek(next) != (head & ~kFlags)) {
            return false;
        }
        at = next;
    }
    return true;
}

void ChunkWalk::count_free(std::uint64_t from, std::uint64_t to) {
    const std::uint64_t resident = pages_.resident_bytes(from, to);
    const std::uint64_t whole_from = page_up(from + kFreeRecordBytes);
    const std::uint64_t whole = to - from > kPageBytes - 1 + kFreeRecordBytes ? pages_.resident_bytes(whole_from, page_down(to)) : 0;
    figures_.trimmable_bytes += whole;
    figures_.pinned_bytes += resident - whole;
    figures_.largest_free_bytes = std::max(figures_.largest_free_bytes, to - from);
}

/// The top with the free chunks before it, which a trim would join to it.
void ChunkWalk::count_top(std::uint64_t from, std::uint64_t to) {
    std::uint64_t given_from = to;
    if (segment_.is_main && to == segment_.end) {
        // A trim leaves room for one smallest chunk, and gives back whole pages from the end.
        const std::uint64_t spare = to - from > kSmallestChunk + 1 ? to - from - kSmallestChunk - 1 : 0;
        given_from = to - (spare - spare % segment_.trim_step);
    }
    const std::uint64_t whole_from = std::min(page_up(from + kFreeRecordBytes), given_from);
    figures_.trimmable_bytes += pages_.resident_bytes(given_from, to);
    figures_.kept_bytes += pages_.resident_bytes(whole_from, given_from);
    figures_.pinned_bytes += pages_.resident_bytes(from, whole_from);
    figures_.largest_free_bytes = std::max(figures_.largest_free_bytes, to - from);
}

void ChunkWalk::close_run(std::uint64_t to) {
    if (run_start_ == to) {
        return;
    }
    if (run_is_free_) {
        count_free(run_start_, to);
    } else {
        const std::uint64_t resident = pages_.resident_bytes(run_start_, to);
        const std::uint64_t headers = std::min(run_headers_, resident);
        figures_.header_bytes += headers;
        figures_.live_bytes += resident - headers;
    }
    run_start_ = to;
    run_headers_ = 0;
}

void ChunkWalk::note(std::uint64_t at, std::uint64_t bytes, bool is_free, bool is_fast) {
    if (is_free != run_is_free_) {
        close_run(at);
        run_is_free_ = is_free;
    }
    if (is_free) {
        ++figures_.free_chunks;
        figures_.fast_chunks += is_fast ? 1 : 0;
        return;
    }
    if (bytes == kFencePost) {
        run_headers_ += kFencePost;
        return;
    }
    ++figures_.used_chunks;
    run_headers_ += kHeaderBytes;
    if (bytes == kThreadCacheChunk || bytes == kOldThreadCacheChunk) {
        candidates_.push_back({.address = at, .bytes = bytes});
    }
}

/// Bytes of the chunk with this head; 0 where there is none. The process may have changed it between two reads: one that
/// makes no sense is read again.
std::uint64_t ChunkWalk::bytes_of(std::uint64_t at, std::uint64_t& head) {
    for (const bool is_last_try : {false, true}) {
        if (is_chunk(at, head)) {
            return head & ~kFlags;
        }
        if (at == segment_.top && has_plain_flags(head)) {
            return segment_.end - at;  // it grew since the mappings were read
        }
        if (is_last_try || !pages_.contains(at) || !pages_.is_resident(at)) {
            break;
        }
        load(at);
        head = word(at + 8);
    }
    return 0;
}

/// The top, with the free chunks that lie before it.
std::uint64_t ChunkWalk::close_with_top(std::uint64_t at, std::uint64_t next) {
    if (!run_is_free_) {
        close_run(at);
    }
    count_top(run_start_, next);
    run_start_ = next;
    return next;
}

/// Follows chunks from `at`; returns the end, or the place that is no chunk.
std::uint64_t ChunkWalk::walk_from(std::uint64_t at) {
    run_start_ = at;
    run_headers_ = 0;
    run_is_free_ = false;
    std::uint64_t head = word(at + 8);
    for (;;) {
        const std::uint64_t bytes = bytes_of(at, head);
        const std::uint64_t next = at + bytes;
        if (bytes == 0) {
            close_run(at);
            return at;
        }
        if (is_top(at, next)) {
            return close_with_top(at, next);
        }
        if (next + kSmallestChunk / 2 > segment_.end) {  // nothing follows that could say whether it is free
            note(at, bytes, false, false);
            close_run(next);
            return next;
        }
        const std::uint64_t next_head = word(next + 8);
        const bool is_fast = fast_.contains(at);
        // A next chunk that is not resident says nothing: in use, then.
        const bool is_freed = (next_head & kPreviousInUse) == 0 && next_head != 0;
        note(at, bytes, is_freed || is_fast, is_fast);
        at = next;
        head = next_head;
    }
}

/// The next place from which chunks can be followed; the segment's end when there is none.
std::uint64_t ChunkWalk::search_from(std::uint64_t at) {
    at = (at + kAlignment - 1) & ~(kAlignment - 1);
    while (at + kAlignment <= segment_.end) {
        if (!pages_.contains(at)) {
            break;
        }
        if (!pages_.is_resident(at)) {
            at = pages_.next_resident(at);
            continue;
        }
        if (at == segment_.top || (is_chunk(at, word(at + 8)) && leads_on(at))) {
            return at;
        }
        at += kAlignment;
    }
    return segment_.end;
}

void ChunkWalk::run() {
    std::uint64_t at = segment_.begin;
    while (at < segment_.end) {
        const std::uint64_t stopped = walk_from(at);
        if (stopped >= segment_.end) {
            return;
        }
        // Behind the last chunk of a heap lies one of no bytes.
        if (stopped + kFencePost >= segment_.end || (stopped + 2 * kFencePost >= segment_.end && (word(stopped + 8) & ~kFlags) == 0)) {
            figures_.header_bytes += pages_.resident_bytes(stopped, segment_.end);
            return;
        }
        ++figures_.lost;
        const std::uint64_t found = search_from(stopped + (stopped == at ? kAlignment : 0));
        figures_.uncertain_bytes += pages_.resident_bytes(stopped, found);
        at = found;
    }
}

const char* ChunkWalk::broken_invariant() const {
    const std::uint64_t sum = figures_.live_bytes + figures_.header_bytes + figures_.trimmable_bytes + figures_.kept_bytes +
                              figures_.pinned_bytes + figures_.uncertain_bytes;
    return sum == pages_.resident_bytes(segment_.begin, segment_.end) ? nullptr : "CW1: what was found is not what is resident";
}

}  // namespace heapwright::study::doctor::glibc
