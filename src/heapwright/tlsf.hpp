// Front door: a heap of any sizes in constant time, over memory that the caller gives.
#pragma once

#include <heapwright/alloc/tlsf/tlsf.hpp>  // IWYU pragma: export
