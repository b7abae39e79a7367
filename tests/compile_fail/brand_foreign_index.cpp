// An index of one row is refused by every row of another brand, although both are 32 bits.
// expect: operator[]
#include <heapwright/own/cell/branded.hpp>

using Ships = heapwright::BrandedArray<int, heapwright::Brand<struct ShipsTag>>;
using Ports = heapwright::BrandedArray<int, heapwright::Brand<struct PortsTag>>;
#ifdef HEAPWRIGHT_CONTROL
int look(const Ships& ships, Ships::Index ship) { return ships[ship]; }
#else
int look(const Ships& ships, Ports::Index port) { return ships[port]; }
#endif
