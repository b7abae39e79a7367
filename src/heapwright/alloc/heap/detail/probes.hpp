// Probes for tracers of the kernel: one no-op instruction each, and nothing at all where <sys/sdt.h> was not found.
//
// The build defines HEAPWRIGHT_USDT for this module when the header is there. Only paths that take a lock or ask the
// kernel have probes; docs/manual/libheapwright.md lists them with their arguments.
#pragma once

#ifdef HEAPWRIGHT_USDT
#include <sys/sdt.h>
#define HEAPWRIGHT_PROBE1(name, first) DTRACE_PROBE1(heapwright, name, first)
#define HEAPWRIGHT_PROBE2(name, first, second) DTRACE_PROBE2(heapwright, name, first, second)
#define HEAPWRIGHT_PROBE3(name, first, second, third) DTRACE_PROBE3(heapwright, name, first, second, third)
#else
#define HEAPWRIGHT_PROBE1(name, first) static_cast<void>(0)
#define HEAPWRIGHT_PROBE2(name, first, second) static_cast<void>(0)
#define HEAPWRIGHT_PROBE3(name, first, second, third) static_cast<void>(0)
#endif
