// What a user's own warnings may not find in the headers, also where they are no system headers: every front door, and the
// templates that make a user's objects.
#include <cstdio>
#include <memory>
#include <string>

#include <heapwright/adapt.hpp>
#include <heapwright/arena.hpp>
#include <heapwright/cell.hpp>
#include <heapwright/config.hpp>
#include <heapwright/coroutine.hpp>
#include <heapwright/error.hpp>
#include <heapwright/gc.hpp>
#include <heapwright/graph.hpp>
#include <heapwright/handle.hpp>
#include <heapwright/heap.hpp>
#include <heapwright/image.hpp>
#include <heapwright/layout.hpp>
#include <heapwright/monitor.hpp>
#include <heapwright/pool.hpp>
#include <heapwright/rc.hpp>
#include <heapwright/slab.hpp>
#include <heapwright/tlsf.hpp>

namespace {

using namespace heapwright;

struct Person {
    const char* name;
    Rc<Person> friend_;
    using traced_members = Members<&Person::friend_>;
};
struct Point {
    int x;
    int y;
};

Task<int, FramesFrom<Arena>> parsed(std::allocator_arg_t /*tag*/, Arena& /*arena*/, int value) { co_return value; }
Task<int, FramesFromAny> read(std::allocator_arg_t /*tag*/, SourceRef /*source*/, int value) { co_return value; }

}  // namespace

int main() {
    Arena arena{os::kPages};
    Pool pool{Layout::of<Point>(), os::kPages};
    Slab<Point> slab{os::kPages};
    Branded<Pool, Brand<struct Points>> branded{Layout::of<Point>(), os::kPages};
    CycleCollector collector;
    const Rc<Person> ada = collector.make<Person>("Ada");
    const int sum = arena.create<Point>(1).x + slab[slab.insert(1)].x + branded[branded.create<Point>(1)].x +
                    run(parsed(std::allocator_arg, arena, 1)).value_or(0) + run(read(std::allocator_arg, arena, 1)).value_or(0);
    std::printf("%s: %d\n", ada->name, sum);
    return 0;
}
