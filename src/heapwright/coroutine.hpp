// Front door: coroutines whose frames come from an arena, a cache, a stack or a budget.
#pragma once

#include <heapwright/os/page_source.hpp>              // IWYU pragma: export
#include <heapwright/os/report_by_default.hpp>        // IWYU pragma: export
#include <heapwright/own/coroutine/frame_budget.hpp>  // IWYU pragma: export
#include <heapwright/own/coroutine/frame_stack.hpp>   // IWYU pragma: export
#include <heapwright/own/coroutine/generator.hpp>     // IWYU pragma: export
#include <heapwright/own/coroutine/run_loop.hpp>      // IWYU pragma: export
