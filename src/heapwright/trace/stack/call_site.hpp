// Where a call came from, as the callee sees it: the three registers with which the walk over its callers begins.
#pragma once

#include <cstdint>

#include <heapwright/base/platform.hpp>

namespace heapwright::trace::stack {

/// The caller of an interposed function, at the instant after the call returns.
struct CallSite {
    std::uintptr_t return_address;  ///< the next instruction of the caller
    std::uintptr_t stack_pointer;   ///< rsp after the return
    std::uintptr_t frame_pointer;   ///< rbp of the caller: a frame pointer or any other value
};

/// The call site of the function into which this is inlined. Write it directly in the exported function (malloc,
/// operator new ...), never in a helper that may or may not be inlined.
///
/// Cost: the enclosing function is given a frame pointer; three loads.
HEAPWRIGHT_ALWAYS_INLINE CallSite call_site_here() noexcept {
    const auto* frame = static_cast<const std::uintptr_t*>(__builtin_frame_address(0));
    return {reinterpret_cast<std::uintptr_t>(__builtin_return_address(0)), reinterpret_cast<std::uintptr_t>(__builtin_dwarf_cfa()), *frame};
}

}  // namespace heapwright::trace::stack
