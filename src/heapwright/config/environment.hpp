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

/// Tells where the variables are before libc knows: its loader passes them to every constructor.
///
/// Requires: they end with nullptr and are not changed before libc has them.
void set_early_environment(char** entries) noexcept;

/// Whether a variable's name begins with HEAPWRIGHT_CONF: without one, there are neither settings nor a file of them.
///
/// Cost:     as append_variable(); where libc or the loader told of the variables, nothing else is touched.
[[nodiscard]] bool may_be_configured() noexcept;

}  // namespace heapwright::config
