// The environment of this process, also before libc has it.
#pragma once

#include <heapwright/base/text.hpp>

namespace heapwright::config {

/// Appends the value of the variable.
///
/// Returns:  false where there is none.
/// Cost:     a walk over the environment; before libc has it, /proc/self/environ is read.
/// Thread safety: nobody may change the environment meanwhile.
[[nodiscard]] bool append_variable(std::string_view name, TextBuffer& text) noexcept;

}  // namespace heapwright::config
