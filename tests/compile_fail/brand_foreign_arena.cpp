// A pointer of one arena is refused by every arena of another brand.
// expect: operator[]
#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/own/cell/branded.hpp>

using Orders = heapwright::Branded<heapwright::Arena, heapwright::Brand<struct OrdersTag>>;
using Prices = heapwright::Branded<heapwright::Arena, heapwright::Brand<struct PricesTag>>;
#ifdef HEAPWRIGHT_CONTROL
int look(Orders& orders, Orders::Ptr<int> order) { return orders[order]; }
#else
int look(Prices& prices, Orders::Ptr<int> order) { return prices[order]; }
#endif
