// An object that hands out handles to itself must have counts before it, which only make_rc() gives.
// expect: private
// expect: CountedToken
#include <heapwright/own/rc/rc.hpp>

struct Session : heapwright::RcFromThis<Session> {
    explicit Session(heapwright::CountedToken token) : CountedFromThis(token) {}
};
#ifdef HEAPWRIGHT_CONTROL
void use() { const auto session = heapwright::make_rc<Session>(); }
#else
void use() { const Session session{heapwright::CountedToken()}; }
#endif
