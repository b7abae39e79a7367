// A text of no bytes has no room for its closing zero.
// expect: a text needs room for its closing zero
#include <heapwright/base/text.hpp>

#ifdef HEAPWRIGHT_CONTROL
heapwright::Text<1> text;
#else
heapwright::Text<0> text;
#endif
