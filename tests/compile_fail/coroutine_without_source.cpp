// A coroutine whose frames come from the source it is called with has to be called with one.
// expect: its first parameters must be std::allocator_arg_t
#include <heapwright/own/coroutine/frame_stack.hpp>
#include <heapwright/own/coroutine/task.hpp>

using heapwright::FrameStack;
#ifdef HEAPWRIGHT_CONTROL
heapwright::Task<int, heapwright::FramesFrom<FrameStack>> count(std::allocator_arg_t, FrameStack&, int to) { co_return to; }
#else
heapwright::Task<int, heapwright::FramesFrom<FrameStack>> count(int to) { co_return to; }
#endif
