// An arena that runs no destructors refuses a type that owns something.
// expect: PlainArena runs no destructors, so this type would leak what it owns
#include <string>

#include <heapwright/alloc/arena/plain_arena.hpp>

void use(heapwright::PlainArena& arena) {
    arena.create<int>(1);
#ifndef HEAPWRIGHT_CONTROL
    arena.create<std::string>("long enough to need a heap");
#endif
}
