// Front door: the collected heap. Ordinary C++ objects that live as long as something refers to them.
#pragma once

#include <heapwright/os/report_by_default.hpp>     // IWYU pragma: export
#include <heapwright/own/gc/config.hpp>            // IWYU pragma: export
#include <heapwright/own/gc/heap.hpp>              // IWYU pragma: export
#include <heapwright/own/gc/make.hpp>              // IWYU pragma: export
#include <heapwright/own/gc/ptr.hpp>               // IWYU pragma: export
#include <heapwright/own/gc/root.hpp>              // IWYU pragma: export
#include <heapwright/own/gc/traced_allocator.hpp>  // IWYU pragma: export
#include <heapwright/own/gc/tracer.hpp>            // IWYU pragma: export
#include <heapwright/own/gc/weak.hpp>              // IWYU pragma: export
