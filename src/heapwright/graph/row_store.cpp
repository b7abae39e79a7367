// Where rows are written, how segments are cleaned.
#include <heapwright/graph/detail/row_store.hpp>

#include <cstring>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/base/layout.hpp>

namespace heapwright::graph::detail {

namespace {

constexpr Layout words_layout(std::uint64_t words) { return {.size = words * sizeof(std::uint32_t), .alignment = alignof(std::uint32_t)}; }

// Cleaning begins when this share of the words is dead. An eighth costs at most seven words moved for each that is won.
constexpr std::uint64_t kDeadShare = 8;

}  // namespace

Result<RowPlace> RowStore::take(NodeId node, std::uint32_t capacity, const Owner& owner) noexcept {
    if (has_own_block(capacity)) {
        return take_own_block(node, capacity);
    }
    if (open_ == UINT32_MAX || segments_[open_].room - segments_[open_].used < capacity + 1) {
        if (const auto room = make_room(capacity + 1, owner); !room) {
            return std::unexpected(room.error());
        }
    }
    return write_row(node, capacity);
}

RowPlace RowStore::write_row(NodeId node, std::uint32_t capacity) noexcept {
    Segment& segment = segments_[open_];
    const RowPlace place = (open_ << kSegmentBits) + segment.used;
    segment.words[segment.used] = node;
    segment.used += capacity + 1;
    return place;
}

Result<void> RowStore::make_room(std::uint32_t words, const Owner& owner) noexcept {
    const auto has_room = [&] { return open_ != UINT32_MAX && segments_[open_].room - segments_[open_].used >= words; };
    for (bool cleans = true;; cleans = false) {
        if (auto grown = grow_first(words); !grown) {
            return grown;
        }
        if (has_room()) {
            return {};
        }
        if (auto opened = open_segment(); !opened) {
            return opened;
        }
        // Only once: what was moved into the fresh segment may be what leaves no room for this row, again and again.
        if (cleans) {
            clean(owner);
        }
        if (has_room()) {
            return {};
        }
    }
}

/// The only segment of a small graph is copied to twice its size until it is as large as any.
Result<void> RowStore::grow_first(std::uint32_t words) noexcept {
    if (open_ == UINT32_MAX || segments_[open_].room >= kSegmentWords) {
        return {};
    }
    Segment& segment = segments_[open_];
    std::uint32_t room = segment.room;
    while (room < kSegmentWords && room - segment.used < words) {
        room *= 2;
    }
    if (room == segment.room) {
        return {};
    }
    auto* const grown = static_cast<std::uint32_t*>(memory_.try_allocate(words_layout(room)));
    if (grown == nullptr) {
        return fail_with(Errc::out_of_memory, words_layout(room).size);
    }
    std::memcpy(grown, segment.words, segment.used * sizeof(std::uint32_t));
    memory_.deallocate(segment.words, words_layout(segment.room));
    words_ += room - segment.room;
    segment.words = grown;
    segment.room = room;
    return {};
}

Result<void> RowStore::open_segment() noexcept {
    const auto entry = free_entry();
    if (!entry) {
        return std::unexpected(entry.error());
    }
    const std::uint32_t room = open_ == UINT32_MAX ? kFirstWords : kSegmentWords;
    std::uint32_t* words = nullptr;
    if (room == kSegmentWords && spare_ != nullptr) {
        words = spare_;
        spare_ = nullptr;
    } else {
        words = static_cast<std::uint32_t*>(memory_.try_allocate(words_layout(room)));
        if (words == nullptr) {
            return fail_with(Errc::out_of_memory, words_layout(room).size);
        }
    }
    if (open_ != UINT32_MAX) {
        close_open_segment();
    }
    open_ = *entry;
    segments_[open_] = Segment{.words = words, .room = room, .used = 0, .dead = 0};
    words_ += room;
    return {};
}

/// What is left at its end becomes a dead row; a single word is too short for one and stays unwritten.
void RowStore::close_open_segment() noexcept {
    Segment& segment = segments_[open_];
    const std::uint32_t left = segment.room - segment.used;
    if (left >= 2) {
        kill(segment, segment.used, left);
        segment.used = segment.room;
    }
    if (segment.dead == segment.used) {
        release_segment(open_);
    }
}

Result<std::uint32_t> RowStore::free_entry() noexcept {
    for (std::uint32_t index = 0; index < table_used_; ++index) {
        if (segments_[index].words == nullptr) {
            return index;
        }
    }
    if (table_used_ == kSegmentsMax) {
        return fail_with(Errc::limit_reached, std::uint64_t{kSegmentsMax} * kSegmentWords * sizeof(std::uint32_t));
    }
    if (table_used_ == table_room_) {
        if (const auto grown = grow_table(); !grown) {
            return std::unexpected(grown.error());
        }
    }
    segments_[table_used_] = Segment{};
    return table_used_++;
}

Result<void> RowStore::grow_table() noexcept {
    const std::uint32_t room = table_room_ == 0 ? 4 : table_room_ * 2;
    const auto layout = [](std::uint32_t count) { return Layout{.size = count * sizeof(Segment), .alignment = alignof(Segment)}; };
    auto* const grown = static_cast<Segment*>(memory_.try_allocate(layout(room)));
    if (grown == nullptr) {
        return fail_with(Errc::out_of_memory, layout(room).size);
    }
    if (segments_ != nullptr) {
        std::memcpy(grown, segments_, table_used_ * sizeof(Segment));
        memory_.deallocate(segments_, layout(table_room_));
    }
    segments_ = grown;
    table_room_ = room;
    return {};
}

/// Empties segments into the open one until few words are dead, or it is full.
void RowStore::clean(const Owner& owner) noexcept {
    bool goes_on = true;
    while (goes_on && dead_ * kDeadShare >= words_) {
        goes_on = clean_one(owner);
    }
}

/// Moves the live rows of the segment with the most dead words into the open one. False when none is worth it or none fits.
bool RowStore::clean_one(const Owner& owner) noexcept {
    std::uint32_t victim = UINT32_MAX;
    for (std::uint32_t index = 0; index < table_used_; ++index) {
        const Segment& segment = segments_[index];
        if (segment.is_shared() && index != open_ && segment.dead > 0 && (victim == UINT32_MAX || segment.dead > segments_[victim].dead)) {
            victim = index;
        }
    }
    if (victim == UINT32_MAX) {
        return false;
    }
    const Segment from = segments_[victim];
    if (from.used - from.dead > segments_[open_].room - segments_[open_].used) {
        return false;
    }
    for (std::uint32_t at = 0; at < from.used;) {
        const NodeId node = from.words[at];
        if (node == kDead) {
            at += from.words[at + 1];
            continue;
        }
        const std::uint32_t capacity = owner.capacity_of(owner.graph, node);
        const RowPlace place = write_row(node, capacity);
        std::memcpy(targets(place), from.words + at + 1, capacity * sizeof(NodeId));
        owner.moved(owner.graph, node, place);
        at += capacity + 1;
    }
    release_segment(victim);
    return true;
}

void RowStore::release_segment(std::uint32_t index) noexcept {
    Segment& segment = segments_[index];
    words_ -= segment.room;
    dead_ -= segment.dead;
    if (spare_ == nullptr && segment.room == kSegmentWords) {
        spare_ = segment.words;
    } else {
        memory_.deallocate(segment.words, words_layout(segment.room));
    }
    segment = Segment{};
}

Result<RowPlace> RowStore::take_own_block(NodeId node, std::uint32_t capacity) noexcept {
    const auto entry = free_entry();
    if (!entry) {
        return std::unexpected(entry.error());
    }
    const std::uint32_t room = capacity + 1;
    auto* const words = static_cast<std::uint32_t*>(memory_.try_allocate(words_layout(room)));
    if (words == nullptr) {
        return fail_with(Errc::out_of_memory, words_layout(room).size);
    }
    segments_[*entry] = Segment{.words = words, .room = room, .used = room, .dead = kOwnBlock};
    own_block_words_ += room;
    words[0] = node;
    return *entry << kSegmentBits;
}

void RowStore::kill(Segment& segment, std::uint32_t at, std::uint32_t words) noexcept {
    segment.words[at] = kDead;
    segment.words[at + 1] = words;
    segment.dead += words;
    dead_ += words;
}

void RowStore::drop(RowPlace place, std::uint32_t capacity) noexcept {
    const std::uint32_t index = place >> kSegmentBits;
    if (has_own_block(capacity)) {
        memory_.deallocate(segments_[index].words, words_layout(segments_[index].room));
        own_block_words_ -= segments_[index].room;
        segments_[index] = Segment{};
        return;
    }
    Segment& segment = segments_[index];
    const std::uint32_t at = place & (kSegmentWords - 1);
    if (index == open_ && at + capacity + 1 == segment.used) {
        segment.used = at;  // the newest row: as if it had never been
        return;
    }
    kill(segment, at, capacity + 1);
    if (index != open_ && segment.dead == segment.used) {
        release_segment(index);
    }
}

void RowStore::drop_tail(RowPlace place, std::uint32_t kept, std::uint32_t capacity) noexcept {
    kill(segments_[place >> kSegmentBits], (place & (kSegmentWords - 1)) + 1 + kept, capacity - kept);
}

void RowStore::swap(RowStore& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(segments_, other.segments_);
    std::swap(table_room_, other.table_room_);
    std::swap(table_used_, other.table_used_);
    std::swap(open_, other.open_);
    std::swap(spare_, other.spare_);
    std::swap(words_, other.words_);
    std::swap(dead_, other.dead_);
    std::swap(own_block_words_, other.own_block_words_);
}

void RowStore::release() noexcept {
    for (std::uint32_t index = 0; index < table_used_; ++index) {
        if (segments_[index].words != nullptr) {
            memory_.deallocate(segments_[index].words, words_layout(segments_[index].room));
        }
    }
    if (spare_ != nullptr) {
        memory_.deallocate(spare_, words_layout(kSegmentWords));
    }
    if (segments_ != nullptr) {
        memory_.deallocate(segments_, Layout{.size = table_room_ * sizeof(Segment), .alignment = alignof(Segment)});
    }
    segments_ = nullptr;
    spare_ = nullptr;
    table_room_ = table_used_ = 0;
    open_ = UINT32_MAX;
    words_ = dead_ = own_block_words_ = 0;
}

std::size_t RowStore::owned_bytes() const noexcept {
    const std::uint64_t words = words_ + own_block_words_ + (spare_ != nullptr ? kSegmentWords : 0);
    return words * sizeof(std::uint32_t) + table_room_ * sizeof(Segment);
}

const char* RowStore::broken_segment(std::uint32_t index, const Owner& owner) const noexcept {
    const Segment& segment = segments_[index];
    std::uint32_t dead = 0;
    std::uint32_t at = 0;
    while (at < segment.used) {
        const NodeId node = segment.words[at];
        const std::uint32_t length = node == kDead ? segment.words[at + 1] : owner.capacity_of(owner.graph, node) + 1;
        if (length < 2 || length > segment.used - at) {
            return "R1: a row leaves its segment";
        }
        dead += node == kDead ? length : 0;
        at += length;
    }
    return dead == segment.dead ? nullptr : "R2: a segment's dead words are not the sum of its dead rows";
}

const char* RowStore::broken_invariant(const Owner& owner) const noexcept {
    std::uint64_t dead = 0;
    for (std::uint32_t index = 0; index < table_used_; ++index) {
        if (segments_[index].is_shared()) {
            if (const char* const broken = broken_segment(index, owner)) {
                return broken;
            }
            dead += segments_[index].dead;
        }
    }
    return dead == dead_ ? nullptr : "R2: the dead words are not the sum over the segments";
}

}  // namespace heapwright::graph::detail
