// Front door: a heap of any sizes in constant time, over memory that the caller gives. Compiled with -ffreestanding it asks for
// no operating system, and nobody tells why a check failed unless the program sets a failure handler.
#pragma once

#include <heapwright/alloc/tlsf/tlsf.hpp>  // IWYU pragma: export
#if __STDC_HOSTED__ && defined(__linux__)
#include <heapwright/os/page_source.hpp>        // IWYU pragma: export
#include <heapwright/os/report_by_default.hpp>  // IWYU pragma: export
#endif
