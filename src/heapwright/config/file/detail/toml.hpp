// toml++ as it is used here: no library of it is linked, and no text makes it stop the program.
#pragma once

#define TOML_HEADER_ONLY 1  // NOLINT(readability-identifier-naming): toml++ names it

// Version 3.3 asserts of a few faulty texts ("a =`b`") what it finds out to be wrong right afterwards, and where assertions are
// off clang takes them for true. So they are neither checked nor assumed.
#define TOML_ASSERT(expression) static_cast<void>(0)  // NOLINT(readability-identifier-naming)
#pragma push_macro("NDEBUG")
#undef NDEBUG
#include <toml++/toml.h>
#pragma pop_macro("NDEBUG")
