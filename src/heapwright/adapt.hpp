// Front door: the library's allocators in the standard's containers, others' allocators under ours, and compositions.
#pragma once

#include <heapwright/alloc/adapt/affix.hpp>               // IWYU pragma: export
#include <heapwright/alloc/adapt/compose.hpp>             // IWYU pragma: export
#include <heapwright/alloc/adapt/description.hpp>         // IWYU pragma: export
#include <heapwright/alloc/adapt/foreign_sources.hpp>     // IWYU pragma: export
#include <heapwright/alloc/adapt/memory_resource.hpp>     // IWYU pragma: export
#include <heapwright/alloc/adapt/size_histogram.hpp>      // IWYU pragma: export
#include <heapwright/alloc/adapt/standard_allocator.hpp>  // IWYU pragma: export
#include <heapwright/alloc/adapt/trace_file.hpp>          // IWYU pragma: export
#include <heapwright/alloc/adapt/trace_sink.hpp>          // IWYU pragma: export
#include <heapwright/alloc/adapt/tracked.hpp>             // IWYU pragma: export
#include <heapwright/os/report_by_default.hpp>            // IWYU pragma: export
