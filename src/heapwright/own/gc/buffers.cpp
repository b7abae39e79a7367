// Buffers of standard containers: inside the heap, so that writes to them are noticed, and living until they are given back.
#include <heapwright/base/check.hpp>
#include <heapwright/base/poison.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/marker.hpp>
#include <heapwright/own/gc/traced_allocator.hpp>

namespace heapwright::gc::detail {

const TypeInfo kBufferType{.trace = nullptr,
                           .trace_part = nullptr,
                           .destroy = nullptr,
                           .move = nullptr,
                           .name = "a buffer of a container",
                           .kind = ObjectKind::words};

namespace {

/// Before what the container sees: where the buffer is in its list, and whether that is the young one.
struct BufferHead {
    std::size_t place;
};

BufferHead& head_of(void* buffer) noexcept { return *static_cast<BufferHead*>(buffer); }

}  // namespace

void* allocate_buffer(Heap& heap, std::size_t bytes) noexcept {
    Mutator& mutator = mutator_of(heap);
    Collector& collector = *mutator.collector;
    const std::size_t whole = object_bytes(bytes + sizeof(BufferHead));
    void* buffer = allocate_fast<kUnitBytes>(mutator, &kBufferType, whole);
    if (buffer == nullptr) {
        buffer = allocate_slow(mutator, &kBufferType, whole, kUnitBytes, nullptr, 0);
    }
    if (buffer == nullptr) {
        return nullptr;
    }
    // What was there before could be taken for references.
    __builtin_memset(buffer, 0, size_of(header_of(buffer)) - kHeaderBytes);
    const os::LockGuard guard(collector.lock);
    head_of(buffer).place = collector.young_buffers.size() * 2 + 1;
    collector.young_buffers.push(buffer);
    return &head_of(buffer) + 1;
}

void release_buffer(void* given) noexcept {
    void* const buffer = static_cast<BufferHead*>(given) - 1;
    Collector& collector = *chunk_of(header_of(buffer))->owner;
    if (HEAPWRIGHT_UNLIKELY(__atomic_load_n(&marking_heaps, __ATOMIC_RELAXED) != 0)) {  // relaxed: see before_overwrite
        const auto* word = static_cast<void* const*>(given);
        const auto* const end = reinterpret_cast<void* const*>(number_of(header_of(buffer)) + size_of(header_of(buffer)));
        for (; word < end; ++word) {
            tell_word(*word);
        }
    }
    const os::LockGuard guard(collector.lock);
    const std::size_t place = head_of(buffer).place;
    PageVector<void*>& list = (place & 1) != 0 ? collector.young_buffers : collector.buffers;
    void* const last = list.pop();
    if (last != buffer) {
        list[place / 2] = last;
        head_of(last).place = place;
        if ((place & 1) == 0 && collector.is_marking && place / 2 < collector.next_buffer) {
            collector.team->first.keep_among_others(header_of(last));  // it came from the part of the list that is not marked yet
        }
    }
    Header* const header = header_of(buffer);
    header->word = (header->word & ~Header::kTypeMask) | reinterpret_cast<std::uint64_t>(&kFillerType);
}

/// Young buffers that survived a pause are old ones.
void Collector::adopt_buffers() noexcept {
    for (void* const buffer : young_buffers) {
        head_of(buffer).place = buffers.size() * 2;
        buffers.push(buffer);
    }
    young_buffers.clear();
}

void note_moved_container(Heap& heap) noexcept {
    collector_of(heap).containers_moved.store(true, std::memory_order_relaxed);  // see there
}

/// Marks what any buffer refers to, whoever owns it: also what only a dead owner's buffers hold, until the next collection.
void Collector::mark_buffers(Marker& marker) noexcept {
    for (const PageVector<void*>* const list : {&buffers, &young_buffers}) {
        for (const void* const buffer : *list) {
            const Header* const header = header_of(buffer);
            scan_words(marker, buffer, reinterpret_cast<const std::byte*>(header) + size_of(header));
        }
    }
    static_cast<void>(marker.drain_until(kNoDeadline));
}

void remember_words(const void* begin, std::size_t bytes) noexcept {
    for (std::size_t offset = 0; offset < bytes; offset += sizeof(void*)) {
        const auto* const slot = static_cast<const std::byte*>(begin) + offset;
        const std::uint8_t kind = chunk_kind(slot);
        const void* const word = *reinterpret_cast<void* const*>(slot);
        if (kind != kNoChunk && (kind != kChunk || (load_byte(line_of(slot)) & kLineNotYoung) != 0) && chunk_kind(word) != kNoChunk &&
            may_be_young(word)) {
            remember_slow(slot);
        }
    }
}

void tell_word(void* word) noexcept {
    // A word that is no reference: told only if it is the start of something that has a mark.
    if (number_of(word) % kUnitBytes != 0 || chunk_kind(word) != kChunk || offset_in_chunk(word) < kFirstByte) {
        return;
    }
    const Header* const header = header_of(word);
    const std::uint8_t mark = load_byte(mark_of(header));
    if ((mark & kMarkEpochs) != 0 && (mark & kMarkHalf) == half_of(header)) {
        tell_overwritten(word);
    }
}

namespace {

void tell_edge(void** slot, bool is_weak, void*) noexcept {
    if (!is_weak && *slot != nullptr) {
        tell_overwritten(*slot);
    }
}

}  // namespace

void tell_members(const void* element, void (*trace)(const void*, Tracer&)) noexcept {
    EdgeTeller teller(&tell_edge, nullptr);
    trace(element, teller);
}

}  // namespace heapwright::gc::detail
