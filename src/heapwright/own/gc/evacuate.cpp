// Evacuation: a full collection moves objects out of sparse blocks, where their types allow it and no ambiguous word names them.
#include <algorithm>

#include <heapwright/own/gc/detail/bytes.hpp>
#include <heapwright/own/gc/detail/collector.hpp>
#include <heapwright/own/gc/detail/marker.hpp>

namespace heapwright::gc::detail {

/// Blocks of which half or more is free.
void Collector::choose_sparse_blocks() noexcept {
    evacuates = false;
    if (!config.compaction) {
        return;
    }
    for_each_block([&](std::byte* block, BlockInfo& info) {
        info.evacuate = info.state == BlockState::used && info.back_blocks == 0 && info.free_lines >= kLinesPerBlock / 2;
        evacuates = evacuates || info.evacuate;
        if (info.evacuate) {
            // What held an object still in an earlier cycle may not do so now.
            unpin_marks(mark_of(block));
        }
    });
    if (evacuates) {
        copier.collector = this;
        copier.heap = heap;
        pin_words();
    }
}

/// What the buffers of standard containers and half-made objects may name stays where it is, whether or not it lives.
void Collector::pin_words() noexcept {
    const auto pin = [&](const Header* header) {
        const auto* word = reinterpret_cast<void* const*>(header + 1);
        const auto* const end = reinterpret_cast<void* const*>(number_of(header) + size_of(header));
        for (; word < end; ++word) {
            if (const FoundObject found = find_object(*word); found.header != nullptr) {
                *mark_of(found.header) |= kMarkPinned;
            }
        }
    };
    for (const void* const buffer : buffers) {
        pin(header_of(buffer));
    }
    for (const Mutator* mutator = mutators; mutator != nullptr; mutator = mutator->next) {
        for (const Construction* inner = mutator->constructing; inner != nullptr; inner = inner->outer) {
            pin(header_of(inner->object));
        }
    }
}

/// Moves an object, and leaves where it went in its header. nullptr when it has to stay.
void* Marker::evacuate(Header* header) noexcept {
    const TypeInfo* const type = header->type();
    if (type->move == nullptr || (header->word & Header::kConstructing) != 0 || (load_byte(mark_of(header)) & kMarkPinned) != 0) {
        return nullptr;
    }
    const std::size_t size_bytes = header->size_bytes();
    void* const place = collector_.place(collector_.copier, size_bytes, kUnitBytes);
    if (place == nullptr) {
        return nullptr;
    }
    void* const moved = begin_object(static_cast<std::byte*>(place), type, size_bytes);
    header_of(moved)->word |= header->word & Header::kFinalised;
    type->move(moved, object_of(header));
    header->word = (header->word & ~(Header::kAddressMask | 7U)) | number_of(moved) | Header::kForwarded;
    collector_.moved_now += size_bytes;
    ++collector_.counts.evacuated_objects;
    return moved;
}

/// Lists that know objects by address.
void Collector::follow_moved() noexcept {
    const auto follow = [](void*& object) {
        if (header_of(object)->is_forwarded()) {
            object = header_of(object)->forwarded();
        }
    };
    for (Finaliser& entry : finalisers) {
        follow(entry.object);
    }
    for (void*& object : finalised) {
        follow(object);
    }
}

void Collector::end_evacuation() noexcept {
    if (evacuates) {
        retire(copier);
        evacuates = false;
    }
}

}  // namespace heapwright::gc::detail
