// Moving objects: which, where to, and telling their owners.
#include <algorithm>
#include <cstring>

#include <heapwright/os/clock.hpp>
#include <heapwright/own/handle/detail/compaction.hpp>
#include <heapwright/own/handle/detail/types.hpp>

namespace heapwright::movable {

bool Compaction::is_late() const noexcept { return os::monotonic_ns() >= step_end_ns_; }

bool Compaction::step() noexcept {
    const std::uint64_t asked_ns = os::monotonic_ns();
    const std::uint64_t left_ns = deadline_ns_ > asked_ns ? deadline_ns_ - asked_ns : 0;
    if (!store_.gate.close(std::min(store_.options.reader_wait_ns, left_ns))) {
        ++result.refused_steps;
        return false;
    }
    step_end_ns_ = std::min(deadline_ns_, asked_ns + store_.options.step_ns);
    do {
        while (store_.next_class_ < kClassCount && store_.classes_[store_.next_class_].chunks() == 0) {
            ++store_.next_class_;
        }
        if (store_.next_class_ == kClassCount) {
            break;
        }
        SizeClass& size_class = store_.classes_[store_.next_class_];
        const os::LockGuard guard(size_class.lock);
        if (work_on(size_class)) {
            ++store_.next_class_;
        }
    } while (store_.next_class_ < kClassCount && !is_full() && !is_late());
    result.moving_ns += reopen(asked_ns);
    return true;
}

/// The end of a step that began then. Returns: how long it was.
std::uint64_t Compaction::reopen(std::uint64_t asked_ns) noexcept {
    store_.gate.reopen();
    ++result.steps;
    const std::uint64_t step_ns = os::monotonic_ns() - asked_ns;
    result.longest_step_ns = std::max(result.longest_step_ns, step_ns);
    store_.gate.let_through(store_.options.step_ns);
    return step_ns;
}

/// Returns: whether nothing is left to do for this size.
bool Compaction::work_on(SizeClass& size_class) noexcept {
    while (Chunk* const source = pick_source(size_class)) {
        Left left = evacuate(size_class, *source);
        if (left == Left::no_room) {
            left = slide(*source);
        }
        if (left == Left::no_time) {
            return false;
        }
        finish(size_class, *source);
        if (is_full() || is_late()) {
            return false;
        }
    }
    return true;
}

/// The emptiest that this compaction is not done with. Those it is done with are the last of their ring.
Chunk* Compaction::pick_source(SizeClass& size_class) noexcept {
    for (const ChunkNumber& list : size_class.lists) {
        const std::uint32_t first = list;
        if (first != kNoChunk && store_.chunks[first].pass != pass_) {
            return &store_.chunks[first];
        }
    }
    return nullptr;
}

Chunk* Compaction::pick_destination(SizeClass& size_class, const Chunk& source) noexcept {
    for (std::size_t list = SizeClass::kLists; list-- > 0;) {
        const std::uint32_t first = size_class.lists[list];
        if (first == kNoChunk) {
            continue;
        }
        Chunk& chunk = store_.chunks[first];
        if (&chunk != &source) {
            return &chunk;
        }
        if (chunk.next != first) {
            return &store_.chunks[chunk.next];
        }
    }
    return nullptr;
}

/// The next live slots from `cursor` on that are not pinned. `cursor` is then behind them.
std::size_t Compaction::movable_slots(const Chunk& chunk, std::uint32_t& cursor, std::uint32_t end, std::uint32_t* slots,
                                      std::size_t most) noexcept {
    const std::uint64_t* const bits = store_.chunks.bits_of(chunk);
    std::size_t count = 0;
    while (cursor < end && count < most) {
        const std::uint64_t rest = bits[cursor / kBitsPerWord] >> cursor % kBitsPerWord;
        if (rest == 0) {
            cursor = (cursor / static_cast<std::uint32_t>(kBitsPerWord) + 1) * static_cast<std::uint32_t>(kBitsPerWord);
            continue;
        }
        cursor += static_cast<std::uint32_t>(__builtin_ctzll(rest));
        if (cursor < end) {
            __builtin_prefetch(payload(chunk, cursor) - chunk.header_bytes);
            slots[count++] = cursor++;
        }
    }
    // A pin that comes later needs the gate; one that goes meanwhile (acquire pairs with Pin's release) is good news.
    std::uint32_t* const last = std::remove_if(slots, slots + count, [&](std::uint32_t slot) {
        return pins_in(upper_of(payload(chunk, slot)).load(std::memory_order_acquire)) != 0;
    });
    const auto movable = static_cast<std::size_t>(last - slots);
    result.pinned_objects += count - movable;
    result.pinned_bytes += (count - movable) * chunk.object_bytes();
    return movable;
}

/// What is written when the object moves. For the cache only.
const void* Compaction::owner_of(std::byte* object) const noexcept {
    if (const std::uint32_t upper = upper_of(object).load(std::memory_order_relaxed); is_short(upper)) {  // as move()
        return store_.names.entry_of(ShortHeader::name(upper));
    }
    const std::uint64_t header = header_of(object).load(std::memory_order_relaxed);  // as above
    const std::uint64_t owner = Header::owner(header);
    return Header::is_boxed(header) ? reinterpret_cast<const void*>(owner * 8) : store_.names.entry_of(static_cast<std::uint32_t>(owner));
}

/// Objects lie where their owners do not: the owners are what has to be waited for.
void Compaction::fetch(Chunk& chunk, const std::uint32_t* slots, std::size_t count) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        std::byte* const object = payload(chunk, slots[i]);
        __builtin_prefetch(owner_of(object), 1);
        for (std::size_t line = 64; line < std::min<std::size_t>(chunk.slot_bytes, 512); line += 64) {
            __builtin_prefetch(object + line);
        }
    }
}

