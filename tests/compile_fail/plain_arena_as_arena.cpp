// A PlainArena does not pass for an Arena, which would run destructors for it.
// expect: PlainArena
#include <heapwright/alloc/arena/plain_arena.hpp>

void take(heapwright::Arena& arena);
void use(heapwright::PlainArena& arena) {
#ifdef HEAPWRIGHT_CONTROL
    static_cast<void>(arena.mark());
#else
    take(arena);
#endif
}
