// A library that others allocate by: from its own code nobody can tell whose blocks they are.
#include <cstddef>
#include <cstdlib>

extern "C" __attribute__((visibility("default"), noinline)) void* make_in_library(std::size_t bytes) {
    void* const block = std::malloc(bytes);
    asm volatile("" : : "r"(block) : "memory");  // a call, and no jump
    return block;
}
