// The invariants of a heap, walked; and its figures.
#include <heapwright/base/check.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/marker.hpp>
#include <heapwright/own/gc/heap.hpp>

namespace heapwright::gc {

namespace detail {

namespace {

/// What a walk over the members of one object finds wrong.
struct EdgeCheck {
    Collector* collector;
    bool source_is_old;
    const char* broken = nullptr;
};

/// Whether the next minor collection finds the reference at `slot`. A container's element on its way to its buffer is nobody's.
bool is_logged(const void* slot) noexcept {
    switch (chunk_kind(slot)) {
        case kChunk: return load_byte(line_of(slot)) != kLineOld || (load_byte(mark_of(slot)) & kMarkLogged) != 0;
        case kContinuation: return (load_byte(first_chunk_of(slot)->card_of(slot)) & Chunk::card_bit(slot)) != 0;
        default: return true;
    }
}

void check_edge(void** slot, bool, void* context) noexcept {
    auto& check = *static_cast<EdgeCheck*>(context);
    if (*slot == nullptr || check.broken != nullptr) {
        return;
    }
    const FoundObject found = check.collector->find_object(*slot);
    if (found.header == nullptr) {
        check.broken = "G2: a member refers to no object of its heap";
    } else if (check.source_is_old && load_byte(line_of(found.header)) == kLineYoung && !is_logged(slot)) {
        check.broken = "G3: an old object refers to a young one and that is not logged";
    }
}

}  // namespace

const char* Collector::broken_invariant() noexcept {
    const char* broken = nullptr;
    std::size_t counted_lines = 0;
    std::size_t counted_empty = 0;
    for_each_block([&](std::byte* block, BlockInfo& info) {
        if (info.state == BlockState::fresh || info.state == BlockState::free) {
            ++counted_empty;
            for (std::size_t line = 0; line < kLinesPerBlock && info.state == BlockState::free; ++line) {
                broken = line_of(block)[line] != kLineFree ? "G5: an empty block has lines in use" : broken;
            }
            return;
        }
        std::size_t free_lines = 0;
        for (std::size_t line = 0; line < kLinesPerBlock; ++line) {
            free_lines += line_of(block)[line] == kLineFree ? 1U : 0U;
        }
        counted_lines += kLinesPerBlock - free_lines;
        if (free_lines != info.free_lines) {
            broken = "G4: a block's count of free lines is wrong";
        }
        index_young(block);
        for_each_object(block, [&](Header* header, std::uint8_t mark) {
            const TypeInfo* const type = header->type();
            const bool is_old = (mark & kMarkEpochs) == epoch;
            const std::uint8_t line = load_byte(line_of(header));
            // While marking in steps an object may be marked and not followed yet.
            if (is_old && !is_marking && line != kLineOld) {
                broken = "G1: a marked object lies in a line that is not old";
            }
            if (type->kind == ObjectKind::filler || (header->word & Header::kConstructing) != 0 || type->trace == nullptr) {
                return;
            }
            EdgeCheck check{.collector = this, .source_is_old = is_old && !is_marking && (header->word & Header::kNoted) == 0};
            EdgeTeller teller(&check_edge, &check);
            type->trace(object_of(header), teller);
            broken = broken == nullptr ? check.broken : broken;
        });
    });
    if (broken == nullptr && counted_lines != used_lines) {
        broken = "G4: the count of used lines is wrong";
    }
    if (broken == nullptr && counted_empty != empty_blocks) {
        broken = "G5: the count of empty blocks is wrong";
    }
    for (std::size_t index = next_doomed; index < doomed.size(); ++index) {
        const void* const object = doomed[index];
        const std::uint8_t line = load_byte(line_of(header_of(object)));
        if (broken == nullptr && (line == kLineFree || line == kLineYoung)) {
            broken = "G6: the memory of an object that waits for its destructor is not kept";
        }
    }
    for (const RootNode* node = roots.next; node != &roots && broken == nullptr; node = node->next) {
        if (node->target != nullptr && find_object(node->target).header == nullptr) {
            broken = "G7: a root refers to no object of its heap";
        }
    }
    return broken;
}

Collector& collector_of(const Heap& heap) noexcept { return *heap.collector_; }

}  // namespace detail

const char* Heap::broken_invariant() const noexcept {
    collector_->begin_look(detail::mutator_of(*this));
    const char* const broken = collector_->broken_invariant();
    collector_->end_look();
    return broken;
}

void Heap::verify() const noexcept {
    if (const char* const broken = broken_invariant()) {
        fail_check(broken, nullptr, __FILE__, __LINE__);
    }
}

bool Heap::owns(const void* address) const noexcept {
    if (detail::chunk_kinds == nullptr) {
        return false;
    }
    while (detail::chunk_kind(address) == detail::kContinuation) {
        address = detail::chunk_base(address) - detail::kChunkBytes;
    }
    return detail::chunk_kind(address) == detail::kChunk && detail::chunk_of(address)->owner == collector_ &&
           (detail::chunk_of(address)->is_huge ||
            (detail::offset_in_chunk(address) >= detail::kFirstByte && detail::load_byte(detail::line_of(address)) != detail::kLineFree));
}

GcStats detail::Collector::figures() const noexcept {
    GcStats stats = counts;
    stats.allocated_bytes = allocated_total;
    stats.used_bytes = used_bytes();
    stats.live_bytes = live_bytes;
    stats.committed_bytes = committed_bytes;
    stats.peak_bytes = peak_bytes;
    stats.external_bytes = external_bytes;
    stats.threads = mutator_count;
    stats.roots = root_count;
    return stats;
}

GcStats Heap::stats() const noexcept {
    const os::LockGuard guard(collector_->lock);
    // Relaxed: written under the lock. A pause changes everything without it.
    return collector_->stop_wanted.load(std::memory_order_relaxed) != 0 ? collector_->published : collector_->figures();
}

}  // namespace heapwright::gc
