// A generator waits for nobody but its caller.
// expect: await_transform
#include <heapwright/own/coroutine/generator.hpp>
#include <heapwright/own/coroutine/task.hpp>

heapwright::Task<int> one() { co_return 1; }
heapwright::Generator<int> numbers() {
#ifdef HEAPWRIGHT_CONTROL
    co_yield *heapwright::run(one());
#else
    co_yield co_await one();
#endif
}
