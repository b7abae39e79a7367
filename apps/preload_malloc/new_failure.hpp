// What happens when an operator new finds no memory: the new handler, then std::bad_alloc, without linking a C++ run time.
#pragma once

#include <cstddef>

#include <heapwright/base/platform.hpp>

namespace heapwright::preload {

/// Asks again after each call of the program's new handler; throws std::bad_alloc when there is none. A program without a
/// C++ run time cannot catch that: it is stopped with one line.
///
/// alignment: 0 for the forms without one.
[[nodiscard]] HEAPWRIGHT_COLD void* new_again(std::size_t bytes, std::size_t alignment);

/// The same for the nothrow forms.
///
/// Returns:  nullptr where the other throws, also when the handler does.
[[nodiscard]] HEAPWRIGHT_COLD void* new_again_quietly(std::size_t bytes, std::size_t alignment) noexcept;

/// One try. Returns: nullptr when there is no memory, or the alignment is no power of two.
[[nodiscard]] void* try_new_aligned(std::size_t bytes, std::size_t alignment) noexcept;

}  // namespace heapwright::preload