/// The destination's slot is taken already.
void Compaction::move(Chunk& from, std::uint32_t from_slot, Chunk& to, std::uint32_t to_slot) noexcept {
    std::byte* const source = payload(from, from_slot);
    std::byte* const target = payload(to, to_slot);
    if (from.header_bytes == kShortHeaderBytes) {
        // Relaxed: nobody is inside the gate, and who unpinned was seen to by movable_slots().
        const std::uint32_t header = upper_of(source).load(std::memory_order_relaxed);
        upper_of(target).store(header, std::memory_order_relaxed);  // as above
        std::memcpy(target, source, from.object_bytes());
        set_place(ShortHeader::name(header), target);
    } else {
        move_long(source, target, from.object_bytes());
    }
    store_.give_slot(from, from_slot);
    ++result.moved_objects;
    result.moved_bytes += from.object_bytes();
}

void Compaction::move_long(std::byte* source, std::byte* target, std::size_t bytes) noexcept {
    const std::uint64_t header = header_of(source).load(std::memory_order_relaxed);  // as in move()
    header_of(target).store(header, std::memory_order_relaxed);                      // as above
    if (const Mover mover = mover_of(Header::type(header)); mover == nullptr) {
        std::memcpy(target, source, bytes);
    } else {
        mover(target, source);
    }
    const std::uint64_t owner = Header::owner(header);
    if (Header::is_boxed(header)) {
        // Relaxed: nobody is inside; others may only ask whether the box is empty, or of which heap.
        std::atomic_ref<std::byte*>(*reinterpret_cast<std::byte**>(owner * 8)).store(target, std::memory_order_relaxed);
    } else {
        set_place(static_cast<std::uint32_t>(owner), target);
    }
}

void Compaction::set_place(std::uint32_t name, const std::byte* target) noexcept { store_.names.place_of(name) = store_.entry_for(target); }

/// A place in `target`, or in the next one where that is full. `target` is nullptr when there is none.
std::uint32_t Compaction::take_place(SizeClass& size_class, const Chunk& source, Chunk*& target) noexcept {
    while (target != nullptr) {
        const std::uint32_t slot = store_.take_slot(*target);
        if (slot != kNoSlot) {
            return slot;
        }
        store_.relist(size_class, *target);
        target = target->list == Chunk::kUnlisted ? pick_destination(size_class, source) : nullptr;  // else it is at the limit
    }
    return kNoSlot;
}

/// The next objects of `source`, to `target` and to those after it. Returns: false when there is no place for them.
bool Compaction::evacuate_batch(SizeClass& size_class, Chunk& source, Chunk*& target) noexcept {
    std::uint32_t slots[kBatch];
    const std::size_t batch = std::clamp<std::size_t>(kBatchBytes / source.slot_bytes, 1, kBatch);
    const std::size_t count = movable_slots(source, cursor_, source.touched, slots, batch);
    fetch(source, slots, count);
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t place = take_place(size_class, source, target);
        if (place == kNoSlot) {
            return false;
        }
        move(source, slots[i], *target, place);
    }
    store_.relist(size_class, *target);
    if (target->list == Chunk::kUnlisted) {
        target = pick_destination(size_class, source);
    }
    return true;
}

