// The payload of an events chunk: events in, columns out, and back. docs/format.md describes the bytes.
//
//   payload = 7 lengths (u32) | ops | ticks | addresses | distances | sizes | stacks | rare
#pragma once

#include <heapwright/trace/event_decoder.hpp>  // IWYU pragma: export
#include <heapwright/trace/event_encoder.hpp>  // IWYU pragma: export
