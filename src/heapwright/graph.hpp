// Front door: directed graphs in few bytes, frozen or changing, and what can be asked of them.
#pragma once

#include <heapwright/graph/breadth_first.hpp>   // IWYU pragma: export
#include <heapwright/graph/components.hpp>      // IWYU pragma: export
#include <heapwright/graph/depth_first.hpp>     // IWYU pragma: export
#include <heapwright/graph/file/edge_list.hpp>  // IWYU pragma: export
#include <heapwright/graph/frozen_graph.hpp>    // IWYU pragma: export
#include <heapwright/graph/graph.hpp>           // IWYU pragma: export
#include <heapwright/graph/shortest_paths.hpp>  // IWYU pragma: export
#include <heapwright/os/page_source.hpp>        // IWYU pragma: export
#include <heapwright/os/report_by_default.hpp>  // IWYU pragma: export
