// Following references: the stack of a marker, what happens when it is full, and the lines that marked objects keep.
#include <algorithm>
#include <cstring>
#include <utility>

#include <heapwright/base/check.hpp>
#include <heapwright/os/clock.hpp>
#include <heapwright/os/pages.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/marker.hpp>
#include <heapwright/own/gc/tracer.hpp>

namespace heapwright::gc {

// Tracer's slow ways: a Tracer that does not only report is a Marker.

void Tracer::edge_slow(void** slot) noexcept {
    if (mode_ == detail::TraceMode::report) {
        report_(slot, false, context_);
    } else {
        static_cast<detail::Marker*>(this)->mark_slow(slot);
    }
}

void Tracer::interior_edge(void** slot) noexcept {
    if (*slot == nullptr) {
        return;
    }
    if (mode_ == detail::TraceMode::report) {
        edge_slow(slot);
        return;
    }
    auto& marker = *static_cast<detail::Marker*>(this);
    const detail::FoundObject found = marker.collector().find_object(*slot);
    HEAPWRIGHT_CHECK(found.header != nullptr, "a gc::Ptr to a mixin refers to no object of its heap");
    if (found.header->is_forwarded()) {
        const std::uintptr_t inside = detail::number_of(*slot) - detail::number_of(detail::object_of(found.header));
        *slot = static_cast<std::byte*>(found.header->forwarded()) + inside;
        return;
    }
    marker.pin(found.header);
    if (mode_ == detail::TraceMode::keep_young) {
        marker.remember_young_of(slot, detail::object_of(found.header));
    }
}

void Tracer::weak_edge(void** slot) noexcept {
    if (mode_ == detail::TraceMode::report) {
        report_(slot, true, context_);
    } else if (*slot != nullptr) {
        if (mode_ == detail::TraceMode::keep_young) {
            static_cast<detail::Marker*>(this)->remember_young(slot);
        }
        static_cast<detail::Marker*>(this)->weak_slots.push(slot);
    }
}

void Tracer::push_slow(void* object) noexcept {
    auto& marker = *static_cast<detail::Marker*>(this);
    if (marker.grow_stack()) {
        *top_++ = object;
        return;
    }
    // It is marked, but nobody will follow it from here: its block is looked through when the stack is empty again.
    __atomic_store_n(&detail::block_of(detail::header_of(object)).overflowed, true, __ATOMIC_RELAXED);  // read when all have ended
    marker.overflowed_ = true;
}

}  // namespace heapwright::gc

