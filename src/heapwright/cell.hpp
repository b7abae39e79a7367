// Front door: cells. Borrowed until written, pinned, relative to themselves, branded, or not yet built.
#pragma once

#include <heapwright/os/page_source.hpp>              // IWYU pragma: export
#include <heapwright/os/report_by_default.hpp>        // IWYU pragma: export
#include <heapwright/own/cell/branded.hpp>            // IWYU pragma: export
#include <heapwright/own/cell/cow_hosted.hpp>         // IWYU pragma: export
#include <heapwright/own/cell/maybe_owned.hpp>        // IWYU pragma: export
#include <heapwright/own/cell/persistent_vector.hpp>  // IWYU pragma: export
#include <heapwright/own/cell/pinned.hpp>             // IWYU pragma: export
#include <heapwright/own/cell/self_ptr.hpp>           // IWYU pragma: export
#include <heapwright/own/cell/self_ref.hpp>           // IWYU pragma: export
#include <heapwright/own/cell/uninit.hpp>             // IWYU pragma: export
