// What an evacuation has before it.
#pragma once

#include <cstddef>

namespace heapwright {

struct EvacuationFigures {
    std::size_t spans = 0;        ///< that empty when all their blocks move
    std::size_t blocks = 0;       ///< in them
    std::size_t bytes = 0;        ///< of those blocks, rounded to their size classes
    std::size_t recoverable = 0;  ///< bytes of memory that the spans take now
};

}  // namespace heapwright
