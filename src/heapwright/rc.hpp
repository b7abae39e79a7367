// Front door: counted handles. Rc for one thread, Arc for many, weak handles, and what collects their cycles.
#pragma once

#include <heapwright/os/report_by_default.hpp>           // IWYU pragma: export
#include <heapwright/own/rc/biased_counts.hpp>           // IWYU pragma: export
#include <heapwright/own/rc/cell.hpp>                    // IWYU pragma: export
#include <heapwright/own/rc/cycle_collector.hpp>         // IWYU pragma: export
#include <heapwright/own/rc/hosted_shared_ptr.hpp>       // IWYU pragma: export
#include <heapwright/own/rc/pool_blocks.hpp>             // IWYU pragma: export
#include <heapwright/own/rc/rc.hpp>                      // IWYU pragma: export
#include <heapwright/own/rc/shared_cycle_collector.hpp>  // IWYU pragma: export
#include <heapwright/own/rc/shared_weak_cache.hpp>       // IWYU pragma: export
#include <heapwright/own/rc/weak_cache.hpp>              // IWYU pragma: export
