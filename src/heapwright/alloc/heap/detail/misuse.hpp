// The last words about a pointer that no block of the heap can have.
#pragma once

#include <string_view>

namespace heapwright::heap {

/// Writes the line to stderr and ends the program by SIGABRT on this thread, as glibc would.
[[noreturn]] void abort_with(std::string_view line) noexcept;

[[noreturn]] void stop_foreign(const char* what, const void* pointer) noexcept;
[[noreturn]] void stop_interior(const char* what, const void* pointer) noexcept;
[[noreturn]] void stop_not_a_block(const char* what, const void* pointer) noexcept;

}  // namespace heapwright::heap
