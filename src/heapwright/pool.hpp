// Front door: pools. Blocks of one size in constant time, every free checked.
#pragma once

#include <heapwright/alloc/pool/class_choice.hpp>  // IWYU pragma: export
#include <heapwright/alloc/pool/multi_pool.hpp>    // IWYU pragma: export
#include <heapwright/alloc/pool/pool.hpp>          // IWYU pragma: export
#include <heapwright/alloc/pool/shared_pool.hpp>   // IWYU pragma: export
#include <heapwright/alloc/pool/typed_pool.hpp>    // IWYU pragma: export
#include <heapwright/os/page_source.hpp>           // IWYU pragma: export
#include <heapwright/os/report_by_default.hpp>     // IWYU pragma: export
