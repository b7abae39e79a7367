// Included by the front doors: a program that uses the library under an operating system reads why a check stopped it.
#pragma once

#include <heapwright/os/report.hpp>

namespace heapwright::os {

/// Set before main. Headers of single modules do not include this: what runs without an operating system has no stderr.
inline const bool kFailuresAreReported = report_failures_by_default();

}  // namespace heapwright::os
