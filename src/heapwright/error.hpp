// Front door: what can go wrong in a correct program, as a value, and checks for what cannot.
#pragma once

#include <heapwright/base/check.hpp>  // IWYU pragma: export
#include <heapwright/base/error.hpp>  // IWYU pragma: export
