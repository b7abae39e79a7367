// Front door: a heap of any sizes in constant time, over memory that the caller gives. It asks for no operating system, so
// nobody tells why a check failed unless the program sets a failure handler.
#pragma once

#include <heapwright/alloc/tlsf/tlsf.hpp>  // IWYU pragma: export
