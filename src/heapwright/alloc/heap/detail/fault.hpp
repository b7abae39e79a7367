// The last words of the hardened heap: what the program did to which block, of which size.
#pragma once

#include <cstddef>

namespace heapwright::heap {

// `what` is the call that noticed it: free, realloc, malloc_usable_size.

[[noreturn]] void stop_freed_before(const char* what, const void* block, std::size_t most_bytes) noexcept;
[[noreturn]] void stop_inside(const char* what, const void* pointer, std::size_t distance, std::size_t bytes) noexcept;
[[noreturn]] void stop_overrun(const char* what, const void* block, std::size_t most_bytes) noexcept;
[[noreturn]] void stop_written_after_free(const void* block, std::size_t most_bytes, std::size_t at) noexcept;
[[noreturn]] void stop_wrong_size(const char* what, const void* block, std::size_t bytes, std::size_t told) noexcept;
[[noreturn]] void stop_damaged(const void* block, std::size_t bytes) noexcept;

}  // namespace heapwright::heap
