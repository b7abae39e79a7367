// Front door: images. Structures written to a file as they are and mapped back, checked before use.
#pragma once

#include <heapwright/os/report_by_default.hpp>    // IWYU pragma: export
#include <heapwright/own/image/fault.hpp>         // IWYU pragma: export
#include <heapwright/own/image/image.hpp>         // IWYU pragma: export
#include <heapwright/own/image/image_writer.hpp>  // IWYU pragma: export
#include <heapwright/own/image/lazy_image.hpp>    // IWYU pragma: export
