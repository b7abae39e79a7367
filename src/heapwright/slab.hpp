// Front door: slabs. Objects at stable addresses, under keys that never come alive again.
#pragma once

#include <heapwright/alloc/slab/slab.hpp>       // IWYU pragma: export
#include <heapwright/alloc/slab/slab_key.hpp>   // IWYU pragma: export
#include <heapwright/os/page_source.hpp>        // IWYU pragma: export
#include <heapwright/os/report_by_default.hpp>  // IWYU pragma: export
