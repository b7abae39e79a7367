// A reference is no object that could be built later.
// expect: room is for objects that can be built
#include <heapwright/own/cell/uninit.hpp>

#ifdef HEAPWRIGHT_CONTROL
using Room = heapwright::Uninit<int*>;
#else
using Room = heapwright::Uninit<int&>;
#endif
Room room;
