// The slow parts of the write barrier: what a collector is told of when a member changes.
#include <heapwright/base/check.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/ptr.hpp>
#include <heapwright/own/gc/root.hpp>

namespace heapwright::gc::detail {

void tell_overwritten(void* target) noexcept {
    if (target == nullptr || chunk_kind(target) == kNoChunk) {
        return;
    }
    const void* const header = header_of(target);
    Collector& collector = *chunk_of(header)->owner;
    // Relaxed inside: it changes while the world is stopped only.
    if (!collector.is_marking || load_byte(line_of(header)) == kLineYoung ||
        (load_byte(mark_of(header)) & kMarkEpochs) == collector.epoch) {
        return;
    }
    const os::LockGuard guard(collector.lock);
    collector.overwritten.push(target);
}

void* strengthen(void* target) noexcept {
    if (target != nullptr && __atomic_load_n(&marking_heaps, __ATOMIC_RELAXED) != 0) {  // relaxed: see before_overwrite
        tell_overwritten(target);
    }
    return target;
}

void check_same_heap(const void* slot, const void* target) noexcept {
    const void* head = slot;
    while (chunk_kind(head) == kContinuation) {
        head = chunk_base(head) - kChunkBytes;
    }
    HEAPWRIGHT_CHECK(chunk_kind(target) == kChunk, "a member of a collected object is given an address that no heap collects");
    HEAPWRIGHT_CHECK(chunk_of(head)->owner == chunk_of(header_of(target))->owner,
                     "an object of one collected heap refers to an object of another; hold that one in a gc::Root instead");
}

}  // namespace heapwright::gc::detail
