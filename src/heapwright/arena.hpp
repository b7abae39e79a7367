// Front door: arenas. Many blocks, one release.
#pragma once

#include <heapwright/alloc/arena/arena.hpp>  // IWYU pragma: export
#include <heapwright/base/block_source.hpp>  // IWYU pragma: export
#include <heapwright/base/error.hpp>         // IWYU pragma: export
#include <heapwright/base/layout.hpp>        // IWYU pragma: export
#include <heapwright/os/page_source.hpp>     // IWYU pragma: export
