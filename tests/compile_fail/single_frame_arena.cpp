// A frame arena of one frame has no frame before.
// expect: with one frame there is no frame before: use Arena and reset it
#include <heapwright/alloc/arena/frame_arena.hpp>

#ifdef HEAPWRIGHT_CONTROL
heapwright::FrameArena<2> frames{heapwright::SourceRef{}};
#else
heapwright::FrameArena<1> frames{heapwright::SourceRef{}};
#endif
