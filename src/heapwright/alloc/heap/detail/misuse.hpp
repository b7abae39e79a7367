// The last words about a pointer that no block of the heap can have.
#pragma once

namespace heapwright::heap {

[[noreturn]] void stop_foreign(const char* what, const void* pointer) noexcept;
[[noreturn]] void stop_interior(const char* what, const void* pointer) noexcept;
[[noreturn]] void stop_not_a_block(const char* what, const void* pointer) noexcept;

}  // namespace heapwright::heap
