// The sentences of detail/misuse.hpp, made without allocating.
#include <heapwright/alloc/tlsf/detail/misuse.hpp>

#include <heapwright/base/sentence.hpp>

namespace heapwright::detail {

void refuse_freed_heap_block(const void* block) noexcept {
    Sentence sentence;
    sentence.append("double free: block ");
    sentence.append_pointer(block);
    sentence.append(" was already free; the stack at this stop shows the second free");
    stop(sentence);
}

void refuse_damaged_heap_block(const void* block) noexcept {
    Sentence sentence;
    sentence.append("no block: what lies before ");
    sentence.append_pointer(block);
    sentence.append(" is no header of this heap; free what the heap gave, and look for writes before or past a block");
    stop(sentence);
}

void refuse_heap_block_size(const void* block, std::size_t said_bytes, std::size_t usable_bytes) noexcept {
    Sentence sentence;
    sentence.append("wrong size: block ");
    sentence.append_pointer(block);
    sentence.append(" of ");
    sentence.append_decimal(static_cast<std::uint64_t>(usable_bytes));
    sentence.append(" bytes is freed as ");
    sentence.append_decimal(static_cast<std::uint64_t>(said_bytes));
    sentence.append(" bytes; free it with the size that was asked for");
    stop(sentence);
}

}  // namespace heapwright::detail
