// The bodies of ChunkChain: everything that happens once per chunk instead of once per block.
// Included at the end of the header that declares them, and nowhere else.
#pragma once

namespace heapwright::detail {

inline Chunk* ChunkChain::extend(std::size_t needed) noexcept {
    if (!is_buffer_adopted_) {
        adopt_buffer();
    }
    Chunk* chunk = take_retained(needed);
    if (chunk == nullptr) {
        chunk = take_new(needed);
    }
    if (chunk == nullptr) {
        return nullptr;
    }
    link_after(last_, chunk);
    last_ = chunk;
    return chunk;
}

inline void ChunkChain::adopt_buffer() noexcept {
    is_buffer_adopted_ = true;
    const std::size_t padding = static_cast<std::size_t>(-reinterpret_cast<std::uintptr_t>(buffer_.data())) & (alignof(Chunk) - 1);
    if (buffer_.size() >= padding + sizeof(Chunk) + alignof(Chunk)) {
        link_after(nullptr, make_chunk(buffer_.data() + padding, align_down(buffer_.size() - padding, alignof(Chunk)), true));
    }
}

inline Chunk* ChunkChain::make_chunk(void* memory, std::size_t bytes, bool is_borrowed) noexcept {
    auto* const chunk = ::new (memory)
        Chunk{.previous = nullptr, .next = nullptr, .low = nullptr, .high = nullptr, .bytes = bytes, .is_borrowed = is_borrowed};
    chunk->low = chunk->begin();
    chunk->high = chunk->end();
    poison(chunk->begin(), chunk->capacity());
    return chunk;
}

inline Chunk* ChunkChain::take_retained(std::size_t needed) noexcept {
    Chunk* chunk = retained();
    for (std::size_t probe = 0; chunk != nullptr && probe < kProbes; ++probe, chunk = chunk->next) {
        if (chunk->capacity() >= needed) {
            unlink(chunk);
            return chunk;
        }
    }
    return nullptr;
}

inline Chunk* ChunkChain::take_new(std::size_t needed) noexcept {
    std::size_t least = 0;
    if (add_overflows(needed, sizeof(Chunk), &least) || align_up_overflows(least, least < kOsPage ? kGrain : kOsPage, &least) ||
        least > Layout::kLargestSize) {
        count_refusal(Errc::overflow);
        return nullptr;
    }
    // A limit that is no multiple of the grain is met by rounding down what is left of it.
    const std::size_t budget = align_down(options_.limit_bytes - owned_bytes_, kGrain);
    if (least > budget || owned_chunks_ >= options_.limit_chunks) {
        count_refusal(Errc::limit_reached);
        return nullptr;
    }
    std::size_t bytes = align_up(next_chunk_bytes_, kGrain);
    bytes = bytes < least ? least : bytes;
    bytes = bytes > budget ? budget : bytes;
    void* memory = source_.try_allocate(Layout{.size = bytes, .alignment = alignof(Chunk)});
    if (memory == nullptr && bytes > least) {
        // Doubling is a wish; what the caller needs may still fit into what is left below.
        bytes = least;
        memory = source_.try_allocate(Layout{.size = bytes, .alignment = alignof(Chunk)});
    }
    if (memory == nullptr) {
        count_refusal(Errc::out_of_memory);
        return nullptr;
    }
    owned_bytes_ += bytes;
    ++owned_chunks_;
    const std::size_t doubled = next_chunk_bytes_ > options_.largest_chunk_bytes / 2 ? options_.largest_chunk_bytes : next_chunk_bytes_ * 2;
    next_chunk_bytes_ = doubled > next_chunk_bytes_ ? doubled : next_chunk_bytes_;
    return make_chunk(memory, bytes, false);
}

inline void ChunkChain::link_after(Chunk* before, Chunk* chunk) noexcept {
    Chunk*& slot = before == nullptr ? first_ : before->next;
    chunk->previous = before;
    chunk->next = slot;
    if (slot != nullptr) {
        slot->previous = chunk;
    }
    slot = chunk;
}

inline void ChunkChain::unlink(Chunk* chunk) noexcept {
    (chunk->previous == nullptr ? first_ : chunk->previous->next) = chunk->next;
    if (chunk->next != nullptr) {
        chunk->next->previous = chunk->previous;
    }
}

inline void ChunkChain::retire_after(Chunk* keep) noexcept {
    for (Chunk* chunk = last_; chunk != keep; chunk = chunk->previous) {
        chunk->low = chunk->begin();
        chunk->high = chunk->end();
        poison(chunk->begin(), chunk->capacity());
    }
    last_ = keep;
}

inline void ChunkChain::promote_largest() noexcept {
    HEAPWRIGHT_ASSERT(last_ == nullptr, "chunks in use must not be reordered");
    Chunk* const borrowed = first_ != nullptr && first_->is_borrowed ? first_ : nullptr;
    Chunk* const start = borrowed == nullptr ? first_ : borrowed->next;
    Chunk* largest = start;
    for (Chunk* chunk = start; chunk != nullptr; chunk = chunk->next) {
        largest = chunk->bytes > largest->bytes ? chunk : largest;
    }
    if (largest != start) {
        unlink(largest);
        link_after(borrowed, largest);
    }
}

inline std::size_t ChunkChain::trim(std::size_t keep_bytes) noexcept {
    std::size_t kept_bytes = 0;
    std::size_t returned_bytes = 0;
    bool is_retained = last_ == nullptr;
    for (Chunk* chunk = first_; chunk != nullptr;) {
        Chunk* const next = chunk->next;
        if (is_retained && !chunk->is_borrowed && kept_bytes >= keep_bytes) {
            returned_bytes += chunk->bytes;
            unlink(chunk);
            give_back(chunk);
        } else {
            kept_bytes += chunk->capacity();
            is_retained = is_retained || chunk == last_;
        }
        chunk = next;
    }
    return returned_bytes;
}

inline void ChunkChain::give_back(Chunk* chunk) noexcept {
    const Layout layout{.size = chunk->bytes, .alignment = alignof(Chunk)};
    owned_bytes_ -= layout.size;
    --owned_chunks_;
    unpoison(chunk, layout.size);  // the next owner of these addresses knows nothing of us
    source_.deallocate(chunk, layout);
}

inline void ChunkChain::release() noexcept {
    for (Chunk* chunk = first_; chunk != nullptr;) {
        Chunk* const next = chunk->next;
        if (chunk->is_borrowed) {
            unpoison(chunk, chunk->bytes);
        } else {
            give_back(chunk);
        }
        chunk = next;
    }
    first_ = nullptr;
    last_ = nullptr;
    is_buffer_adopted_ = false;
    next_chunk_bytes_ = options_.first_chunk_bytes;
}

inline std::size_t ChunkChain::retained_bytes() const noexcept {
    std::size_t bytes = 0;
    for (const Chunk* chunk = last_ == nullptr ? first_ : last_->next; chunk != nullptr; chunk = chunk->next) {
        bytes += chunk->bytes;
    }
    return bytes;
}

inline bool ChunkChain::is_in_use(const Chunk* chunk) const noexcept {
    // Newest first: marks are mostly young.
    for (const Chunk* used = last_; used != nullptr; used = used->previous) {
        if (used == chunk) {
            return true;
        }
    }
    return false;
}

inline const char* ChunkChain::broken_invariant() const noexcept {
    std::size_t bytes = 0;
    std::size_t chunks = 0;
    bool met_last = last_ == nullptr;
    const Chunk* previous = nullptr;
    for (const Chunk* chunk = first_; chunk != nullptr; previous = chunk, chunk = chunk->next) {
        if (chunk->previous != previous) {
            return "C1: the links of the chunks disagree";
        }
        met_last = met_last || chunk == last_;
        bytes += chunk->is_borrowed ? 0 : chunk->bytes;
        chunks += chunk->is_borrowed ? 0 : 1;
    }
    if (!met_last) {
        return "C2: the newest chunk in use is not on the list";
    }
    if (bytes != owned_bytes_ || chunks != owned_chunks_ || bytes > options_.limit_bytes || chunks > options_.limit_chunks) {
        return "C3: the chunks do not add up, or exceed a limit";
    }
    return nullptr;
}

}  // namespace heapwright::detail
