// When recording begins and ends in a process that has the library preloaded.
#pragma once

namespace heapwright::preload {

/// Starts the recorder as the environment says. Does nothing the second time, or where the process is not to be recorded.
void start_recording() noexcept;

}  // namespace heapwright::preload