namespace heapwright::gc::detail {

namespace {

constexpr std::size_t kUsualEntries = 8192;

}  // namespace

Marker::Marker(Collector& collector, std::size_t stack_entries) noexcept : Tracer(TraceMode::mark), collector_(collector) {
    const std::size_t entries = std::max<std::size_t>(stack_entries, 16);
    begin_ = static_cast<void**>(os::map_pages(os::round_to_pages(entries * sizeof(void*)), "heapwright gc mark stack"));
    HEAPWRIGHT_CHECK(begin_ != nullptr, "out of memory: no pages for the collector's mark stack");
    top_ = begin_;
    end_ = begin_ + entries;
    limit_ = begin_ + std::min(entries, kUsualEntries);
}

Marker::~Marker() { os::release(begin_, os::round_to_pages(static_cast<std::size_t>(end_ - begin_) * sizeof(void*))); }

bool Marker::grow_stack() noexcept {
    if (limit_ == end_) {
        return false;
    }
    limit_ += std::min<std::ptrdiff_t>(limit_ - begin_, end_ - limit_);
    return true;
}

void Marker::rest() noexcept {
    if (limit_ - begin_ > static_cast<std::ptrdiff_t>(kUsualEntries) && is_empty()) {
        limit_ = begin_ + kUsualEntries;
        // Fails: then the pages stay.
        static_cast<void>(os::discard(limit_, os::round_to_pages(static_cast<std::size_t>(end_ - limit_) * sizeof(void*))));
    }
}

/// Whether the object that is referred to from `slot` is young. Young objects live until the next minor collection, which has to find this place.
bool Marker::remember_young_of(const void* slot, const void* object) noexcept {
    if (load_byte(line_of(header_of(object))) != kLineYoung) {
        return false;
    }
    const std::uint8_t kind = chunk_kind(slot);
    if (kind == kContinuation || (kind == kChunk && (load_byte(line_of(slot)) & kLineNotYoung) != 0)) {
        remember_slow(slot);
    }
    return true;
}

/// The ways that are not the usual one: marking beside the program, and moving objects.
void Marker::mark_slow(void** slot) noexcept {
    void* object = *slot;
    Header* header = header_of(object);
    switch (mode_) {
        case TraceMode::keep_young:
            if (remember_young(slot)) {
                return;
            }
            break;
        case TraceMode::evacuate:
            if (header->is_forwarded()) {
                *slot = header->forwarded();
                return;
            }
            if (block_of(header).evacuate && (load_byte(mark_of(header)) & kMarkEpochs) != epoch_) {
                if (void* const moved = evacuate(header)) {
                    *slot = moved;
                    object = moved;
                    header = header_of(moved);
                }
            }
            break;
        case TraceMode::only_young:
            if ((load_byte(line_of(header)) & kLineYoung) == 0) {
                return;
            }
            break;
        case TraceMode::mark:
        case TraceMode::report: break;
    }
    std::uint8_t* const mark = mark_of(header);
    const std::uint8_t was = load_byte(mark);
    if ((was & kMarkEpochs) != epoch_) {
        store_byte(mark, static_cast<std::uint8_t>(epoch_ | half_of(header) | (was & kMarkStays)));
        push(object);
    }
}

void Marker::pin(Header* header) noexcept {
    if (header->is_forwarded()) {
        return;  // live, elsewhere; who could not bear that was pinned before anything moved
    }
    std::uint8_t* const mark = mark_of(header);
    const std::uint8_t was = load_byte(mark);
    if (mode_ == TraceMode::keep_young && load_byte(line_of(header)) == kLineYoung) {
        return;
    }
    store_byte(mark, static_cast<std::uint8_t>(epoch_ | half_of(header) | kMarkPinned | (was & kMarkLogged)));
    if ((was & kMarkEpochs) != epoch_) {
        push(object_of(header));
    }
}

std::uint8_t Marker::kept(const Header* header, std::uint8_t was) const noexcept {
    return static_cast<std::uint8_t>(epoch_ | half_of(header) | kMarkPinned | (was & kMarkLogged));
}

void Marker::keep(Header* header) noexcept {
    std::uint8_t* const mark = mark_of(header);
    store_byte(mark, kept(header, load_byte(mark)));
    mark_lines(header, size_of(header));
}

void Marker::keep_among_others(Header* header) noexcept {
    std::uint8_t* const mark = mark_of(header);
    std::uint8_t was = load_byte(mark);
    // Relaxed: the bit that others set tells them alone whether a place is in a list.
    while (!__atomic_compare_exchange_n(mark, &was, kept(header, was), true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    mark_lines(header, size_of(header));
}

void Marker::mark_lines(Header* header, std::size_t size_bytes) noexcept {
    std::uint8_t* line = line_of(header);
    const std::size_t in_line = (number_of(header) & (kLineBytes - 1)) + size_bytes;
    std::size_t lines = (in_line + kLineBytes - 1) >> kLineShift;
    if (HEAPWRIGHT_UNLIKELY(size_bytes > kLargestInChunk)) {
        lines = kUsableBlocks * kLinesPerBlock;
    }
    for (; lines != 0; --lines, ++line) {
        const std::uint8_t was = load_byte(line);
        if ((was & kLineOld) == 0) {
            store_byte(line, static_cast<std::uint8_t>(kLineOld | (was & kLineYoung)));
        }
    }
}

HEAPWRIGHT_ALWAYS_INLINE void Marker::process(void* object) noexcept {
    Header* const header = header_of(object);
    const std::uint64_t word = header->word;
    const std::size_t size_bytes = (word >> Header::kSizeShift) * kUnitBytes;
    if (HEAPWRIGHT_LIKELY((number_of(header) & (kLineBytes - 1)) + size_bytes <= kLineBytes && size_bytes != 0)) {
        std::uint8_t* const line = line_of(header);
        if (const std::uint8_t was = load_byte(line); (was & kLineOld) == 0) {
            store_byte(line, static_cast<std::uint8_t>(kLineOld | (was & kLineYoung)));
        }
    } else {
        mark_lines(header, size_of(header));
    }
    const TypeInfo* const type = header->type();
    if (HEAPWRIGHT_LIKELY((word & Header::kConstructing) == 0 && type->kind == ObjectKind::plain)) {
        if (type->trace != nullptr) {
            type->trace(object, *this);
        }
    } else {
        trace(header);
    }
}

void Marker::trace(const Header* header) noexcept {
    const TypeInfo* const type = header->type();
    if (HEAPWRIGHT_UNLIKELY((header->word & Header::kConstructing) != 0)) {
        collector_.scan_words(*this, object_of(header), reinterpret_cast<const std::byte*>(header) + size_of(header));
        return;
    }
    if (HEAPWRIGHT_LIKELY(type->kind == ObjectKind::plain)) {
        if (type->trace != nullptr) {
            type->trace(object_of(header), *this);
        }
    } else if (type->kind == ObjectKind::array || type->kind == ObjectKind::words) {
        const std::size_t bytes = size_of(header);
        const auto* const end = reinterpret_cast<const std::byte*>(header) + bytes;
        if (bytes > 2 * kPieceBytes && mode_ != TraceMode::report) {
            pieces.push({.owner = header, .begin = static_cast<const std::byte*>(object_of(header)), .end = end, .is_exact = false});
        } else if (type->kind == ObjectKind::array) {
            type->trace(object_of(header), *this);
        } else {
            collector_.scan_words(*this, object_of(header), end);
        }
    } else if (type->kind == ObjectKind::ephemerons) {
        if (mode_ == TraceMode::report) {
            type->trace(object_of(header), *this);
        } else {
            ephemerons.push(object_of(header));
        }
    }
}

void Marker::trace_within(const Header* header, const void* begin, const void* end) noexcept {
    const TypeInfo* const type = header->type();
    if (type->trace_part != nullptr) {
        type->trace_part(object_of(header), begin, end, *this);
    } else if (type->kind == ObjectKind::words) {
        const auto* const first = reinterpret_cast<const std::byte*>(header) + kHeaderBytes;
        const auto* const last = reinterpret_cast<const std::byte*>(header) + size_of(header);
        collector_.scan_words(*this, std::max(static_cast<const std::byte*>(begin), first),
                              std::min(static_cast<const std::byte*>(end), last));
    } else {
        trace(header);
    }
}

void Marker::drain() noexcept {
    do {
        drain_some(SIZE_MAX);
        if (overflowed_) {
            trace_overflowed();
        }
    } while (!is_empty() || overflowed_);
    rest();
}

/// An object waits in a short ring while its header comes into the cache: what is popped changes places with what was popped
/// `kAhead` objects before.
void Marker::drain_some(std::size_t objects) noexcept {
    void* ahead[kAhead] = {};
    std::size_t turn = 0;
    const std::size_t most = objects;
    while (objects != 0) {
        void* object = nullptr;
        if (HEAPWRIGHT_LIKELY(top_ != begin_)) {
            void* const next = *--top_;
            __builtin_prefetch(header_of(next));
            object = std::exchange(ahead[turn++ % kAhead], next);
            if (HEAPWRIGHT_UNLIKELY(object == nullptr)) {
                continue;
            }
        } else {
            for (std::size_t left = kAhead; left != 0 && object == nullptr; --left) {
                object = std::exchange(ahead[turn++ % kAhead], nullptr);
            }
            if (object == nullptr) {
                if (!trace_piece()) {
                    break;
                }
                objects -= std::min(objects, kPieceBytes / (8 * sizeof(void*)));  // about what it costs
                continue;
            }
        }
        --objects;
        process(object);
    }
    followed += most - objects;
    for (std::size_t left = kAhead; left != 0; --left) {
        if (void* const object = ahead[(turn + left - 1) % kAhead]; object != nullptr) {
            push(object);
        }
    }
}

bool Marker::drain_until(std::uint64_t deadline_ns) noexcept {
    constexpr unsigned kBetweenLooks = 256;
    do {  // once at least, so that every step comes closer to the end
        for (unsigned count = 0; count < kBetweenLooks; ++count) {
            if (top_ == begin_) {
                if (trace_piece()) {
                    count += kPieceBytes / (8 * sizeof(void*));  // about what it costs
                    continue;
                }
                if (!overflowed_) {
                    rest();
                    return true;
                }
                trace_overflowed();
                continue;
            }
            void* const object = *--top_;
            if (top_ - begin_ >= static_cast<std::ptrdiff_t>(kAhead)) {
                __builtin_prefetch(header_of(top_[-static_cast<std::ptrdiff_t>(kAhead)]));
            }
            process(object);
        }
    } while (os::monotonic_ns() < deadline_ns);
    return is_empty() && !overflowed_;
}

/// Looks for marked objects that were not followed, a block at a time.
void Marker::trace_overflowed() noexcept {
    overflowed_ = false;
    ++collector_.counts.mark_overflows;
    for (Chunk* chunk = collector_.chunks; chunk != nullptr; chunk = chunk->next) {
        for (std::size_t index = kFirstBlock; index < (chunk->is_huge ? kFirstBlock + 1 : kBlocksPerChunk); ++index) {
            BlockInfo& info = chunk->blocks[index];
            if (!info.overflowed) {
                continue;
            }
            info.overflowed = false;
            collector_.for_each_object(reinterpret_cast<std::byte*>(chunk) + index * kBlockBytes, [&](Header* header, std::uint8_t mark) {
                if ((mark & kMarkEpochs) == epoch_) {
                    process(object_of(header));
                }
            });
        }
    }
}

}  // namespace heapwright::gc::detail
