// Rings of counted objects, as the tests of cycles make them.
#pragma once

#include <concepts>

#include <heapwright/own/rc/cycle_collector.hpp>
#include <heapwright/own/rc/rc.hpp>

namespace heapwright::test {

/// Each refers to the next by its member `next`, and the last to the first, of which a handle is returned.
template <class Node>
Rc<Node> make_ring(CycleCollector& collector, std::integral auto length) {
    Rc<Node> first = collector.make<Node>();
    Rc<Node> last = first;
    for (decltype(length) count = 1; count < length; ++count) {
        last->next = collector.make<Node>();
        last = last->next;
    }
    last->next = first;
    return first;
}

}  // namespace heapwright::test
