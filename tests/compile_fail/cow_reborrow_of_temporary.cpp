// A Cow that borrows from a temporary Cow would look at what that owned.
// expect: deleted
#include <heapwright/own/cell/cow.hpp>

heapwright::Cow<int> number() { return heapwright::Cow<int>::own(1); }
heapwright::Cow<int> reborrowed() {
#ifdef HEAPWRIGHT_CONTROL
    return number();
#else
    return number().reborrow();
#endif
}
