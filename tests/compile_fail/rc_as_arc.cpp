// One thread's counts do not become many threads' counts: other copies of the handle would still count plainly.
// expect: deleted function
#include <heapwright/own/rc/rc.hpp>

#ifdef HEAPWRIGHT_CONTROL
heapwright::Arc<int> use(heapwright::Arc<int> handle) { return handle; }
#else
heapwright::Arc<int> use(heapwright::Rc<int> handle) { return handle; }
#endif
