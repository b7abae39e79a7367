// An arena is not copied: two of them would release the same chunks.
// expect: Arena
#include <heapwright/alloc/arena/arena.hpp>

heapwright::Arena first{heapwright::SourceRef{}};
#ifndef HEAPWRIGHT_CONTROL
heapwright::Arena second = first;
#endif
