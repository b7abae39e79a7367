// The owner of a pair may not be changed: its dependent points into it.
// expect: const
#include <string>
#include <string_view>

#include <heapwright/own/cell/self_ref.hpp>

void change(heapwright::SelfRef<std::string, std::string_view>& line) {
#ifdef HEAPWRIGHT_CONTROL
    static_cast<void>(line.owner().size());
#else
    line.owner().clear();
#endif
}
