// A fallback must find the way back of every block, so its first part has to know its own.
// expect: the first of a fallback must know its own blocks
#include <heapwright/adapt.hpp>

#ifdef HEAPWRIGHT_CONTROL
using Chain = heapwright::Fallback<heapwright::Tlsf, heapwright::SourceRef>;
#else
using Chain = heapwright::Fallback<heapwright::SourceRef, heapwright::Tlsf>;
#endif
static_assert(sizeof(Chain) > 0);
