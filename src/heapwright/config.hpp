// Front door: the configuration. A memory.toml as values, and the library's objects made by it.
#pragma once

#include <heapwright/config/memory_config.hpp>                  // IWYU pragma: export
#include <heapwright/config/reader.hpp>                         // IWYU pragma: export
#include <heapwright/os/page_source.hpp>                        // IWYU pragma: export
#include <heapwright/os/report_by_default.hpp>                  // IWYU pragma: export
#include <heapwright/runtime/configured/configured_memory.hpp>  // IWYU pragma: export
