// What the recorder learns of the program's threads: where their stacks lie, and when they end.
#pragma once

#include <heapwright/trace/record/thread_log.hpp>

namespace heapwright::preload {

/// Requires: called once, before the first thread_attached().
void prepare_thread_hooks() noexcept;

/// A thread makes its first event.
void thread_attached(trace::record::ThreadLog& log) noexcept;

}  // namespace heapwright::preload
