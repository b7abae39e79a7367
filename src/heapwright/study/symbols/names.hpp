// Names as people want them: demangled, without defaulted template arguments, and known as runtime or as the user's own.
#pragma once

#include <string>
#include <string_view>

namespace heapwright::study {

/// A symbol as written in source: demangled (C++ and Rust's older scheme), compiler suffixes (.cold, .isra.0 ...) dropped,
/// defaulted std:: template arguments left out, at most kLongestName bytes. A name that is not mangled comes back as is.
[[nodiscard]] std::string readable_name(std::string_view symbol);

inline constexpr std::size_t kLongestName = 1000;

/// True when a reader of a report would skip the function: the C and C++ runtime, allocators and their thin wrappers.
///
/// `symbol` is the mangled name where there is one (a demangled template function starts with its return type, which
/// says nothing), `module` the file's base name.
[[nodiscard]] bool is_runtime_function(std::string_view symbol, std::string_view module);

}  // namespace heapwright::study