Compaction::Left Compaction::evacuate(SizeClass& size_class, Chunk& source) noexcept {
    if (const std::uint32_t index = store_.chunks.index_of(source); evacuated_ != index) {
        evacuated_ = index;
        cursor_ = window_ = 0;
    }
    if (window_ != 0) {
        return Left::no_room;  // as was found before
    }
    Chunk* target = pick_destination(size_class, source);
    bool has_room = true;
    bool has_time = true;
    while (cursor_ < source.touched && target != nullptr && has_room && has_time) {
        has_room = evacuate_batch(size_class, source, target);
        has_time = cursor_ >= source.touched || !is_late();
    }
    store_.relist(size_class, source);
    if (!has_room || (cursor_ < source.touched && target == nullptr)) {
        return Left::no_room;
    }
    if (!has_time) {
        return Left::no_time;
    }
    if (target != nullptr && target->pass == pass_) {
        defer(*target);  // it had been done with before it was filled
    }
    return Left::chunk_done;
}

/// From the end of a chunk to its beginning, where that saves a page.
Compaction::Left Compaction::slide(Chunk& chunk) noexcept {
    std::uint32_t slots[kBatch];
    window_ = window_ == 0 ? chunk.touched : window_;
    while (window_ > 0 && chunk.pages_for(chunk.live) < chunk.pages_for(window_)) {
        const std::uint32_t end = window_;
        window_ -= std::min<std::uint32_t>(window_, kBatch);
        std::uint32_t cursor = window_;
        std::size_t count = movable_slots(chunk, cursor, end, slots, kBatch);
        fetch(chunk, slots, count);
        while (count-- > 0) {
            const std::uint32_t place = store_.take_slot(chunk);
            if (place == kNoSlot) {
                return Left::chunk_done;
            }
            if (place > slots[count]) {
                store_.give_slot(chunk, place);  // everything below is taken
                return Left::chunk_done;
            }
            move(chunk, slots[count], chunk, place);
        }
        if (is_late()) {
            return Left::no_time;
        }
    }
    return Left::chunk_done;
}

/// Something is to be given back of it when the gate is open again.
void Compaction::defer(const Chunk& chunk) noexcept {
    pending_[pending_count_++] = {
        .chunk = store_.chunks.index_of(chunk), .size_class = static_cast<std::uint16_t>(chunk.size_class()), .is_empty = chunk.live == 0};
}

void Compaction::finish(SizeClass& size_class, Chunk& chunk) noexcept {
    chunk.pass = pass_;
    evacuated_ = kNoChunk;
    defer(chunk);
    if (chunk.live == 0) {
        store_.unlist(size_class, chunk);
        size_class.add_chunks(-1);
        size_class.current = size_class.current == store_.chunks.index_of(chunk) ? kNoChunk : std::uint32_t{size_class.current};
        chunk.empty();
        return;
    }
    store_.unlist(size_class, chunk);  // to the end of its ring
    store_.relist(size_class, chunk);
}

// ---- moving everything

/// Everything of a chunk that may move, to chunks that this compaction has made. Returns: false when there is no memory.
bool Compaction::move_chunk(Chunk& chunk, std::size_t class_index, Chunk*& target) noexcept {
    std::uint32_t cursor = 0;
    std::uint32_t slots[kBatch];
    while (cursor < chunk.touched) {
        const std::size_t count = movable_slots(chunk, cursor, chunk.touched, slots, kBatch);
        for (std::size_t i = 0; i < count; ++i) {
            if (target == nullptr || target->list == Chunk::kUnlisted) {
                target = store_.new_chunk(class_index);
                if (target == nullptr) {
                    return false;
                }
                target->pass = pass_;
            }
            const std::uint32_t place = store_.take_slot(*target);
            if (place == kNoSlot) {
                return false;
            }
            move(chunk, slots[i], *target, place);
            store_.relist(store_.classes_[class_index], *target);
        }
    }
    return true;
}

/// Returns: whether the class is done with: all of it was moved, or there is no memory for more.
bool Compaction::move_class(std::size_t class_index) noexcept {
    Chunk* target = nullptr;
    const std::uint32_t end = store_.chunks.used_end();
    for (std::uint32_t number = 0; number < end; ++number) {
        Chunk& chunk = store_.chunks[number];
        if (chunk.state() != ChunkState::slots || chunk.size_class() != class_index || chunk.pass == pass_) {
            continue;
        }
        if (is_full()) {
            return false;
        }
        if (!move_chunk(chunk, class_index, target)) {
            return true;
        }
        finish(store_.classes_[class_index], chunk);
    }
    return true;
}

bool Compaction::move_some() noexcept {
    if (!store_.gate.close(store_.options.reader_wait_ns)) {
        ++result.refused_steps;
        return false;
    }
    for (bool goes_on = true; goes_on && class_to_move_ < kClassCount;) {
        if (SizeClass& size_class = store_.classes_[class_to_move_]; size_class.chunks() != 0) {
            const os::LockGuard guard(size_class.lock);
            goes_on = move_class(class_to_move_);
        }
        class_to_move_ += goes_on ? 1 : 0;
    }
    store_.gate.reopen();
    ++result.steps;
    return true;
}

}  // namespace heapwright::movable
