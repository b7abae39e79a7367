// A const owner gives const access to everything in it.
// expect: operator[]
#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/own/cell/branded.hpp>

using Orders = heapwright::Branded<heapwright::Arena, heapwright::Brand<struct OrdersTag>>;
#ifdef HEAPWRIGHT_CONTROL
void raise(Orders& orders, Orders::Ptr<int> order) { orders[order] += 1; }
#else
void raise(const Orders& orders, Orders::Ptr<int> order) { orders[order] += 1; }
#endif
