// A Cow that borrows a temporary would look at a text that is gone at the end of the line.
// expect: deleted function
#include <string>

#include <heapwright/own/cell/cow_hosted.hpp>

heapwright::Cow<std::string> greeting(const std::string& name) {
#ifdef HEAPWRIGHT_CONTROL
    return heapwright::Cow<std::string>::own("hello " + name);
#else
    return heapwright::Cow<std::string>::borrow("hello " + name);
#endif
}
