// A destructor that may throw has nowhere to throw to when an arena is emptied.
// expect: an arena destroys its objects when it is emptied, where nothing may throw
#include <heapwright/alloc/arena/arena.hpp>

struct Thrower {
#ifdef HEAPWRIGHT_CONTROL
    ~Thrower() {}
#else
    ~Thrower() noexcept(false) {}
#endif
};
void use(heapwright::Arena& arena) { arena.create<Thrower>(); }
