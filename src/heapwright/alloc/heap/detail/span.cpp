// Blocks between a span's lists. A child of fork may find these steps half done: a block may then be lost, never be in two lists.
#include <heapwright/alloc/heap/detail/span.hpp>

#include <algorithm>

#include <heapwright/alloc/heap/detail/mesher.hpp>
#include <heapwright/alloc/heap/detail/mixed_record.hpp>
#include <heapwright/alloc/heap/detail/page_return.hpp>

namespace heapwright::heap {

namespace {

/// Carved at once: a page at first, so that a small program touches little, then more, for fewer calls.
constexpr std::uint32_t kFirstCarveBytes = 4096;
constexpr std::uint32_t kMostCarveBytes = 16384;

/// Orders what this thread wrote for a child of fork, in which it may stop between any two writes.
void in_this_order() noexcept { std::atomic_signal_fence(std::memory_order_acq_rel); }

/// The length of a list, and its last block.
std::uint32_t count_blocks(FreeBlock* first, FreeBlock*& last) noexcept {
    std::uint32_t count = 1;
    for (last = first; last->next != nullptr; last = last->next) {
        ++count;
    }
    return count;
}

/// What was just carved begins somewhere else in each span: so that blocks that a program keeps at a regular distance do not all lie
/// at the same places, and their spans can be meshed.
FreeBlock* rotated(const Span* span, FreeBlock* first) noexcept {
    FreeBlock* last = nullptr;
    const std::uint32_t count = count_blocks(first, last);
    // Fibonacci hashing of the span's number; the same for all that is carved of one span.
    const auto number = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(span->start) >> kSliceLog2);
    const std::uint32_t steps = (number * 0x9E3779B1U >> 8) % count;
    FreeBlock* before = nullptr;
    FreeBlock* head = first;
    for (std::uint32_t step = 0; step < steps; ++step) {
        before = head;
        head = head->next;
    }
    if (before != nullptr) {
        last->next = first;
        before->next = nullptr;
    }
    return head;
}

}  // namespace

void put_home(Span* span, FreeBlock* first, FreeBlock* last, std::uint32_t count) noexcept {
    last->next = span->local_free;
    span->local_free = first;
    in_this_order();
    span->set_live(span->live() - count, 0);
}

std::uint32_t take_remote(Span* span) noexcept {
    if (span->remote.load(std::memory_order_relaxed) <= kWantsNotice) {  // a hint; the exchange acquires
        return 0;
    }
    const std::uintptr_t word = span->remote.exchange(0, std::memory_order_acquire);  // pairs with push_remote()'s release
    auto* const first = reinterpret_cast<FreeBlock*>(word & ~kWantsNotice);
    FreeBlock* last = nullptr;
    const std::uint32_t count = count_blocks(first, last);
    if (HEAPWRIGHT_UNLIKELY(span->is_mixed())) {
        put_home_mixed(span, first, count);
    } else {
        put_home(span, first, last, count);
    }
    return count;
}

FreeBlock* hand_out_freed(Span* span) noexcept {
    take_remote(span);
    FreeBlock* const freed = span->local_free;
    if (freed == nullptr) {
        return nullptr;
    }
    span->local_free = nullptr;
    in_this_order();
    span->set_live(span->carved - absent_blocks(span), 0);
    in_this_order();
    return freed;
}

FreeBlock* carve(Span* span) noexcept {
    std::uint32_t bytes = std::clamp(span->carved * span->block_bytes / 4, kFirstCarveBytes, kMostCarveBytes);
    const bool is_to_rotate = is_to_mesh(span);
    bytes = is_to_rotate ? bytes & ~(kFirstCarveBytes - 1) : bytes;
    const std::uint32_t count = std::min(std::max(bytes / span->block_bytes, 1U), span->capacity - span->carved);
    char* const first = span->start + std::size_t{span->carved} * span->block_bytes;
    char* block = first;
    for (std::uint32_t i = 1; i < count; ++i, block += span->block_bytes) {
        reinterpret_cast<FreeBlock*>(block)->next = reinterpret_cast<FreeBlock*>(block + span->block_bytes);
    }
    reinterpret_cast<FreeBlock*>(block)->next = nullptr;
    span->set_live(span->live() + count, 0);
    span->carved += count;
    in_this_order();
    auto* const made = reinterpret_cast<FreeBlock*>(first);
    return is_to_rotate ? rotated(span, made) : made;
}

namespace {

/// The length of a list, as far as it is not longer than `most`.
std::uint32_t length_of(const FreeBlock* block, std::uint32_t most) noexcept {
    std::uint32_t count = 0;
    for (; block != nullptr && count <= most; block = block->next) {
        ++count;
    }
    return count;
}

}  // namespace

const char* Span::broken_invariant() const noexcept {
    if (is_mixed()) {
        const MixedRecord* const record = mixed_record_of(this);
        return record->blocks() + record->owed != live() + length_of(local_free, record->blocks())
                   ? "S1: a mixed span has another number of blocks"
                   : record->broken_invariant();
    }
    if (carved > capacity) {
        return "S3: more blocks were carved than fit";
    }
    if (live() > carved) {
        return "S1: more blocks are live than were ever made";
    }
    const std::uint32_t freed = length_of(local_free, carved);
    return freed + absent_blocks(this) != carved - live() ? "S2: the owner's frees, and absent blocks, are not the blocks that are not live"
                                                          : nullptr;
}

}  // namespace heapwright::heap
