// The bodies of BasicTlsf that give, take back and resize blocks.
// Included at the end of the header that declares them, and nowhere else.
#pragma once

namespace heapwright {

// ---- giving

template <unsigned LargestBits, unsigned FineBits>
HEAPWRIGHT_NOINLINE void* BasicTlsf<LargestBits, FineBits>::allocate_usual(std::size_t size) noexcept {
    const std::size_t bytes = bytes_for(size);
    Found found = lists_.find(bytes);
    if (HEAPWRIGHT_UNLIKELY(found.block == nullptr)) {
        found = find_slow(bytes);
        if (found.block == nullptr) {
            return nullptr;
        }
    }
    Block* const block = found.block;
    const std::size_t held = block->bytes();
    if (held - bytes >= Block::kLeastBytes) {
        Block* const rest = cut(block, bytes, held - bytes);
        lists_.exchange(block, found.at, rest, Lists::class_of(held - bytes));
        return give(block, bytes, size);
    }
    lists_.remove(block, found.at);
    block->at(held)->tagged_bytes &= ~Block::kPreviousFree;
    return give(block, held, size);
}

/// Makes a free block of what lies behind the first bytes of another one. It is in no list yet.
template <unsigned LargestBits, unsigned FineBits>
HEAPWRIGHT_ALWAYS_INLINE auto BasicTlsf<LargestBits, FineBits>::cut(Block* block, std::size_t bytes, std::size_t rest_bytes) noexcept
    -> Block* {
    Block* const rest = block->at(bytes);
    unpoison(rest->footer_before(), Block::kWord + sizeof(Block));
    rest->tagged_bytes = rest_bytes | Block::kFree;
    *rest->at(rest_bytes)->footer_before() = rest_bytes;
    return rest;
}

/// Hands out a block of `bytes` that is in no list.
template <unsigned LargestBits, unsigned FineBits>
HEAPWRIGHT_ALWAYS_INLINE void* BasicTlsf<LargestBits, FineBits>::give(Block* block, std::size_t bytes, std::size_t size) noexcept {
    block->tagged_bytes = bytes | (block->tagged_bytes & Block::kPreviousFree);  // set only where an alignment left a front
    ++live_blocks_;
    count_given(bytes);
    std::byte* const memory = block->memory();
    poison(memory, bytes - Block::kWord);
    unpoison(memory, size);
    return memory;
}

template <unsigned LargestBits, unsigned FineBits>
HEAPWRIGHT_NOINLINE void* BasicTlsf<LargestBits, FineBits>::allocate_aligned(Layout layout) noexcept {
    // In front of the aligned address lies nothing, or a whole free block.
    const std::size_t most_front = layout.alignment <= kAlignment ? 0 : layout.alignment + Block::kLeastBytes;
    if (layout.size > kLargestBytes - kFenceBytes || most_front > kLargestBytes - kFenceBytes - layout.size) {
        why_refused_ = Errc::overflow;
        ++refusals_;
        return nullptr;
    }
    const std::size_t bytes = bytes_for(layout.size);
    Found found = lists_.find(bytes + most_front);
    if (HEAPWRIGHT_UNLIKELY(found.block == nullptr)) {
        found = find_slow(bytes + most_front);
        if (found.block == nullptr) {
            return nullptr;
        }
    }
    Block* block = found.block;
    std::size_t held = block->bytes();
    const auto start = reinterpret_cast<std::uintptr_t>(block->memory());
    std::size_t front = align_up(start, layout.alignment) - start;
    if (front != 0 && front < Block::kLeastBytes) {
        front = align_up(start + Block::kLeastBytes, layout.alignment) - start;
    }
    if (front == 0) {
        lists_.remove(block, found.at);
    } else {
        Block* const rest = cut(block, front, held - front);
        rest->tagged_bytes |= Block::kPreviousFree;
        *rest->footer_before() = front;
        block->tagged_bytes = front | Block::kFree;
        lists_.exchange(block, found.at, block, Lists::class_of(front));
        block = rest;
        held -= front;
    }
    if (held - bytes >= Block::kLeastBytes) {
        lists_.insert(cut(block, bytes, held - bytes), Lists::class_of(held - bytes));
        return give(block, bytes, layout.size);
    }
    block->at(held)->tagged_bytes &= ~Block::kPreviousFree;
    return give(block, held, layout.size);
}

/// When no larger class has a block.
template <unsigned LargestBits, unsigned FineBits>
HEAPWRIGHT_COLD auto BasicTlsf<LargestBits, FineBits>::find_slow(std::size_t bytes) noexcept -> Found {
    Found found = lists_.find_close(bytes);
    if (found.block == nullptr && take_from_source(bytes)) {
        found = lists_.find_close(bytes);
        found = found.block == nullptr ? lists_.find(bytes) : found;
    }
    if (found.block == nullptr) {
        why_refused_ = Errc::out_of_memory;
        ++refusals_;
    }
    return found;
}

template <unsigned LargestBits, unsigned FineBits>
SizedBlock BasicTlsf<LargestBits, FineBits>::try_allocate_at_least(Layout layout) noexcept {
    void* const block = try_allocate(layout);
    if (block == nullptr) {
        return {.start = nullptr, .size_bytes = 0};
    }
    unpoison(block, usable_size(block));
    return {.start = block, .size_bytes = usable_size(block)};
}

// ---- taking back

template <unsigned LargestBits, unsigned FineBits>
HEAPWRIGHT_NOINLINE void BasicTlsf<LargestBits, FineBits>::deallocate(void* memory) noexcept {
    Block* block = block_of(memory);
    const std::size_t tagged = block->tagged_bytes;
    std::size_t bytes = tagged & ~Block::kFlags;
    if (HEAPWRIGHT_UNLIKELY((tagged & Block::kFree) != 0) || HEAPWRIGHT_UNLIKELY(bytes < Block::kLeastBytes)) {
        refuse(memory);
    }
    Block* next = block->at(bytes);
    if (HEAPWRIGHT_UNLIKELY((next->tagged_bytes & Block::kPreviousFree) != 0)) {
        refuse(memory);
    }
    used_bytes_ -= bytes;
    --live_blocks_;
    block->tagged_bytes = tagged | Block::kFree;  // stays in the memory when the block joins one before, for a second free to find
    unpoison_defined(memory, bytes - Block::kWord);
    // With one free neighbour, the list entry of that one is what changes, and mostly it stays in its class.
    const std::size_t next_bytes = next->is_free() ? next->bytes() : 0;
    if ((tagged & Block::kPreviousFree) != 0) {
        block = block->block_before();
        const std::size_t previous_bytes = block->bytes();
        if (next_bytes != 0) {
            lists_.remove(next, Lists::class_of(next_bytes));
        }
        bytes += previous_bytes + next_bytes;
        lists_.exchange(block, Lists::class_of(previous_bytes), block, Lists::class_of(bytes));
    } else if (next_bytes != 0) {
        bytes += next_bytes;
        lists_.exchange(next, Lists::class_of(next_bytes), block, Lists::class_of(bytes));
    } else {
        lists_.insert(block, Lists::class_of(bytes));
    }
    next = next->at(next_bytes);
    write_free(block, bytes);
    next->tagged_bytes |= Block::kPreviousFree;
    if (HEAPWRIGHT_UNLIKELY(next->bytes() == 0)) {
        region_emptied(Region::of_end_mark(next));
    }
}

/// Writes header and footer of a free block.
template <unsigned LargestBits, unsigned FineBits>
HEAPWRIGHT_ALWAYS_INLINE void BasicTlsf<LargestBits, FineBits>::write_free(Block* block, std::size_t bytes) noexcept {
    block->tagged_bytes = bytes | Block::kFree;
    *block->at(bytes)->footer_before() = bytes;
    poison(block + 1, bytes - sizeof(Block) - Block::kWord);  // not the footer
}

template <unsigned LargestBits, unsigned FineBits>
void BasicTlsf<LargestBits, FineBits>::refuse(void* block) noexcept {
    const std::size_t tagged = Block::of(block)->tagged_bytes;
    if ((tagged & Block::kFree) != 0 && (tagged & ~Block::kFlags) >= Block::kLeastBytes) {
        detail::refuse_freed_heap_block(block);
    }
    detail::refuse_damaged_heap_block(block);
}

template <unsigned LargestBits, unsigned FineBits>
void BasicTlsf<LargestBits, FineBits>::refuse_size(void* block, std::size_t size) noexcept {
    if (Block::of(block)->is_free()) {
        refuse(block);
    }
    detail::refuse_heap_block_size(block, size, usable_size(block));
}

// ---- resizing

/// Gives back what a live block holds beyond `bytes`, if that is enough for a block.
template <unsigned LargestBits, unsigned FineBits>
void BasicTlsf<LargestBits, FineBits>::release_tail(Block* block, std::size_t bytes) noexcept {
    const std::size_t held = block->bytes();
    Block* next = block->at(held);
    std::size_t rest_bytes = held - bytes;
    if (next->is_free()) {
        lists_.remove(next, Lists::class_of(next->bytes()));
        rest_bytes += next->bytes();
        next = next->at(next->bytes());
    } else if (rest_bytes < Block::kLeastBytes) {
        return;
    }
    Block* const rest = block->at(bytes);
    block->tagged_bytes = bytes | (block->tagged_bytes & Block::kPreviousFree);
    lists_.insert(rest, Lists::class_of(rest_bytes));
    write_free(rest, rest_bytes);
    next->tagged_bytes |= Block::kPreviousFree;
    used_bytes_ -= held - bytes;
}

template <unsigned LargestBits, unsigned FineBits>
bool BasicTlsf<LargestBits, FineBits>::try_expand(void* memory, Layout layout, std::size_t new_size) noexcept {
    Block* const block = block_of(memory);
    if (HEAPWRIGHT_UNLIKELY(block->is_free()) || HEAPWRIGHT_UNLIKELY(block->usable_bytes() < layout.size)) {
        refuse_size(memory, layout.size);
    }
    if (new_size > kLargestBytes - kFenceBytes) {
        return false;
    }
    const std::size_t bytes = bytes_for(new_size);
    if (bytes > block->bytes()) {
        Block* const next = block->at(block->bytes());
        if (!next->is_free() || block->bytes() + next->bytes() < bytes) {
            return false;
        }
        lists_.remove(next, Lists::class_of(next->bytes()));
        const std::size_t joined = block->bytes() + next->bytes();
        used_bytes_ += next->bytes();
        block->at(joined)->tagged_bytes &= ~Block::kPreviousFree;
        block->tagged_bytes = joined | (block->tagged_bytes & Block::kPreviousFree);
    }
    unpoison_defined(memory, block->usable_bytes());
    release_tail(block, bytes);
    count_given(0);
    poison(block->memory() + new_size, block->usable_bytes() - new_size);
    return true;
}

template <unsigned LargestBits, unsigned FineBits>
void* BasicTlsf<LargestBits, FineBits>::try_reallocate(void* block, Layout layout, std::size_t new_size) noexcept {
    if (try_expand(block, layout, new_size)) {
        return block;
    }
    if (new_size > kLargestBytes - kFenceBytes) {
        why_refused_ = Errc::overflow;
        ++refusals_;
        return nullptr;
    }
    void* const moved = try_allocate({.size = new_size, .alignment = layout.alignment});
    if (moved == nullptr) {
        return nullptr;
    }
    __builtin_memcpy(moved, block, layout.size < new_size ? layout.size : new_size);
    deallocate(block);
    return moved;
}

}  // namespace heapwright
