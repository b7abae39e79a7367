// A source among the parameters of a coroutine that takes its frames from elsewhere would be left unused without a word.
// expect: but its frames come from elsewhere
#include <heapwright/own/coroutine/frame_stack.hpp>
#include <heapwright/own/coroutine/task.hpp>

using heapwright::FrameStack;
#ifdef HEAPWRIGHT_CONTROL
heapwright::Task<int, heapwright::FramesFromAny> count(std::allocator_arg_t, FrameStack&, int to) { co_return to; }
#else
heapwright::Task<int> count(std::allocator_arg_t, FrameStack&, int to) { co_return to; }
#endif
