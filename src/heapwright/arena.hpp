// Front door: arenas. Many blocks, one release.
#pragma once

#include <heapwright/alloc/arena/arena.hpp>          // IWYU pragma: export
#include <heapwright/alloc/arena/frame_arena.hpp>    // IWYU pragma: export
#include <heapwright/alloc/arena/growing_array.hpp>  // IWYU pragma: export
#include <heapwright/alloc/arena/inline_arena.hpp>   // IWYU pragma: export
#include <heapwright/alloc/arena/owned.hpp>          // IWYU pragma: export
#include <heapwright/alloc/arena/plain_arena.hpp>    // IWYU pragma: export
#include <heapwright/alloc/arena/scope.hpp>          // IWYU pragma: export
#include <heapwright/alloc/arena/shared_arena.hpp>   // IWYU pragma: export
#include <heapwright/alloc/arena/typed_arena.hpp>    // IWYU pragma: export
#include <heapwright/os/report_by_default.hpp>       // IWYU pragma: export
#include <heapwright/os/retired_pages.hpp>           // IWYU pragma: export
