// The last handle may be dropped anywhere, by any destructor.
// expect: a counted object is destroyed where nothing may throw
#include <heapwright/own/rc/rc.hpp>

struct Thrower {
#ifdef HEAPWRIGHT_CONTROL
    ~Thrower() {}
#else
    ~Thrower() noexcept(false) {}
#endif
};
void use() { const auto handle = heapwright::make_rc<Thrower>(); }
