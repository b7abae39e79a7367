// A task has one result: awaiting it takes it, so a task with a name is moved into the await.
// expect: deleted
#include <utility>

#include <heapwright/own/coroutine/task.hpp>

heapwright::Task<int> one() { co_return 1; }
heapwright::Task<int> two() {
    heapwright::Task<int> task = one();
#ifdef HEAPWRIGHT_CONTROL
    const int first = co_await std::move(task);
#else
    const int first = co_await task;
#endif
    co_return first;
}
