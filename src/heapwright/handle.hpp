// Front door: objects that may move. Handles and boxes own them, pins and borrows hold them still, compaction joins them.
#pragma once

#include <heapwright/os/report_by_default.hpp>  // IWYU pragma: export
#include <heapwright/own/handle/block.hpp>      // IWYU pragma: export
#include <heapwright/own/handle/box.hpp>        // IWYU pragma: export
#include <heapwright/own/handle/handle.hpp>     // IWYU pragma: export
#include <heapwright/own/handle/heap.hpp>       // IWYU pragma: export
#include <heapwright/own/handle/options.hpp>    // IWYU pragma: export
#include <heapwright/own/handle/pin.hpp>        // IWYU pragma: export
#include <heapwright/own/handle/relocate.hpp>   // IWYU pragma: export
#include <heapwright/own/handle/string.hpp>     // IWYU pragma: export
#include <heapwright/own/handle/vector.hpp>     // IWYU pragma: export
