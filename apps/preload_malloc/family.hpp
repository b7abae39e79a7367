// What the members of the malloc family share: refusal, and the alignments that glibc takes.
#pragma once

#include <cerrno>
#include <cstddef>

#include <heapwright/base/bits.hpp>
#include <heapwright/base/platform.hpp>

namespace heapwright::preload {

inline constexpr std::size_t kPageBytes = 4096;

/// The end of every failed allocation.
HEAPWRIGHT_COLD inline void* refuse() noexcept {
    errno = ENOMEM;
    return nullptr;
}

}  // namespace heapwright::preload
