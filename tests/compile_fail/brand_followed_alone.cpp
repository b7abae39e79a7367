// A branded pointer is followed by its owner only: it carries no right to read or to write.
// expect: BrandedPtr
#include <heapwright/alloc/arena/arena.hpp>
#include <heapwright/own/cell/branded.hpp>

using Orders = heapwright::Branded<heapwright::Arena, heapwright::Brand<struct OrdersTag>>;
int look(const Orders& orders, Orders::Ptr<int> order) {
#ifdef HEAPWRIGHT_CONTROL
    return orders[order];
#else
    static_cast<void>(orders);
    return *order;
#endif
}
