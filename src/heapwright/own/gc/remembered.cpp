// Places in old objects that refer to young ones, 16 bytes each; and objects whose constructor, which has no barrier, was running.
#include <algorithm>
#include <cstring>

#include <heapwright/os/clock.hpp>
#include <heapwright/own/gc/detail/bytes.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/marker.hpp>

namespace heapwright::gc::detail {

void remember_slow(const void* slot) noexcept {
    Chunk& chunk = *first_chunk_of(slot);
    if (chunk_kind(slot) == kContinuation) {
        // Inside an object that is larger than a chunk. Relaxed: as mark bytes.
        if (load_byte(line_of(chunk_base(&chunk) + kFirstByte)) == kLineYoung ||
            (__atomic_fetch_or(chunk.card_of(slot), Chunk::card_bit(slot), __ATOMIC_RELAXED) & Chunk::card_bit(slot)) != 0) {
            return;
        }
    } else if ((__atomic_fetch_or(mark_of(slot), std::uint8_t{kMarkLogged}, __ATOMIC_RELAXED) & kMarkLogged) != 0) {
        return;  // another thread was first
    }
    Mutator& mutator = *current_mutator;
    if (HEAPWRIGHT_LIKELY(mutator.collector == chunk.owner)) {
        mutator.remembered.push(slot);
        return;
    }
    const os::LockGuard guard(chunk.owner->lock);
    chunk.owner->remembered.push(slot);
}

/// Takes the note off the 16 bytes around `slot`. False where they are another's by now, or nobody's.
bool Collector::unlog(const void* slot) noexcept {
    const std::uint8_t kind = chunk_kind(slot);
    if (kind == kNoChunk) {
        return false;
    }
    Chunk& chunk = *first_chunk_of(slot);
    if (chunk.owner != this || (kind == kChunk && offset_in_chunk(slot) < kFirstByte)) {
        return false;
    }
    std::uint8_t* const byte = kind == kContinuation ? chunk.card_of(slot) : mark_of(slot);
    const std::uint8_t bit = kind == kContinuation ? Chunk::card_bit(slot) : std::uint8_t{kMarkLogged};
    const std::uint8_t was = load_byte(byte);
    store_byte(byte, static_cast<std::uint8_t>(was & ~bit));
    // A run that is handed out begins with no note, so a note in an old line is of the object that is there.
    return (was & bit) != 0 && (kind == kContinuation || (load_byte(line_of(slot)) & kLineOld) != 0);
}

namespace {

/// An object that is followed as a whole need not be followed for its other notes. The 16 bytes in which it begins may hold the
/// end of another.
void unlog_object(Header* header, std::size_t size_bytes) noexcept {
    const std::byte* at = reinterpret_cast<const std::byte*>(header) + (half_of(header) != 0 ? kUnitBytes : 0);
    const std::byte* const end = reinterpret_cast<const std::byte*>(header) + size_bytes;
    for (; at < end && chunk_kind(at) == kChunk; at += kUnitBytes << 1) {
        store_byte(mark_of(at), static_cast<std::uint8_t>(load_byte(mark_of(at)) & ~kMarkLogged));
    }
    if (at < end) {
        Chunk& chunk = *chunk_of(header);
        std::memset(chunk.card_of(at), 0, static_cast<std::size_t>(chunk.card_of(end - 1) - chunk.card_of(at)) + 1);
    }
}

}  // namespace

void Collector::forget_remembered() noexcept {
    for (const void* const slot : remembered) {
        static_cast<void>(unlog(slot));
    }
    remembered.clear();
    for (Header* const header : noted) {
        header->word &= ~Header::kNoted;
    }
    noted.clear();
}

namespace {

/// The mark of what is referred to from `slot`, if that is what it was.
void prefetch_target(const void* slot) noexcept {
    if (chunk_kind(slot) == kChunk && (load_byte(line_of(slot)) & kLineOld) != 0) {
        const void* const target = *static_cast<void* const*>(slot);
        __builtin_prefetch(mark_of(target), 1);
        __builtin_prefetch(header_of(target));
    }
}

}  // namespace

/// Looks again at old objects that were written to. False when the time was over first.
bool Collector::mark_remembered(Marker& marker, std::uint64_t deadline_ns) noexcept {
    constexpr std::size_t kBetweenLooks = 256;
    constexpr std::size_t kAhead = 8;
    marker.set(TraceMode::only_young, epoch);
    for (std::size_t index = 0; index < remembered.size(); ++index) {
        const void* const slot = remembered[index];
        if (index + 2 * kAhead < remembered.size()) {
            __builtin_prefetch(remembered[index + 2 * kAhead]);
            __builtin_prefetch(mark_of(remembered[index + 2 * kAhead]), 1);
            prefetch_target(remembered[index + kAhead]);
        }
        if (!unlog(slot)) {
            continue;
        }
        if (index % kBetweenLooks == kBetweenLooks - 1 && deadline_ns != kNoDeadline && os::monotonic_ns() >= deadline_ns) {
            marker.set(TraceMode::mark, epoch);
            return false;
        }
        // Whatever began in the middle of the 16 bytes holds none of their references: its header is there.
        const auto* const begin = reinterpret_cast<const std::byte*>(number_of(slot) & ~((std::uintptr_t{1} << kGranuleShift) - 1));
        const FoundObject found = find_object(begin);
        if (found.header == nullptr || (load_byte(mark_of(found.header)) & kMarkEpochs) != epoch) {
            continue;
        }
        const TypeInfo* const type = found.header->type();
        const bool is_whole = (found.header->word & Header::kConstructing) == 0;
        if (is_whole && (type->trace_part != nullptr || type->kind == ObjectKind::words)) {
            marker.trace_within(found.header, begin, begin + (std::size_t{1} << kGranuleShift));
        } else {
            unlog_object(found.header, found.size_bytes);
            marker.trace(found.header);
        }
    }
    remembered.clear();
    for (Header* const header : noted) {
        header->word &= ~Header::kNoted;
        if ((load_byte(mark_of(header)) & kMarkEpochs) == epoch) {
            marker.trace(header);
        }
    }
    noted.clear();
    marker.set(TraceMode::mark, epoch);
    return true;
}

namespace {

/// Young lines become old ones.
void promote_lines(std::uint8_t* lines) noexcept {
    bytes::each(lines, kLinesPerBlock,
                [](__m128i was) { return bytes::choose(bytes::has_none(was, bytes::all(kLineYoung)), was, bytes::all(kLineOld)); });
}

/// Where holes are filled, each line is a miss of the caches, and many are waited for at once.
void prefetch_young(const std::byte* block) noexcept {
    if (chunk_kind(block) != kChunk) {
        return;
    }
    const std::uint8_t* const lines = line_of(block);
    for (std::size_t line = 0; line < kLinesPerBlock; ++line) {
        if ((load_byte(lines + line) & kLineYoung) != 0) {
            __builtin_prefetch(block + line * kLineBytes);
            __builtin_prefetch(block + line * kLineBytes + kLineBytes / 2);
        }
    }
}

}  // namespace

/// Every young object becomes an old one, whether it is reachable or not: one pass over their headers, as they lie, and nothing is
/// followed. No old object refers to a young one then. Also while everything is marked in steps: then they count as reached, and what
/// they refer to was told or is theirs.
void Collector::promote_young() noexcept {
    const std::uint64_t begin_ns = os::monotonic_ns();
    std::size_t objects = 0;
    forget_remembered();
    for (std::size_t index = 0; index < touched.size(); ++index) {
        std::byte* const block = touched[index];
        if (index + 1 < touched.size()) {
            prefetch_young(touched[index + 1]);
        }
        if (chunk_kind(block) != kChunk || chunk_of(block)->owner != this) {
            continue;
        }
        const auto promote = [&](Header* header) {
            ++objects;
            std::uint8_t* const mark = mark_of(header);
            if (const std::uint8_t was = load_byte(mark); (was & kMarkEpochs) != epoch) {
                store_byte(mark, static_cast<std::uint8_t>(epoch | half_of(header) | (was & kMarkStays)));
            }
        };
        const BlockState state = block_of(block).state;
        if (chunk_of(block)->is_huge) {
            // The block may have been touched when its chunk was another one: the object begins where all huge ones do.
            std::byte* const first = chunk_base(block) + kFirstByte;
            if (std::uint8_t* const line = line_of(first); (load_byte(line) & kLineYoung) != 0) {
                promote(reinterpret_cast<Header*>(first));
                std::memset(line, kLineOld, kUsableBlocks * kLinesPerBlock);
            }
        } else if (state == BlockState::used || state == BlockState::inside) {
            for_each_young(block, promote);
            promote_lines(line_of(block));
        }
    }
    // A pause that is cut off by the system says nothing, so an estimate rises by half at most, and falls by a quarter.
    const std::size_t young_bytes = since_collection.load(std::memory_order_relaxed);  // read in a pause
    const std::size_t ns_per_kib = (os::monotonic_ns() - begin_ns) / std::max<std::size_t>(young_bytes >> 10, 1);
    promotion_ns_per_kib =
        std::clamp(ns_per_kib, promotion_ns_per_kib - promotion_ns_per_kib / 4, promotion_ns_per_kib + promotion_ns_per_kib / 2 + 1);
    bytes_per_object = young_bytes / std::max<std::size_t>(objects, 1);
    ++counts.promotions;
}

/// Says in the headers which objects are not whole yet, for one pause.
void Collector::note_constructions() noexcept {
    for (Mutator* mutator = mutators; mutator != nullptr; mutator = mutator->next) {
        for (Construction* inner = mutator->constructing; inner != nullptr; inner = inner->outer) {
            header_of(inner->object)->word |= Header::kConstructing;
        }
    }
}

/// A constructor initialises members without a barrier, also those of an object that has become old meanwhile: it is looked at
/// again by the next collection.
void Collector::remember_constructions() noexcept {
    for (Mutator* mutator = mutators; mutator != nullptr; mutator = mutator->next) {
        for (Construction* inner = mutator->constructing; inner != nullptr; inner = inner->outer) {
            Header* const header = header_of(inner->object);
            header->word &= ~Header::kConstructing;
            if ((load_byte(line_of(header)) & kLineOld) != 0 && (header->word & Header::kNoted) == 0) {
                header->word |= Header::kNoted;
                noted.push(header);
            }
        }
    }
}

}  // namespace heapwright::gc::detail
