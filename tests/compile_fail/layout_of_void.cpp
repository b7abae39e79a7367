// There is no layout of void: a size would have to be invented.
// expect: layout_of_void.cpp
#include <heapwright/base/layout.hpp>

#ifdef HEAPWRIGHT_CONTROL
using Type = char;
#else
using Type = void;
#endif

constexpr heapwright::Layout layout = heapwright::Layout::of<Type>();
