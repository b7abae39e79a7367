// Nobody but its owner makes a branded pointer: an address from elsewhere is no object of the arena.
// expect: BrandedPtr
#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/own/cell/branded.hpp>

using Orders = heapwright::Branded<heapwright::Arena, heapwright::Brand<struct OrdersTag>>;
int look(Orders& orders, int* address) {
#ifdef HEAPWRIGHT_CONTROL
    return orders[orders.create<int>(*address)];
#else
    return orders[Orders::Ptr<int>{address}];
#endif
}
