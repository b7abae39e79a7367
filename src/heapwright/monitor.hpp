// Front door: the monitor. A thread that shows a program's memory to Prometheus and gives memory back.
#pragma once

#include <heapwright/os/report_by_default.hpp>  // IWYU pragma: export
#include <heapwright/runtime/metrics_text.hpp>  // IWYU pragma: export
#include <heapwright/runtime/monitor.hpp>       // IWYU pragma: export
