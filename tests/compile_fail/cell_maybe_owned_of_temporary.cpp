// A temporary cannot be lent to what outlives the line.
// expect: deleted function
#include <heapwright/own/cell/maybe_owned.hpp>

using Number = heapwright::MaybeOwned<const int>;
#ifdef HEAPWRIGHT_CONTROL
Number number(const int& lent) { return Number::borrow(lent); }
#else
Number number(const int& lent) { return Number::borrow(lent + 1); }
#endif
