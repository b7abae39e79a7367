// The sentences of detail/misuse.hpp, made without allocating.
#include <heapwright/alloc/pool/detail/misuse.hpp>

#include <heapwright/base/sentence.hpp>

namespace heapwright::detail {
namespace {

void append_block(Sentence& sentence, const void* block, std::size_t block_bytes) noexcept {
    sentence.append("block ");
    sentence.append_pointer(block);
    sentence.append(" (");
    sentence.append_decimal(static_cast<std::uint64_t>(block_bytes));
    sentence.append(" bytes)");
}

}  // namespace

void refuse_foreign_block(const void* block, std::size_t block_bytes) noexcept {
    Sentence sentence;
    sentence.append("foreign block: ");
    sentence.append_pointer(block);
    sentence.append(" is not from this pool of ");
    sentence.append_decimal(static_cast<std::uint64_t>(block_bytes));
    sentence.append(" byte blocks; free it where it was made");
    stop(sentence);
}

void refuse_interior_block(const void* block, std::size_t offset_bytes, std::size_t block_bytes) noexcept {
    Sentence sentence;
    sentence.append("no block: ");
    sentence.append_pointer(block);
    sentence.append(" is ");
    sentence.append_decimal(static_cast<std::uint64_t>(offset_bytes));
    sentence.append(" bytes into a block of ");
    sentence.append_decimal(static_cast<std::uint64_t>(block_bytes));
    sentence.append("; free the address that the pool gave");
    stop(sentence);
}

void refuse_never_given(const void* block, std::size_t block_bytes) noexcept {
    Sentence sentence;
    sentence.append("no block: ");
    append_block(sentence, block, block_bytes);
    sentence.append(" lies in this pool but was never given; free the address that the pool gave");
    stop(sentence);
}

void refuse_double_free(const void* block, std::size_t block_bytes) noexcept {
    Sentence sentence;
    sentence.append("double free: ");
    append_block(sentence, block, block_bytes);
    sentence.append(" was already free; the stack at this stop shows the second free");
    stop(sentence);
}

void refuse_wrong_size(const void* block, std::size_t said_bytes, std::size_t block_bytes) noexcept {
    Sentence sentence;
    sentence.append("wrong size: ");
    append_block(sentence, block, block_bytes);
    sentence.append(" is freed as ");
    sentence.append_decimal(static_cast<std::uint64_t>(said_bytes));
    sentence.append(" bytes; free it with the size that was asked for");
    stop(sentence);
}

void refuse_leak(std::size_t live_blocks, std::size_t block_bytes, const void* first_block) noexcept {
    Sentence sentence;
    sentence.append("pool ended with ");
    sentence.append_decimal(static_cast<std::uint64_t>(live_blocks));
    sentence.append(live_blocks == 1 ? " block" : " blocks");
    sentence.append(" still in use, the first is ");
    append_block(sentence, first_block, block_bytes);
    sentence.append("; free them, or say Leaks::forget if they may end with the pool");
    stop(sentence);
}

}  // namespace heapwright::detail
