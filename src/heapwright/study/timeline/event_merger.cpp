// The merge: a heap of the threads' next ticks, and lazy decoding behind it.
#include <heapwright/study/timeline/event_merger.hpp>

#include <algorithm>
#include <utility>

namespace heapwright::study {
namespace {

using trace::ChunkKind;
using trace::ChunkRef;
using trace::Event;
using trace::EventKind;
using trace::Tick;

// A batch is what one thread decodes ahead. Chunks up to kSmallChunk are decoded whole, so that programs with very
// many threads, whose chunks are short, do not keep a decoder (100 KiB) for each of them.
constexpr std::size_t kSourceBatch = 256;
constexpr std::size_t kSmallChunk = 1024;

constexpr auto later = [](const auto& a, const auto& b) { return b < a; };

bool gives_back(EventKind kind) { return kind == EventKind::release || kind == EventKind::resize_from; }

}  // namespace

EventMerger::EventMerger(trace::Reader& reader) : reader_(reader) {
    const auto chunks = reader.chunks();
    for (std::uint32_t i = 0; i < chunks.size(); ++i) {
        if (chunks[i].header.kind == ChunkKind::events && chunks[i].header.items > 0) {
            chunk_order_.push_back(i);
        }
    }
    std::stable_sort(chunk_order_.begin(), chunk_order_.end(),
                     [&](auto a, auto b) { return chunks[a].header.thread < chunks[b].header.thread; });
    for (std::uint32_t i = 0; i < chunk_order_.size(); ++i) {
        if (i == 0 || chunks[chunk_order_[i]].header.thread != chunks[chunk_order_[i - 1]].header.thread) {
            sources_.emplace_back();
            sources_.back().first_chunk = i;
        }
        sources_.back().last_chunk = i + 1;
    }
    for (std::uint32_t i = 0; i < sources_.size(); ++i) {
        turns_.push_back(turn_of(i));
    }
    std::make_heap(turns_.begin(), turns_.end(), later);
    merged_.reserve(kBatch);
}

EventMerger::Turn EventMerger::turn_of(std::uint32_t index) const {
    const Source& source = sources_[index];
    if (!source.has_head()) {
        const ChunkRef& chunk = reader_.chunks()[chunk_order_[source.first_chunk]];
        return {.tick = std::max(chunk.header.first_tick, source.tick), .rank = 0, .source = index};
    }
    const Tick tick = source.batch[source.head].tick;
    for (std::size_t i = source.head; i < source.batch.size() && source.batch[i].tick == tick; ++i) {
        if (gives_back(source.batch[i].kind)) {
            return {.tick = tick, .rank = 0, .source = index};
        }
    }
    return {.tick = tick, .rank = 1, .source = index};
}

void EventMerger::enqueue(std::uint32_t index) {
    turns_.push_back(turn_of(index));
    std::push_heap(turns_.begin(), turns_.end(), later);
}

void EventMerger::close_chunk(Source& source) {
    if (source.cursor != nullptr) {
        idle_cursors_.push_back(std::move(source.cursor));
    }
    source.open_chunk = nullptr;
}

/// Decodes on in the open chunk, and closes it at its end.
void EventMerger::decode_batch(Source& source) {
    if (source.open_chunk == nullptr) {
        return;
    }
    source.head = 0;
    const std::uint64_t raised = source.cursor->raised();
    const bool is_small = source.open_chunk->header.items <= kSmallChunk;
    if (is_small) {
        // One more than can follow, so that the decoder looks for what must not follow.
        scratch_.resize(kSmallChunk + 1);
        const std::size_t count = source.cursor->next(scratch_);
        source.batch.assign(scratch_.begin(), scratch_.begin() + static_cast<std::ptrdiff_t>(count));
    } else {
        source.batch.resize(kSourceBatch);
        source.batch.resize(source.cursor->next(source.batch));
    }
    source.tick = source.cursor->tick();
    late_events_ += source.cursor->raised() - raised;
    if (source.cursor->is_damaged()) {
        reader_.report_damage(*source.open_chunk, source.cursor->lost());
    }
    if (is_small || !source.has_head()) {
        close_chunk(source);
    }
}

/// Returns:  false when the thread has no chunk left. The chunk that was opened may turn out to be empty.
Result<bool> EventMerger::open_next_chunk(Source& source) {
    if (source.first_chunk == source.last_chunk) {
        return false;
    }
    source.open_chunk = &reader_.chunks()[chunk_order_[source.first_chunk++]];
    if (idle_cursors_.empty()) {
        source.cursor = std::make_unique<trace::EventCursor>();
    } else {
        source.cursor = std::move(idle_cursors_.back());
        idle_cursors_.pop_back();
    }
    const auto payload = reader_.load(*source.open_chunk, source.cursor->payload());
    if (!payload && payload.error().kind != Errc::damaged_data) {
        return std::unexpected(payload.error());
    }
    if (!payload) {
        close_chunk(source);
    } else if (!source.cursor->start(source.open_chunk->header, source.tick)) {
        reader_.report_damage(*source.open_chunk, source.open_chunk->header.items);
        close_chunk(source);
    }
    return true;
}

/// Makes the source have a head, if anything of it is left.
Result<bool> EventMerger::refill(Source& source) {
    while (!source.has_head()) {
        if (source.open_chunk == nullptr) {
            const auto opened = open_next_chunk(source);
            if (!opened || !*opened) {
                return opened;
            }
        }
        decode_batch(source);
    }
    return true;
}

/// Takes events of one source as long as it is its turn and its chunk lasts.
void EventMerger::drain(Source& source, std::uint32_t index, Tick limit) {
    const bool is_alone = turns_.empty();
    const Turn rival = is_alone ? Turn{} : turns_.front();
    while (source.has_head() && merged_.size() < kBatch) {
        const Event& event = source.batch[source.head];
        if (event.tick > limit) {
            return;
        }
        if (!is_alone && event.tick >= rival.tick && (event.tick > rival.tick || rival < turn_of(index))) {
            return;
        }
        merged_.push_back(event);
        if (++source.head == source.batch.size()) {
            decode_batch(source);
        }
    }
}

Result<std::span<const Event>> EventMerger::next(Tick limit) {
    merged_.clear();
    while (merged_.size() < kBatch && !turns_.empty() && turns_.front().tick <= limit) {
        const std::uint32_t index = turns_.front().source;
        std::pop_heap(turns_.begin(), turns_.end(), later);
        turns_.pop_back();
        Source& source = sources_[index];
        const bool had_head = source.has_head();
        const auto refilled = refill(source);
        if (!refilled) {
            return std::unexpected(refilled.error());
        }
        // A head that was just decoded competes with what it really is, not with what its header said.
        if (*refilled && (had_head || turns_.empty())) {
            drain(source, index, limit);
        }
        if (source.has_head() || source.first_chunk != source.last_chunk) {
            enqueue(index);
        } else {
            source.batch = {};  // the thread has ended
        }
    }
    delivered_ += merged_.size();
    return std::span<const Event>(merged_);
}

}  // namespace heapwright::study
