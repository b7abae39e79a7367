// Front door: a general-purpose heap of one's own, with a limit and an account, released whole; kHeap, the process's, as a source;
// evacuation, for programs that move their own blocks.
#pragma once

#include <heapwright/alloc/heap/evacuation.hpp>   // IWYU pragma: export
#include <heapwright/alloc/heap/heap.hpp>         // IWYU pragma: export
#include <heapwright/alloc/heap/heap_source.hpp>  // IWYU pragma: export
#include <heapwright/alloc/heap/statistics.hpp>   // IWYU pragma: export
#include <heapwright/os/report_by_default.hpp>    // IWYU pragma: export
