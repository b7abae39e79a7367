// Front door: pools. Blocks of one size in constant time, every free checked.
#pragma once

#include <heapwright/alloc/pool/pool.hpp>    // IWYU pragma: export
#include <heapwright/base/block_source.hpp>  // IWYU pragma: export
#include <heapwright/base/error.hpp>         // IWYU pragma: export
#include <heapwright/base/layout.hpp>        // IWYU pragma: export
#include <heapwright/os/page_source.hpp>     // IWYU pragma: export
