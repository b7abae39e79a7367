// Memory of the worker itself: mapped and touched before the measuring begins, so that it is a constant to take off.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace heapwright::replay_worker {

/// Whole OS pages, zero, every one of them resident. Ends the program with a sentence when the kernel refuses.
[[nodiscard]] void* fixed_bytes(std::size_t bytes, const char* name) noexcept;

/// Address space of which only the last `touched` bytes are resident: a thread's stack.
[[nodiscard]] void* fixed_stack(std::size_t bytes, std::size_t touched, const char* name) noexcept;

template <class T>
[[nodiscard]] T* fixed_array(std::size_t count, const char* name) noexcept {
    return static_cast<T*>(fixed_bytes((count == 0 ? 1 : count) * sizeof(T), name));
}

/// Resident bytes handed out so far.
[[nodiscard]] std::uint64_t fixed_total() noexcept;

/// Ends the worker with `heapwright: <sentence>` on stderr and exit status 4.
[[noreturn]] void give_up(std::string_view sentence, std::string_view fact = {}) noexcept;

}  // namespace heapwright::replay_worker
